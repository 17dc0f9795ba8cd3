"""A whole proof: learn the deployment from its public commands, make canaries, try each promise, remove them.

`PROMISES` is the list of everything that is promised; a module of probes adds its own here.
"""

import datetime as dt
import http.client
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from redis.exceptions import RedisError

from idp.prove import (
    between,
    canaries,
    catalogue,
    clock,
    database,
    forgeries,
    mutants,
    outside,
    pace,
    runtime_role,
    sessions,
)
from idp.prove.mutants import Verdict
from idp.prove.promises import Group, NotProved, Outcome, Promise, Tally, Unexpected
from idp.prove.target import Program, Route, Target

PROMISES: tuple[Promise, ...] = (
    *catalogue.PROMISES,
    *runtime_role.PROMISES,
    *sessions.PROMISES,
    *outside.PROMISES,
    *forgeries.PROMISES,
    *between.PROMISES,
)
TWINS = Promise(
    "runtime_role.twins", Group.RUNTIME_ROLE,
    "One tenant's names are in no other tenant's way: the same people, clients, groups and keys' ids are in both.",
    "Two tenants are made from one blueprint by the public commands; where the first can be made, so can the second.",
    lambda target, tally: tally.expect(target.a.id != target.b.id, "Both canaries are one tenant."),
)  # fmt: skip
PROMISES += (TWINS,)
BESIDE: tuple[frozenset[Group], ...] = (
    frozenset({Group.CATALOGUE, Group.RUNTIME_ROLE}),
    frozenset({Group.OUTSIDE}),
    frozenset({Group.TOKENS}),
)
"""Groups that are tried beside each other; every other one waits, since it changes what these look at."""
OVER_HTTP = frozenset({Group.OUTSIDE, Group.BETWEEN, Group.TOKENS})

