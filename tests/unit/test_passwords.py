"""Argon2id with a bounded queue: equal work for every answer, nobody waits in a full line."""

import threading
from unittest import mock

import pytest
from argon2 import PasswordHasher

from idp.accounts import passwords
from idp.errors import Busy, Invalid

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(passwords, "_hasher", CHEAP)
    monkeypatch.setattr(passwords, "_NOBODY", passwords._unmatchable())


def test_parameters_are_the_decided_ones():
    with mock.patch.object(passwords, "_hasher", passwords.PasswordHasher(2, 19_456, 1)):
        assert passwords._unmatchable().startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_right_and_wrong():
    secret = passwords.hash("correct horse")
    assert passwords.matches(secret, "correct horse")
    assert not passwords.matches(secret, "correct horsf")
    assert not passwords.matches(None, "correct horse")


@pytest.mark.parametrize("password", ["a" * 73, "nul\x00inside", "  spaces  ", "ß€漢字🐴", "a" * 256])
def test_bf08_nothing_is_cut_or_changed(password):
    secret = passwords.hash(password)
    assert passwords.matches(secret, password)
    assert not passwords.matches(secret, password[:-1])


def test_rfc8265_section_4_2_composed_and_decomposed_are_one_password():
    assert passwords.matches(passwords.hash("pass\u00e9"), "passe\u0301")


@pytest.mark.parametrize("password", ["", "a" * 257, "\ud800"])
def test_do02_new_passwords_are_bounded(password):
    with pytest.raises(Invalid):
        passwords.hash(password)


@pytest.mark.parametrize("secret", [None, "real"])
@pytest.mark.parametrize("password", ["", "wrong", "a" * 1025, "a" * 10_000_000, "é" * 600, "\ud800", "\x00"])
def test_ue02_do02_every_answer_costs_one_verification_of_little(secret, password):
    secret = passwords.hash("right") if secret else None
    seen = []

    class Counting:
        def verify(self, encoded, data):
            seen.append((encoded, len(data)))
            return CHEAP.verify(encoded, data)

    with mock.patch.object(passwords, "_hasher", Counting()):
        assert passwords.matches(secret, password) is False
    assert len(seen) == 1
    assert seen[0][1] <= passwords.LONGEST_BYTES


def test_a_broken_hash_matches_nothing():
    assert not passwords.matches("$argon2id$nonsense", "x")


def test_outdated_parameters_are_noticed():
    assert passwords.outdated(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash("x"))
    assert not passwords.outdated(CHEAP.hash("x"))


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "plain",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$" + "A" * 43,
        "$argon2id$v=19$m=64,t=1000,p=1$c29tZXNhbHQ$" + "A" * 43,
    ],
)
def test_foreign_hashes_of_other_kinds_or_unbearable_cost_are_refused(encoded):
    with pytest.raises(Invalid):
        passwords.accepted(encoded)


def test_foreign_argon2id_hashes_are_taken():
    encoded = PasswordHasher().hash("x")
    assert passwords.accepted(encoded) == encoded


def test_do01_a_full_line_answers_at_once_and_empties_again():
    line = passwords.Queue(workers=1, waiting=2)
    inside, leave = threading.Event(), threading.Event()

    def work():
        with line.turn():
            inside.set()
            leave.wait(5)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert inside.wait(5)
    while line._places._value:  # until the other two stand in line
        pass
    with pytest.raises(Busy) as refused, line.turn():
        raise AssertionError("there was no room")
    assert refused.value.status == 503 and refused.value.headers["Retry-After"] == "1"
    leave.set()
    for thread in threads:
        thread.join(5)
    with line.turn():
        pass


def test_a_failing_turn_gives_its_place_back():
    line = passwords.Queue(workers=1, waiting=0)
    for _ in range(3):
        with pytest.raises(RuntimeError), line.turn():
            raise RuntimeError


def test_hashes_take_turns_on_the_cores_that_are_left(monkeypatch):
    line, here, most = passwords.Queue(workers=4, waiting=8), 0, 0
    lock = threading.Lock()
    monkeypatch.setattr(passwords, "cores", lambda: 1)

    def work():
        nonlocal here, most
        for _ in range(20):
            with line.turn():
                with lock:
                    here += 1
                    most = max(most, here)
                with lock:
                    here -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (most, here) == (1, 0)
