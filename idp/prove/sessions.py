"""What one session of the runtime role learns of another, and what a pooled connection carries over."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from idp.prove import verbs
from idp.prove.attempts import DENIED, Attacker, attacking
from idp.prove.database import Asks, asking
from idp.prove.look import Look
from idp.prove.promises import Group, Promise, Tally
from idp.prove.rows import Field, Ids, Table, tables
from idp.prove.target import Target

_TURNS = 12


@contextmanager
def _two(target: Target) -> Iterator[tuple[Attacker, Attacker]]:
    with ExitStack() as stack:
        one, other = (stack.enter_context(attacking(target)) for _ in range(2))
        yield one, other


def behind_a_pooler(attacker: Attacker) -> bool:
    """Whether the server's own process id is another than the one that answered the connection."""
    with attacker.connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(pid,)] = cursor.fetchall()
    attacker.connection.rollback()
    return bool(pid != attacker.connection.info.backend_pid)


def reused(target: Target, tally: Tally) -> None:
    """The canaries take turns on two connections that commit; who comes next without a context sees nothing."""
    with _two(target) as (one, other), asking(target) as ask:
        if not behind_a_pooler(one):
            tally.notes.append("no pooler is on the way: a connection was used again directly")
        every = tables(ask)
        names = list(every)
        for turn in range(_TURNS):
            for canary, attacker in ((target.a, one), (target.b, other), (target.b, one), (target.a, other)):
                _visit(attacker, canary.context, canary.id, tally)
                _nobody(other if turn % 2 else one, names[turn % len(names) :: _TURNS], tally)
        _nobody_tries(one, every, target, tally)


def _visit(attacker: Attacker, context: str, tenant: str, tally: Tally) -> None:
    attacker.begin()
    seen = attacker.keep("SELECT DISTINCT tenant_id::text FROM users", context)
    tally.expect(seen.rows == ((tenant,),), f"a pooled connection shows another tenant's users: {seen}.")
    attacker.connection.commit()


def _nobody(attacker: Attacker, names: list[str], tally: Tally) -> None:
    attacker.begin()
    left = attacker.attempt("SELECT 1 WHERE coalesce(current_setting('app.ctx', true), '') <> ''")
    tally.expect(left.nothing, "a connection carries the last tenant's context over.")
    for name in names:
        seen = attacker.attempt(f"SELECT 1 FROM {name} LIMIT 1")
        tally.expect(
            seen.rows == () and not seen.code, f"{name}: a connection used again shows rows: {seen}."
        )
    attacker.end()


def without_a_context(target: Target, tally: Tally) -> None:
    """A new connection that shows no context, and one that shows an empty one: no row, whatever is tried."""
    with attacking(target) as attacker, asking(target) as ask:
        _nobody_tries(attacker, tables(ask), target, tally)


def _nobody_tries(attacker: Attacker, every: Mapping[str, Table], target: Target, tally: Tally) -> None:
    for table in every.values():
        attacker.begin()
        for context in (None, ""):
            seen = attacker.attempt(f"SELECT 1 FROM {table.name} LIMIT 1", context)
            tally.expect(
                seen.rows == () and not seen.code, f"{table.name} shows rows without a context: {seen}."
            )
        field = Field(attacker, table, every, Ids.fresh(), target.a, target.b, ())
        for name, verb in verbs.VERBS.items():
            answer = attacker.attempt(verb(field, target.b.id, field.ids.theirs))
            holds = verbs.harmless(name, answer)
            tally.expect(holds, f"{table.name}: {name} without a context reaches a tenant: {answer}.")
        attacker.end()


def neighbours(target: Target, tally: Tally) -> None:
    """While one session shows its context, another of the same role looks for it wherever Postgres tells of others."""
    with _two(target) as (busy, spy):
        managed = Look(_asks(spy)).managed
        thread = threading.Thread(target=_sleep, args=(busy, target.a.context))
        thread.start()
        spy.begin()
        for statement in verbs.PRYING:
            answer = spy.attempt(statement, "")
            if answer.code in (DENIED, *verbs.CLOSED):
                tally.count()
            elif managed and target.a.context not in repr(answer.rows):
                tally.notes.append(f"the service leaves it so that the runtime role may {statement}")
            else:
                tally.expect(False, f"the runtime role may {statement}: {answer}.")
        shown = spy.attempt("SELECT current_setting('track_activities')", "")
        if managed and shown.rows != (("off",),):
            tally.notes.append(
                "the service shows the runtime role's statements, contexts included, to its own role"
            )
        else:
            tally.expect(shown.rows == (("off",),), "statements of the runtime role are told to others.")
        spy.end()
        thread.join()


def _asks(attacker: Attacker) -> Asks:
    return Asks(attacker.connection)


def _sleep(attacker: Attacker, context: str) -> None:
    attacker.begin()
    attacker.keep("SELECT pg_sleep(0.5)", context)
    attacker.end()


PROMISES = (
    Promise(
        "no_context", Group.RUNTIME_ROLE, "Whoever shows no tenant context sees no row of any tenant.",
        f"Each table is read on a new connection, without a context and with an empty one; then all {len(verbs.VERBS)} "
        "verbs without one.",
        without_a_context,
    ),
    Promise(
        "pooled_connections", Group.RUNTIME_ROLE, "A connection used again carries nothing of its last tenant.",
        "Both canaries take turns on two connections, through a pooler where there is one; nobody looks between.",
        reused,
    ),
    Promise(
        "neighbours", Group.RUNTIME_ROLE, "No session of the runtime role sees statements or contexts of another.",
        "While one session works, another asks everything that tells of others.", neighbours,
    ),
)  # fmt: skip
