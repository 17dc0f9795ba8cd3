"""The whole proof in one piece on a hundred tables: over HTTP, SQL and Redis, and how long each group takes.

    .venv/bin/python -m benchmarks.proof [--tables 100]

A deployment of its own gets tables of tenants' rows until there are as many as asked for: uniques, a foreign key
to people, an index, the policy, like the product's own. They are named to the proof as known, as a later
version's would be; everything else is `idp prove` as it runs anywhere.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg2

from benchmarks.machine import CannotMeasure
from benchmarks.run import say
from benchmarks.target import ours
from idp.prove import allowed, catalogue_tables, run
from idp.prove.promises import NotProved
from idp.prove.target import Program

_MADE = (
    "CREATE TABLE many_{n} (tenant_id uuid NOT NULL, id uuid NOT NULL, owner_id uuid NOT NULL, name text NOT NULL, "
    "digest bytea NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, digest), "
    "FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE, "
    "FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE); "
    "CREATE INDEX many_{n}_owner ON many_{n} (tenant_id, owner_id); SELECT protect('many_{n}', 'update delete')"
)


def grow(owner_url: str, tables: int) -> list[str]:
    """Tables beside the product's own, until there are `tables`; their names."""
    missing = tables - len(allowed.TENANT) - len(allowed.CONTROL_PLANE)
    names = [f"many_{number}" for number in range(missing)]
    with closing(psycopg2.connect(owner_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE idp_owner")
        for number in range(missing):
            cursor.execute(_MADE.format(n=number))
    return names


def measured(home: Path, tables: int) -> run.Proof:
    """The proof of a running deployment at `home`, with `tables` tables. Raises NotProved."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    program = Program([sys.executable, "-m", "idp.cli", "--home", str(home)], environment)
    known = program.json("env", "--show-secrets")
    names = grow(known["owner_database_url"], tables)
    catalogue_tables.TENANT = {**allowed.TENANT, **dict.fromkeys(names, allowed.FULL)}
    return run.prove(program, (), say)


def told(proof: run.Proof, tables: int) -> str:
    """What took how long, and what was found."""
    seconds: defaultdict[str, float] = defaultdict(float)
    attempts: defaultdict[str, int] = defaultdict(int)
    for outcome in proof.outcomes:
        seconds[outcome.promise.group] += outcome.seconds
        attempts[outcome.promise.group] += outcome.tally.tried
    lines = [
        f"{group:<14} {attempts[group]:>8,} attempts {seconds[group]:>7.1f} s"
        for group in sorted(seconds, key=lambda name: -seconds[name])
    ]
    lines += [
        f"broken: {each.promise.code}: {each.tally.found[:3]}" for each in proof.outcomes if not each.kept
    ]
    total = sum(attempts.values())
    lines += ["", f"{tables} tables, {total:,} attempts, {proof.seconds:.1f} s in all"]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when every promise held, 1 when one did not, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.proof", description="The whole proof on many tables.")
    parser.add_argument("--tables", type=int, default=100)
    chosen = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="idp-proof-") as folder, ours(Path(folder)) as server:
            assert server.home is not None
            proof = measured(server.home, chosen.tables)
    except (CannotMeasure, NotProved) as problem:
        say(f"benchmarks.proof: {problem}")
        return 2
    print(told(proof, chosen.tables))
    return 0 if proof.kept else 1


if __name__ == "__main__":
    sys.exit(main())
