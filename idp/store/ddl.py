"""What a statement of a migration locks, and whether it writes a table anew: read from its text, before it runs.

Rules in order, the first that fits counts (PostgreSQL, "ALTER TABLE", "Explicit Locking"). What fits none says so:
only a run on a copy (`idp migrate --check`) tells what such a statement does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Work(StrEnum):
    """What a statement has to do with the rows that are there."""

    NONE = "none"
    SCAN = "scan"
    BUILD = "index"
    REWRITE = "rewrite"
    ROWS = "rows"
    UNKNOWN = "unknown"


RATES = {Work.SCAN: 200e6, Work.BUILD: 40e6, Work.REWRITE: 30e6, Work.ROWS: 10e6}
"""Bytes of a table that each kind of work gets through in a second, on a slow disk; a guess, not a promise."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The lock that a statement takes on `table` (None: on nothing that is there), and its work."""

    lock: str | None
    table: str | None
    work: Work


_TABLE = r'(?:IF (?:NOT )?EXISTS )?(?:ONLY )?(?P<table>[\w."]+)'
_VOLATILE = r"DEFAULT\s+(?!now\(|current_timestamp|transaction_timestamp\()[\w.]+\s*\("
_ACCESS, _ROW_SHARE, _UPDATE = "ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"
_RULES: tuple[tuple[str, str | None, Work], ...] = (
    (r"CREATE (UNIQUE )?INDEX CONCURRENTLY .*?\bON " + _TABLE, _UPDATE, Work.BUILD),
    (r"CREATE (UNIQUE )?INDEX .*?\bON " + _TABLE, "SHARE", Work.BUILD),
    (rf"ALTER TABLE {_TABLE} .*ADD (COLUMN )?.*({_VOLATILE}|GENERATED|\bserial\b)", _ACCESS, Work.REWRITE),
    (rf"ALTER TABLE {_TABLE} .*ALTER (COLUMN )?\w+ (SET DATA )?TYPE", _ACCESS, Work.REWRITE),
    (rf"ALTER TABLE {_TABLE} .*(SET (UN)?LOGGED|SET ACCESS METHOD|SET TABLESPACE)", _ACCESS, Work.REWRITE),
    (rf"ALTER TABLE {_TABLE} .*VALIDATE CONSTRAINT", _UPDATE, Work.SCAN),
    (rf"ALTER TABLE {_TABLE} .*NOT VALID", _ROW_SHARE, Work.NONE),
    (rf"ALTER TABLE {_TABLE} .*(FOREIGN KEY|\bREFERENCES\b)", _ROW_SHARE, Work.SCAN),
    (rf"ALTER TABLE {_TABLE} .*ADD .*(PRIMARY KEY|UNIQUE)", _ACCESS, Work.BUILD),
    (rf"ALTER TABLE {_TABLE} .*(SET NOT NULL|ADD .*CHECK)", _ACCESS, Work.SCAN),
    (rf"ALTER TABLE {_TABLE}", _ACCESS, Work.NONE),
    (rf"(CREATE|ALTER|DROP) POLICY .*? ON {_TABLE}", _ACCESS, Work.NONE),
    (r"CREATE (CONSTRAINT )?TRIGGER .*? ON " + _TABLE, _ROW_SHARE, Work.NONE),
    (rf"DROP TRIGGER .*? ON {_TABLE}", _ACCESS, Work.NONE),
    (rf"(DROP TABLE|TRUNCATE( TABLE)?) {_TABLE}", _ACCESS, Work.NONE),
    (rf"DROP INDEX {_TABLE}", _ACCESS, Work.NONE),
    (rf"(CLUSTER|VACUUM FULL) {_TABLE}", _ACCESS, Work.REWRITE),
    (rf"(UPDATE|DELETE FROM|INSERT INTO) {_TABLE}", "ROW EXCLUSIVE", Work.ROWS),
    (rf"SELECT (public\.)?protect\('{_TABLE}'", _ACCESS, Work.NONE),
    (r"(SET|RESET|GRANT|REVOKE|COMMENT|BEGIN|COMMIT)\b", None, Work.NONE),
    (r"CREATE (TABLE|SCHEMA|TYPE|SEQUENCE|VIEW|(OR REPLACE )?(FUNCTION|PROCEDURE|VIEW))\b", None, Work.NONE),
    (r"(DROP|ALTER) (SCHEMA|TYPE|SEQUENCE|VIEW|FUNCTION|PROCEDURE|DEFAULT PRIVILEGES)\b", None, Work.NONE),
)
_COMPILED = tuple((re.compile(rule, re.I | re.S), lock, work) for rule, lock, work in _RULES)
_TOKEN = re.compile(
    r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|(?P<end>;)", re.S
)
_COMMENT = re.compile(r"\A(?:\s|--[^\n]*\n|/\*.*?\*/)+", re.S)


def statements(text: str) -> Iterator[str]:
    """The statements of a script, without their semicolons; those inside quotes end nothing."""
    begin = 0
    for token in _TOKEN.finditer(text):
        if token["end"]:
            yield from _bare(text[begin : token.start()])
            begin = token.end()
    yield from _bare(text[begin:])


def _bare(text: str) -> Iterator[str]:
    bare = _COMMENT.sub("", f"{text}\n").strip()
    if bare:
        yield bare


def effect(statement: str) -> Effect:
    """What a statement does, as far as its text tells."""
    for rule, lock, work in _COMPILED:
        found = rule.match(" ".join(statement.split()))
        if found:
            table = found.groupdict().get("table")
            return Effect(lock, table.replace('"', "") if table else None, work)
    return Effect(None, None, Work.UNKNOWN)


def seconds(work: Work, size: int) -> float:
    """A guess of how long `work` takes on a table of `size` bytes."""
    return size / RATES[work] if work in RATES else 0.0
