"""Every known fault is played, tested elsewhere, or says why not."""

from tests.faults import coverage


def test_no_known_fault_is_forgotten() -> None:
    played = set(coverage.named())
    told = coverage.ELSEWHERE.keys() | coverage.NOT_PLAYED.keys()
    assert played <= set(coverage.ALL)
    assert not played & told, "what is played needs no reason"
    assert set(coverage.ALL) - played - told == set()
