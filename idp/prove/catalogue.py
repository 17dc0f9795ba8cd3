"""The catalogue as promises: each rule about `pg_catalog` a sentence, read as the runtime role.

`idp_app` suffices: what a proof has to see of the catalogue every role may read. What a service hides or keeps
for itself becomes a note.
"""

from collections.abc import Callable

from idp.prove import catalogue_roles as roles
from idp.prove import catalogue_tables as tables
from idp.prove.database import asking
from idp.prove.look import Look
from idp.prove.promises import Group, Promise, Tally
from idp.prove.target import Target

Rule = Callable[[Look], list[str]]

_SENTENCES: dict[Rule, str] = {
    tables.relations: "Every table is of a known class; no view, partition, sequence or foreign table leads past one.",
    tables.row_security: "Row security is on, and forced on its owner, in every table that holds a tenant's rows.",
    tables.policies: "Each table has exactly the canonical policies, word for word.",
    tables.columns: "Every row names its tenant, and Postgres never fills that name in.",
    tables.constraints: "Keys begin with the tenant, and no reference leaves its tenant.",
    tables.indexes: "Every index begins with the tenant, so that neither an error nor a duration tells of others.",
    tables.privileges: "Each role may do to each table exactly what is declared; nobody moves a row to another tenant.",
    roles.schemas: "Each schema is known, and nobody but its owner makes anything in it.",
    roles.functions: "Every function is known by its whole body; none that runs with its owner's rights can bypass.",
    roles.triggers: "No trigger or rule but those that tell the directory.",
    roles.roles: "Every role that can log in or own is known, with exactly its powers.",
    roles.memberships: "Nobody can become anybody else, but the migrator an owner.",
    roles.role_settings: "Each role has exactly its settings; none weakens row security or shows its statements.",
    roles.defaults_for_new_things: "What is made later is granted to nobody by default.",
    roles.database: "Only known roles connect, and none of them makes temporary tables.",
    roles.extras: "Nothing is there that crosses tenants by its nature, such as a publication or a large object.",
    roles.builtins: "Nobody may do more to what is Postgres' own than it allows by itself, and none of it was changed.",
    roles.blind: "The runtime role sees nothing of what others do, and reaches neither files nor other processes.",
    roles.server: "The server's version has no known hole in row security.",
}


def every_rule() -> dict[str, Rule]:
    """Each rule by its name."""
    return {rule.__name__: rule for rule in _SENTENCES}


def findings(look: Look) -> dict[str, list[str]]:
    """What is wrong, by rule; empty when nothing is."""
    found = {name: rule(look) for name, rule in every_rule().items()}
    return {name: sentences for name, sentences in found.items() if sentences}


def _probe(rule: Rule) -> Callable[[Target, Tally], None]:
    def probe(target: Target, tally: Tally) -> None:
        with asking(target) as ask:
            tally.found.extend(rule(Look(ask, tally)))

    return probe


# How each is tried is what its rule says of itself.
PROMISES = tuple(
    Promise(
        f"catalogue.{rule.__name__}", Group.CATALOGUE, sentence,
        str(rule.__doc__), _probe(rule),
    )
    for rule, sentence in _SENTENCES.items()
)  # fmt: skip
