"""A report is signed by the key ring, kept, and any change of it is noticed."""

import copy
import datetime as dt
import re
from typing import Any

import pytest

from idp.control import proofs
from idp.errors import Invalid
from idp.prove import page
from idp.signing import reports, ring

REPORT: dict[str, Any] = {
    "holds": False, "base_url": "http://localhost", "version": "1", "schema": "0003", "postgres": "18.4",
    "begun_at": "2026-11-27T13:00:00+00:00", "seconds": 12.5,
    "promises": [
        {"code": "one", "group": "catalogue", "sentence": "First.", "how": "So.", "kept": True, "tried": 1200,
         "found": [], "notes": ["not looked at"], "seconds": 0.1},
        {"code": "two", "group": "outside", "sentence": "Ü <b>bold</b> & </script>", "how": "So.", "kept": False,
         "tried": 3, "found": ["<script>alert(1)</script>"] * 30, "notes": [], "seconds": 0.1},
    ],
    "mutants": [{"half": "sql", "name": "TRUNCATE", "killed": True, "noticed": ["one"]},
                {"half": "sql", "name": "nothing", "killed": False, "noticed": []}],
}  # fmt: skip


@pytest.fixture
def empty(database: Any) -> Any:
    """No kept proof before, none after."""
    database("DELETE FROM proofs")
    yield database
    database("DELETE FROM proofs")


def test_a_signed_report_verifies_and_a_changed_one_does_not(vault: Any) -> None:
    held = ring.ring()
    signed = proofs.signed(REPORT)
    assert reports.verify(signed, held) is None
    assert signed["signature"]["key"] in proofs.public_keys().values()
    for change in (
        lambda r: r.update(holds=True), lambda r: r["promises"].pop(), lambda r: r.update(more=1),
        lambda r: r["promises"][1].update(kept=True), lambda r: r.pop("signature"), lambda r: r.update(signature="x"),
        lambda r: r["signature"].update(value="AAAA"), lambda r: r["signature"].update(kid="other"),
        lambda r: r["signature"].update(key="other"), lambda r: r["signature"].update(more=1),
        lambda r: r["signature"].update(value="!"),
    ):  # fmt: skip
        changed = copy.deepcopy(signed)
        change(changed)
        assert reports.verify(changed, held) is not None, changed


def test_an_older_key_of_the_ring_still_verifies_and_a_strange_ring_does_not(vault: Any) -> None:
    held = ring.ring()
    signed = reports.sign(REPORT, held)
    assert reports.verify(signed, ring.added(held)) is None
    assert (
        reports.verify(signed, ring.Ring((ring.make(),))) == "the key that signed it is not on this key ring"
    )


def test_what_is_no_report_is_refused(vault: Any) -> None:
    for text in ("", "[]", "x", "[" * 100_000):
        with pytest.raises(Invalid):
            proofs.verify(text)
    assert proofs.verify("{}")["genuine"] is False


def test_the_last_proof_is_told_and_older_ones_go(empty: Any, frozen: Any) -> None:
    assert proofs.last() is None and proofs.newest() is None
    with frozen("2026-11-27T13:00:00Z") as clock:
        for number in range(32):
            clock.tick(60)
            proofs.keep(proofs.signed({**REPORT, "seconds": float(number)}))
        found = proofs.last()
        assert found is not None
        assert (found.holds, found.seconds, found.broken, found.age) == (
            False,
            31.0,
            ("two",),
            dt.timedelta(0),
        )
    rows = proofs.listing()
    assert len(rows) == 30 and rows[0]["seconds"] == 31.0 and rows[-1]["seconds"] == 2.0
    assert reports.verify(proofs.newest() or {}, ring.ring()) is None


def test_a_page_is_verified_by_its_bytes(vault: Any) -> None:
    text = page.render(proofs.signed(REPORT))
    assert proofs.verify(text)["genuine"] is True
    for old, new in (("One promise is broken", "Every promise holds"), ("<main>", "<main><p>All is well.</p>"),
                     ("</html>", "</html> "), ('"holds":false', '"holds":true')):  # fmt: skip
        assert old in text
        assert proofs.verify(text.replace(old, new, 1))["genuine"] is False
    with pytest.raises(Invalid):
        proofs.verify("<!doctype html><p>no report</p>")


def test_a_page_is_self_contained_and_runs_nothing(vault: Any) -> None:
    text = page.render(proofs.signed(REPORT))
    assert "<script>alert" not in text and "<b>bold" not in text
    assert len(re.findall(r"<script", text)) == 1 and 'type="application/json"' in text
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://(?!localhost)", text)
    assert "and 5 more" in text and "would not have noticed" in text and "1,200" in text
    assert page.read(text)["promises"][1]["sentence"] == "Ü <b>bold</b> & </script>"
    good = {**REPORT, "holds": True, "mutants": [], "promises": REPORT["promises"][:1]}
    assert "Every promise holds" in page.render(good) and "is not signed" in page.render(good)
    assert "the proof does not" in page.render({**good, "holds": False})
