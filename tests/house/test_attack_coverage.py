"""Every known attack has a test or says what it waits for."""

from tests.attacks import coverage


def test_no_known_attack_is_forgotten() -> None:
    found = coverage.measure()
    assert found.unknown == []
    assert found.missing == []


def test_nothing_waits_that_has_its_test() -> None:
    tested = coverage.named()
    assert [one for one, capability in coverage.listed().items() if capability and one in tested] == []


def test_the_list_is_read_as_it_is_written() -> None:
    ids = coverage.listed()
    assert len(ids) > 200 and ids["RU01"] == "" and ids["AU09"] == "encrypted backups"
    assert coverage.named()["RU01"] >= 1
