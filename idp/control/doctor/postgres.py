"""The addresses of Postgres against the Postgres that is there."""

from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

from idp.config import LOOPBACK, ConfigError
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import NotTried, World
from idp.embedded import theirs
from idp.store import observed, revision, safety

_ROLES = {"database_url": "idp_app", "ops_database_url": "idp_ops", "migrator_database_url": "idp_migrator"}
_VERIFIES = ("verify-ca", "verify-full")


def _given(world: World) -> dict[str, str]:
    """The addresses that are set, by the name of their setting."""
    found = {name: getattr(world.settings, name) for name in _ROLES}
    return {f"IDP_{name.upper()}": url for name, url in found.items() if url}


def logins(world: World) -> Iterator[Finding]:
    """Each address leads to a Postgres that lets its role in."""
    if "IDP_DATABASE_URL" not in _given(world):
        yield error(
            "postgres.absent",
            "IDP_DATABASE_URL is not set.",
            "IDP_DATABASE_URL",
            "Name Postgres, logging in as idp_app.",
        )
    for name, url in _given(world).items():
        try:
            theirs.postgres(name, url)
        except ConfigError as problem:
            yield error(
                "postgres.login",
                f"{name} {problem.sentence}.",
                name,
                "Start that server, or mend host, port, name and password.",
            )


def roles(world: World) -> Iterator[Finding]:
    """Each address logs in as the role that it is for, into the same database."""
    names = {}
    for name, url in _given(world).items():
        parts, wanted = urlsplit(url), _ROLES[name.removeprefix("IDP_").lower()]
        user = unquote(parts.username or "")
        names[name] = unquote(parts.path.lstrip("/"))
        if user in _ROLES.values() and user != wanted:
            yield error(
                "postgres.role",
                f"{name} logs in as {user}, and is for {wanted}.",
                name,
                f"Let it log in as {wanted}.",
            )
    first = names.get("IDP_DATABASE_URL")
    for name, database in names.items():
        if first is not None and database != first:
            yield error(
                "postgres.database",
                f"{name} leads to the database {database}, and IDP_DATABASE_URL to {first}.",
                name,
                "Let both name the same database.",
            )


def tls(world: World) -> Iterator[Finding]:
    """Over a network the connection is encrypted, and the server's certificate verified."""
    for name, url in _given(world).items():
        parts = urlsplit(url)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        host = parts.hostname or query.get("host", "")
        mode = query.get("sslmode", "prefer")
        if not host or host.startswith("/") or host in LOOPBACK or mode in _VERIFIES:
            continue
        if mode == "require":
            yield warning(
                "postgres.tls_unverified",
                f"{name} encrypts, but takes any server for Postgres (sslmode={mode}).",
                name,
                "Add sslmode=verify-full and sslrootcert to the URL.",
            )
        else:
            yield warning(
                "postgres.tls",
                f"{name} may send everything to {host} in the clear (sslmode={mode}).",
                name,
                "Add sslmode=verify-full to the URL, unless the network between is yours alone.",
            )


def server(world: World) -> Iterator[Finding]:
    """What the runtime role finds: a version, a schema, walls, and no powers."""
    world.vault()
    name, seen = "IDP_DATABASE_URL", observed.postgres()
    if not safety.supported(seen.version):
        yield error(
            "postgres.version",
            f"PostgreSQL {seen.version} is too old to keep tenants apart safely.",
            name,
            "Upgrade to 16.14, 17.10, 18.4 or later.",
        )
    if seen.replica:
        yield error(
            "postgres.replica",
            "IDP_DATABASE_URL leads to a standby, which takes no writes.",
            name,
            "Name the primary, or add target_session_attrs=read-write.",
        )
    present, wanted = revision.present(), revision.head()
    if present is None or present < wanted:
        yield error(
            "postgres.schema",
            f"The schema is at {present or 'nothing'}, and this code needs {wanted}.",
            name,
            "Run idp migrate.",
        )
        return
    for code, sentence in (
        ("postgres.powers", safety.powers()),
        ("postgres.wall", safety.unforced()),
        ("postgres.settings", safety.settings()),
    ):
        if sentence:
            cause, _, change = sentence.partition("; ")
            yield error(code, f"IDP_DATABASE_URL {cause}.", name, f"{change[:1].upper()}{change[1:]}.")


def reached(world: World) -> None:
    """Raises NotTried where nobody lets us in."""
    for name, url in _given(world).items():
        if name == "IDP_DATABASE_URL":
            try:
                theirs.postgres(name, url)
            except ConfigError as problem:
                raise NotTried(f"Postgres cannot be asked: {name} {problem.sentence}.") from None
            return
    raise NotTried("Postgres cannot be asked: IDP_DATABASE_URL is not set.")


EXAMINATIONS = (
    Examination("postgres.logins", "Postgres answers", logins),
    Examination("postgres.roles", "Roles and database", roles),
    Examination("postgres.tls", "Encryption to Postgres", tls),
    Examination("postgres.server", "What the runtime role finds", server),
)
