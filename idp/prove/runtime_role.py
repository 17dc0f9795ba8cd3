"""What the runtime role can do in SQL, tried on every table in which a tenant has rows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from idp.prove import contexts, verbs
from idp.prove.attempts import BAD, DENIED, Answer, Attacker, attacking
from idp.prove.database import Asks, asking
from idp.prove.promises import Group, Promise, Tally
from idp.prove.rows import Field, fields, tables
from idp.prove.target import Target

_PLANS = 5
"""Pairs of plans that are compared before they are said to differ."""
_FREE = {True: ("", "23505"), False: (DENIED,)}
"""Answers to a unique value of another tenant, where the runtime role may make rows and where not."""


@contextmanager
def _attack(target: Target) -> Iterator[tuple[Attacker, Asks]]:
    with ExitStack() as stack:
        attacker = stack.enter_context(attacking(target))
        yield attacker, stack.enter_context(asking(target))


def planted_rows(target: Target, tally: Tally) -> None:
    """Each canary sees its own row of every table, so that all other attempts have something to find."""
    with _attack(target) as (attacker, ask):
        for field in fields(target, tally, attacker, ask):
            for canary, identifier in ((field.a, field.ids.both), (field.b, field.ids.theirs)):
                seen = attacker.attempt(
                    f"SELECT 1 FROM {field.table.name} WHERE id = '{identifier}'", canary.context
                )
                tally.expect(
                    len(seen.rows) == 1, f"{field.table.name}: a canary does not see its own row ({seen})."
                )


def foreign_and_absent(target: Target, tally: Tally) -> None:
    """As A, every verb against B's rows: nothing, and the very answer that nobody's rows get."""
    with _attack(target) as (attacker, ask):
        for field in fields(target, tally, attacker, ask):
            compare(field, tally, lambda statement: attacker.attempt(statement, target.a.context), "")


def compare(field: Field, tally: Tally, attempt: Callable[[str], Answer], when: str) -> None:
    """Every verb against B's row and against nobody's, both through `attempt`."""
    table, ids = field.table.name, field.ids
    for name, verb in verbs.VERBS.items():
        foreign = attempt(verb(field, field.b.id, ids.theirs))
        absent = attempt(verb(field, ids.absent, ids.absent))
        tally.expect(
            verbs.harmless(name, foreign), f"{table}: {name}{when} reaches another tenant: {foreign}."
        )
        alike = foreign.masked == absent.masked
        tally.expect(
            alike, f"{table}: {name}{when} tells another tenant's row ({foreign}) from nobody's ({absent})."
        )
    told = _plans_told(field, attempt)
    tally.expect(told is None, f"{table}: EXPLAIN ANALYZE{when} tells another tenant's row: {told}.")


def _plans_told(field: Field, attempt: Callable[[str], Answer]) -> str | None:
    """What the plan of B's row met and that of nobody's did not, each time of several; None where they are alike.

    Others write meanwhile: a real difference is there each time. Which way a plan takes is no matter, since Postgres
    chooses it by statistics over all tenants; how many rows it met on it is.
    """
    foreign = verbs.EXPLAINED(field, field.b.id, field.ids.theirs)
    absent = verbs.EXPLAINED(field, field.ids.absent, field.ids.absent)
    told = None
    for _ in range(_PLANS):
        one, other = _met(attempt(foreign)), _met(attempt(absent))
        if one == other:
            return None
        told = f"{one} / {other}"
    return told


_COUNTED = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck", "Heap Fetches")


def _met(answer: Answer) -> dict[str, float] | str:
    """How many rows the steps of a plan met and dropped, by kind; the error where there is no plan."""
    if answer.code:
        return f"{answer.code} {answer.masked[1]}"
    met = dict.fromkeys(_COUNTED, 0.0)
    steps = [answer.rows[0][0][0]["Plan"]]
    while steps:
        step = steps.pop()
        steps += step.get("Plans", ())
        for name in _COUNTED:
            met[name] += step.get(name, 0) * step.get("Actual Loops", 1)
    return met


def own_rows_alone(target: Target, tally: Tally) -> None:
    """Whole tables, copies, cursors and plans that were prepared for the other: each shows one tenant."""
    with _attack(target) as (attacker, ask):
        for field in fields(target, tally, attacker, ask):
            _whole_table(field, tally)
            _prepared(field, tally)


def _whole_table(field: Field, tally: Tally) -> None:
    table, key = field.table.name, field.table.key
    for statement in (
        f"SELECT DISTINCT {key}::text FROM {table}",
        f"DECLARE walk CURSOR FOR SELECT DISTINCT {key}::text FROM {table}; FETCH ALL walk",
        f"WITH every AS MATERIALIZED (SELECT * FROM {table}) SELECT DISTINCT {key}::text FROM every",
        f"SELECT max({key}::text) FROM {table} GROUP BY {key}",
    ):
        seen = field.attacker.attempt(statement, field.a.context)
        tally.expect(
            seen.rows == ((field.a.id,),),
            f"{table}: {statement.split()[0]} shows more than one's own: {seen}.",
        )
    copied = field.attacker.attempt(f"COPY {table} TO STDOUT", field.a.context)
    mine = not copied.code and all(
        field.a.id in str(row) and field.b.id not in str(row) for row in copied.rows
    )
    tally.expect(
        bool(mine and copied.rows), f"{table}: COPY shows more or less than one's own rows: {copied}."
    )


def _prepared(field: Field, tally: Tally) -> None:
    table, attacker = field.table.name, field.attacker
    attacker.keep(
        f"PREPARE canary_plan AS SELECT DISTINCT {field.table.key}::text FROM {table}", field.b.context
    )
    try:
        for canary in (field.b, field.a) * 4:  # a plan becomes a generic one at its sixth run
            seen = attacker.attempt("EXECUTE canary_plan", canary.context)
            tally.expect(
                seen.rows == ((canary.id,),), f"{table}: a prepared plan shows another tenant: {seen}."
            )
    finally:
        attacker.keep("DEALLOCATE canary_plan")


def bad_contexts(target: Target, tally: Tally) -> None:
    """Empty: nothing. Garbage, expired, forged in many ways: an error of its own, whatever is asked."""
    wrong = contexts.bad(target.a, target.b)
    with _attack(target) as (attacker, ask):
        for field in fields(target, tally, attacker, ask):
            _each_verb(field, tally, "empty", "", (DENIED, ""))
            for kind, context in wrong.items():
                if kind in contexts.WITH_EVERY_VERB:
                    _each_verb(field, tally, kind, context, (DENIED, "0A000", *BAD))
                _read_and_insert(field, tally, kind, context)


def _each_verb(field: Field, tally: Tally, kind: str, context: str, codes: tuple[str, ...]) -> None:
    for name, verb in verbs.VERBS.items():
        answer = field.attacker.attempt(verb(field, field.b.id, field.ids.theirs), context)
        holds = verbs.harmless(name, answer) and answer.code in (*codes, "0A000")
        tally.expect(
            holds, f"{field.table.name}: {name} with a context that is {kind} is not refused: {answer}."
        )


def _read_and_insert(field: Field, tally: Tally, kind: str, context: str) -> None:
    wanted = "IDP01" if kind == "expired" else "IDP02"
    seen = field.attacker.attempt(f"SELECT 1 FROM {field.table.name} LIMIT 1", context)
    tally.expect(seen.code == wanted, f"{field.table.name}: a context that is {kind} is no {wanted}: {seen}.")
    made = field.attacker.attempt(field.insert(field.b.id, field.ids.absent), context)
    tally.expect(
        made.code in (DENIED, *BAD), f"{field.table.name}: a context that is {kind} makes a row: {made}."
    )


def replayed(target: Target, tally: Tally) -> None:
    """A context that is in use in one session opens the same tenant elsewhere and no other, until it ends."""
    with _attack(target) as (attacker, ask), attacking(target) as first:
        first.begin()
        first.keep("SELECT ctx.tenant()", target.a.context)
        for field in fields(target, tally, attacker, ask):
            compare(
                field,
                tally,
                lambda statement: attacker.attempt(statement, target.a.context),
                " in a second session",
            )
            for canary in (target.a, target.b):
                seen = attacker.attempt(f"SELECT 1 FROM {field.table.name}", canary.expired)
                tally.expect(
                    seen.code == "IDP01", f"{field.table.name}: an ended context still opens: {seen}."
                )
        first.end()


def after_an_exception(target: Target, tally: Tally) -> None:
    """B's context inside a savepoint that failed is gone: what follows is A again."""
    with _attack(target) as (attacker, ask):
        for field in fields(target, tally, attacker, ask):
            attacker.keep("SELECT ctx.tenant()", target.a.context)
            failed = attacker.keep("SELECT 1 / 0", target.b.context)
            tally.expect(failed.code == "22012", f"a division by zero answers {failed}.")
            compare(field, tally, attacker.attempt, " after an exception")


