"""Operators' verbs for proofs of isolation: sign and keep a report, tell the last one, check a signature."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idp import audit, clock, ids
from idp.audit import Event
from idp.errors import Busy, Invalid
from idp.prove import page
from idp.signing import reports, ring
from idp.store.database import transaction
from idp.store.durable import audit_log, proofs


@dataclass(frozen=True, slots=True)
class Last:
    """The last proof of this deployment: of everything, or one of a part that did not hold."""

    id: UUID
    at: dt.datetime
    holds: bool
    seconds: float
    version: str
    schema: str
    broken: tuple[str, ...]
    """Codes of the promises that did not hold."""
    whole: bool
    """Whether every promise was tried."""

    @property
    def age(self) -> dt.timedelta:
        """How long ago it ended."""
        return clock.now() - self.at


def last() -> Last | None:
    """The last proof that was kept; None where there never was one. Raises Unavailable."""
    found = proofs.recent(1)
    return _read(found[0]) if found else None


def _read(kept: proofs.Kept) -> Last:
    report = json.loads(kept.report)
    broken = tuple(each["code"] for each in report["promises"] if not each["kept"])
    told = {name: report[name] for name in ("seconds", "version", "schema")}
    return Last(kept.id, kept.at, kept.holds, **told, broken=broken, whole=report.get("whole", True))


def note() -> bool:
    """Record the last proof in the entered tenant's audit, once; whether it was new there."""
    found = last()
    if found is None:
        return False
    event = Event.ISOLATION_PROVED if found.holds else Event.ISOLATION_BROKEN
    known = audit_log.recent(1, event, since=found.at)
    if known and known[0].facts.get("proof") == str(found.id):
        return False
    with transaction():
        audit.record(
            event, proof=str(found.id), version=found.version, schema=found.schema, broken=list(found.broken)
        )
    return True


def figures() -> dict[str, float]:
    """The age of the last proof in seconds, and 1 where it holds, else 0; nothing where there is none or no answer."""
    try:
        found = last()
    except Busy:
        return {}
    if found is None:
        return {}
    return {"proof_age_seconds": found.age.total_seconds(), "proof_holds": float(found.holds)}


def signed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with the signature of this deployment's key ring."""
    return reports.sign(report, ring.ring())


def keep(report: Mapping[str, Any]) -> None:
    """Keep a signed report of a whole proof, or of a part that does not hold."""
    text = json.dumps(report, ensure_ascii=False)
    proofs.keep(proofs.Kept(ids.uuid7(), clock.now(), bool(report["holds"]), text))


def listing() -> list[dict[str, Any]]:
    """The kept proofs, the newest first."""
    return [
        {
            "at": kept.at.isoformat(timespec="seconds"),
            "holds": read.holds,
            "seconds": read.seconds,
            "version": read.version,
            "schema": read.schema,
            "broken": list(read.broken),
        }
        for kept in proofs.recent()
        for read in (_read(kept),)
    ]


def newest() -> dict[str, Any] | None:
    """The last kept report as it was signed; None where there is none."""
    found = proofs.recent(1)
    return dict(json.loads(found[0].report)) if found else None


def verify(text: str) -> dict[str, Any]:
    """Whether a report, in JSON or as a page, is one that this deployment signed, and of what.

    A page must be exactly what its report looks like. Raises Invalid for what is neither.
    """
    is_page = text.lstrip()[:1] == "<"
    try:
        report = page.read(text) if is_page else json.loads(text)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict):
        raise Invalid("The file is no report, neither in JSON nor as a page.", rule="report")
    problem = reports.verify(report, ring.ring())
    if problem is None and is_page and page.render(report) != text:
        problem = "the page shows something else than the report that was signed"
    told = {name: report.get(name) for name in ("holds", "base_url", "version", "schema", "begun_at")}
    return {"genuine": problem is None, "problem": problem, **told}


def public_keys() -> dict[str, str]:
    """The keys under which reports of this deployment verify, by id, the newest first."""
    return reports.keys(ring.ring())
