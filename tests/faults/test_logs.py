"""A log that nobody reads (F25): its writers go on, what does not fit is dropped and counted, the rest comes later."""

import logging
import os
import threading

import pytest

from idp import logs
from tests.running import counted, within


def test_f25_a_pipe_that_nobody_reads_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES", 50)
    monkeypatch.setattr(logs, "LAST_WORDS", 0.05)
    reading, writing = os.pipe()
    before = counted("log_lines_dropped_total")
    with open(writing, "w") as stream, open(reading, "rb") as reader:
        handler = logs.Unhurried(stream)
        logger = logging.Logger("blocked")
        logger.addHandler(handler)

        def shout() -> None:
            for number in range(400):
                logger.warning("%d %s", number, "x" * 1_000)

        thread = threading.Thread(target=shout, daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive(), "a writer waits for the reader"
        metrics_told = counted("log_lines_dropped_total") - before
        assert metrics_told > 0
        handler.flush()  # comes back, though nothing is read
        read: list[bytes] = []

        def listen() -> None:
            while line := reader.readline():
                read.append(line)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        assert within(20, lambda: len(read) == 400 - metrics_told)
        assert handler._waiting.unfinished_tasks == 0
        stream.close()
        listener.join(10)
    assert read[0].startswith(b"0 ")