def probes(target: Target, tally: Tally) -> None:
    """A reference to B's row fails like one to nobody's, and B's unique values are free for A."""
    with _attack(target) as (attacker, ask):
        for field in fields(target, tally, attacker, ask):
            _references(field, tally)
            _uniques(field, tally)


def _references(field: Field, tally: Tally) -> None:
    ids = field.ids
    for column in field.table.references:
        given = {each.name: f"'{ids.both}'" for each in field.table.references if each.required}
        answers = []
        for wanted in (ids.theirs, ids.absent):
            names, values = field.table.row(field.a.id, ids.made, **{**given, column.name: f"'{wanted}'"})
            insert = f"INSERT INTO {field.table.name} ({names}) VALUES ({values})"
            answers.append(field.attacker.attempt(insert, field.a.context))
        alike = answers[0].masked == answers[1].masked and answers[0].code != ""
        tally.expect(
            alike,
            f"{field.table.name}.{column.name} tells another tenant's row: {answers[0]} / {answers[1]}.",
        )


def _uniques(field: Field, tally: Tally) -> None:
    ids = field.ids
    answers = []
    for row in (ids.theirs, ids.absent):
        parents = {each.name: f"'{ids.both}'" for each in field.table.references
                   if each.required or each.name in field.optional}  # fmt: skip
        names, values = field.table.row(field.a.id, row, field.optional, **parents)
        insert = f"INSERT INTO {field.table.name} ({names}) VALUES ({values})"
        answers.append(field.attacker.attempt(insert, field.a.context))
    alike = answers[0].masked == answers[1].masked and answers[0].code in _FREE[field.table.planted]
    tally.expect(
        alike, f"{field.table.name}: a value that another tenant has is taken: {answers[0]} / {answers[1]}."
    )


