"""Who breaks what: each half of the mutants is a callable here."""

from idp.prove.mutants import Half
from idp.prove.mutants_server import verdicts as server
from idp.prove.mutants_sql import verdicts as sql

HALVES: tuple[Half, ...] = (sql, server)