Progress = Callable[[str], None]
"""Is told one line before each step."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, when, against what."""

    base_url: str
    version: str
    schema: str
    postgres: str
    begun_at: dt.datetime
    seconds: float
    outcomes: tuple[Outcome, ...]
    mutants: tuple[Verdict, ...] = ()
    """What was broken elsewhere to try the proof itself; empty where that was not asked for."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return all(outcome.kept for outcome in self.outcomes)

    @property
    def holds(self) -> bool:
        """Whether every promise was kept, and the proof noticed everything that was broken to try it."""
        return self.kept and all(verdict.killed for verdict in self.mutants)


def prove(program: Program, groups: Collection[Group] = (), tell: Progress = lambda _line: None) -> Proof:
    """Try every promise of `groups` (all of them when empty). Raises NotProved."""
    wanted = [promise for promise in PROMISES if not groups or promise.group in groups]
    if not wanted:
        raise NotProved("There is nothing to prove in the groups that were named.")
    begun, began = clock.now(), clock.elapsed()
    tell("looking at the deployment")
    known = program.json("env", "--show-secrets")
    if not known["database_url"] or not known["redis_url"]:
        raise NotProved("The deployment's database or Redis is not known; start it, or set its addresses.")
    postgres = database.look(known["database_url"], known["schema"])
    if OVER_HTTP & {promise.group for promise in wanted}:
        _answers(known["base_url"])
    try:
        with canaries.stoppable(), facing(program, known, tell) as target:
            outcomes = _outcomes(wanted, target, tell)
            tell("removing the canaries")
    except canaries.TwinRefused as refused:
        tally = Tally()
        tally.expect(False, f"The second of two tenants with the same names was refused: {refused}")
        outcomes = (Outcome(TWINS, tally, clock.elapsed() - began),)
    return Proof(
        known["base_url"],
        known["version"],
        known["schema"],
        postgres,
        begun,
        clock.elapsed() - began,
        outcomes,
    )


def _answers(base_url: str) -> None:
    parts = urlsplit(base_url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    with closing(kind(parts.hostname or "", parts.port, timeout=10)) as connection:
        try:
            connection.request("GET", "/livez", headers={"Connection": "close"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            raise NotProved(f"{base_url} does not answer; start the server, or mend IDP_BASE_URL.") from None


@contextmanager
def facing(program: Program, known: dict[str, Any], tell: Progress) -> Iterator[Target]:
    """The deployment with two fresh canaries, for the length of the block; `known` is what `idp env` says.

    Raises NotProved, TwinRefused.
    """
    with ExitStack() as stack:
        stack.enter_context(database.alone(known["database_url"]))
        told = stack.enter_context(ThreadPoolExecutor(max_workers=1)).submit(program.json, "routes")
        tell("making two canary tenants")
        redis_url = known["redis_admin_url"] or known["redis_url"]
        a, b = stack.enter_context(canaries.pair(program, redis_url))
        yield Target(
            base_url=known["base_url"], management_url=known["management_url"],
            database_url=known["database_url"], owner_database_url=known["owner_database_url"],
            redis_url=known["redis_url"], redis_admin_url=known["redis_admin_url"],
            routes=tuple(_route(each) for each in told.result()), a=a, b=b,
            program=program, version=known["version"], schema=known["schema"],
        )  # fmt: skip


def _route(given: dict[str, Any]) -> Route:
    return Route(
        path=given["path"], methods=tuple(given["methods"]), gate=given["gate"],
        credentials=tuple(given["credentials"]), cors=given["cors"], endpoint=given["endpoint"],
    )  # fmt: skip


def _outcomes(wanted: Sequence[Promise], target: Target, tell: Progress) -> tuple[Outcome, ...]:
    """Every promise tried, in the order of `wanted`. Raises NotProved."""

    def row(promises: Sequence[Promise]) -> list[Outcome]:
        return [_tried(promise, target, tell) for promise in promises]

    lanes = [[promise for promise in wanted if promise.group in groups] for groups in BESIDE]
    last = [promise for promise in wanted if not any(promise in lane for lane in lanes)]
    with pace.stoppable() as stop, ThreadPoolExecutor(max_workers=len(lanes)) as beside:
        try:
            going = [beside.submit(row, lane) for lane in lanes]
            for done in as_completed(going):
                done.result()  # raises what ended it
        except BaseException:
            stop()
            raise
    found = {outcome.promise.code: outcome for lane in going for outcome in lane.result()}
    found |= {outcome.promise.code: outcome for outcome in row(last)}
    return tuple(found[promise.code] for promise in wanted)


def _tried(promise: Promise, target: Target, tell: Progress) -> Outcome:
    tell(f"{promise.group}: {promise.sentence}")
    tally, began = Tally(), clock.elapsed()
    try:
        promise.probe(target, tally)
    except Unexpected as surprise:
        tally.expect(False, str(surprise))
    except (psycopg2.OperationalError, RedisError, OSError, http.client.HTTPException) as problem:
        said = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise NotProved(f"{promise.code} could not be tried to its end: {said}") from None
    return Outcome(promise, tally, clock.elapsed() - began)


def content(proof: Proof) -> dict[str, Any]:
    """A proof as JSON."""
    return {
        "holds": proof.holds,
        "base_url": proof.base_url,
        "version": proof.version,
        "schema": proof.schema,
        "postgres": proof.postgres,
        "begun_at": proof.begun_at.isoformat(timespec="seconds"),
        "seconds": round(proof.seconds, 2),
        "promises": [_outcome(outcome) for outcome in proof.outcomes],
        "mutants": mutants.content(proof.mutants),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "code": outcome.promise.code,
        "group": str(outcome.promise.group),
        "sentence": outcome.promise.sentence,
        "how": outcome.promise.how,
        "kept": outcome.kept,
        "tried": outcome.tally.tried,
        "found": outcome.tally.found,
        "notes": outcome.tally.notes,
        "seconds": round(outcome.seconds, 2),
    }