def no_way_out(target: Target, tally: Tally) -> None:
    """The runtime role becomes nobody else, makes nothing, changes no table, reads no key and no file."""
    with _attack(target) as (attacker, ask):
        names = list(tables(ask))
        attacker.begin()
        for table in names:
            for template in verbs.OWNERS:
                _refused(attacker, tally, template.format(t=table), target)
        for statement in verbs.ESCAPES:
            _refused(attacker, tally, statement.replace("{mine}", target.a.id).replace("{{}}", "{}"), target)
        attacker.end()


def _refused(attacker: Attacker, tally: Tally, statement: str, target: Target) -> None:
    answer = attacker.attempt(statement, target.a.context)
    tally.expect(answer.code in (DENIED, *verbs.CLOSED), f"the runtime role may {statement}: {answer}.")


_GROUP = Group.RUNTIME_ROLE
PROMISES = (
    Promise(
        "planted_rows", _GROUP, "Both canaries have rows in every table that holds tenants' rows.",
        "Rows are generated from the catalogue and inserted as the runtime role under each canary's own context; "
        "nothing of it is committed.", planted_rows,
    ),
    Promise(
        "foreign_looks_absent", _GROUP, "No statement reaches another tenant's row, or tells it from nobody's.",
        f"Every table, {len(verbs.VERBS)} verbs and EXPLAIN ANALYZE: once against the other canary, once against what "
        "does not exist; the answers are compared.", foreign_and_absent,
    ),
    Promise(
        "own_rows_alone", _GROUP, "Whole tables, copies, cursors and prepared plans show one's own rows alone.",
        "Every table is read whole in five ways, and one plan is run in turns by both until it is a generic one.",
        own_rows_alone,
    ),
    Promise(
        "bad_contexts", _GROUP, "A context that is empty, garbage, expired or forged opens nothing.",
        f"Every table, {len(verbs.VERBS)} verbs with one of each kind; reading and inserting with a dozen forgeries.",
        bad_contexts,
    ),
    Promise(
        "replayed_contexts", _GROUP, "A context that is used again elsewhere opens its own tenant, until it ends.",
        "Every verb on every table in a second session, with a context that is in use in the first.", replayed,
    ),
    Promise(
        "after_an_exception", _GROUP, "An error leaves no other tenant's context behind.",
        "The other canary's context is set in a savepoint that fails; then every verb on every table.",
        after_an_exception,
    ),
    Promise(
        "no_oracle", _GROUP, "Neither a reference nor a unique value tells what another tenant has.",
        "Every reference of every table to the other canary's row and to nobody's; every unique value of the other.",
        probes,
    ),
    Promise(
        "no_way_out", _GROUP, "The runtime role becomes nobody else, changes no table, and reads no key and no file.",
        f"Everything that only an owner may do, on every table, and {len(verbs.ESCAPES)} ways to leave the role.",
        no_way_out,
    ),
)  # fmt: skip
