"""Security: what a server must not start with, and what has gone stale. Needs no running server."""

import datetime as dt
from functools import partial
from urllib.parse import unquote, urlsplit

from idp import __version__, clock
from idp.config import LOOPBACK, ConfigError, Settings
from idp.control import exposure, proofs
from idp.control.exposure import Trust
from idp.control.readiness import demonstration, libraries
from idp.control.readiness.check import Check as AnyCheck
from idp.control.readiness.check import Gate, Level, Seen, Stops, absent, bad, good, judged
from idp.control.readiness.infrastructure import need_schema
from idp.control.readiness.world import World
from idp.embedded.folder import Folder
from idp.prove import catalogue
from idp.prove import database as bare
from idp.prove.look import Look
from idp.signing import ring
from idp.store import revision, safety
from idp.store.durable import tenants

PROOF_AGE = dt.timedelta(days=7)
"""How old the last proof of isolation may be."""
_DEFAULTS = frozenset(
    {"postgres", "password", "changeme", "change-me", "secret", "idp", "redis", "admin", "test"}
)
_NAMED = ("ops_database_url", "migrator_database_url", "admin_database_url", "backup_database_url")


def https(world: World) -> Seen:
    """Whether cookies may demand https: then they carry `__Host-` and Secure."""
    if world.settings.secure:
        return good("https: cookies are __Host- and Secure")
    return bad("IDP_BASE_URL is http.", mild=not world.production)


def passwords(world: World) -> Seen:
    """Whether servers have passwords of their own."""
    for field in ("database_url", "redis_url"):
        parts = urlsplit(getattr(world.settings, field))
        given = unquote(parts.password or "")
        if given and (given.lower() in _DEFAULTS or given == unquote(parts.username or "")):
            words = f"The password in IDP_{field.upper()} is one that everybody knows."
            return bad(words, mild=not world.production)
    return good()


def embedded(world: World) -> Seen:
    """Whether a production uses servers that `idp up` made."""
    if not world.production:
        return absent("development")
    state = Folder(world.settings.home, world.settings.keys).state()
    for name, url in (("postgres", world.settings.database_url), ("redis", world.settings.redis_url)):
        port = state.get(f"{name}_port")
        if port is not None and f"@127.0.0.1:{port}/" in url:
            return bad(f"The embedded {name} is for development alone, and IDP_ENV is production.")
    return good()


def development(world: World) -> Seen:
    """Whether a development is out of everybody's reach."""
    if world.production:
        return good("production")
    host = urlsplit(world.settings.base_url).hostname
    return judged("" if host in LOOPBACK else f"IDP_ENV is development on {host}.", "development on loopback")


def demo(world: World) -> Seen:
    """Whether people of the demonstration can sign in to a production."""
    if not world.production:
        return absent("development")
    need_schema(world)
    who = demonstration.present()
    return judged(f"{who} can sign in with the password of the demonstration." if who else "")


def debug(world: World) -> Seen:
    """Whether a production tells more in its logs than it should."""
    if not world.production:
        return absent("development")
    return judged(
        "IDP_LOG_LEVEL is DEBUG." if world.settings.log_level == "DEBUG" else "", world.settings.log_level
    )


def ring_is_private(world: World) -> Seen:
    """Whether the ring is there, and nobody else may read or replace it."""
    settings = world.settings
    try:
        if not ring.exists(settings):
            return bad("There is no key ring.")
    except ConfigError as problem:
        return bad(f"{problem}.")
    if settings.key_ring:
        return good("from the environment")
    return judged(_open_to_others(settings), str(settings.keys))


def _open_to_others(settings: Settings) -> str:
    for exposed in exposure.of_keys(settings.keys):
        return f"Others may {'replace what is in' if exposed.folder else 'read'} {exposed.path}."
    return ""


def ring_opens(world: World) -> Seen:
    """Whether the ring's keys can be had."""
    try:
        keys = ring.load(world.settings).keys
    except ConfigError as problem:
        return bad(f"{problem}.")
    return good(f"{len(keys)} key{'s' if len(keys) > 1 else ''}")


def role(world: World) -> Seen:
    """Whether the runtime role is bound by row security."""
    world.postgres()
    return judged(safety.powers(), "idp_app")


def forced(world: World) -> Seen:
    """Whether row security binds the owner too, in every table of tenants' rows."""
    world.postgres()
    return judged(safety.unforced())


def role_settings(world: World) -> Seen:
    """Whether the runtime role has the settings that it was made with and no others."""
    world.postgres()
    return judged(safety.settings())


def catalogue_holds(world: World) -> Seen:
    """Every rule that the proof reads in the catalogue, by the proof's own code."""
    need_schema(world)
    with bare.asking(world.settings.database_url) as ask:
        look = Look(ask)
        found = catalogue.findings(look)
    sentences = [f"{rule}: {sentence}" for rule, each in found.items() for sentence in each]
    if sentences:
        more = f" And {len(sentences) - 1} more." if len(sentences) > 1 else ""
        return bad(f"{sentences[0].rstrip('.')}.{more}")
    return good(
        f"{look.tally.tried} facts" + (f", {len(look.tally.notes)} hidden" if look.tally.notes else "")
    )


def proof_holds(world: World) -> Seen:
    """What the last whole proof of isolation found."""
    last = _last_proof(world)
    if last is None:
        return bad("Isolation has never been proved here.", mild=world.loopback)
    return judged(
        "" if last.holds else f"The last proof was broken: {', '.join(last.broken[:3])}.", "every promise"
    )


def proof_fresh(world: World) -> Seen:
    """Whether the last proof is of this release, of this schema and of this week."""
    last = _last_proof(world)
    if last is None:
        return absent("there is no proof")
    if last.version != __version__ or last.schema != revision.head():
        return bad(f"The last proof is of {last.version} at {last.schema}.")
    days = last.age / dt.timedelta(days=1)
    return judged(
        f"The last proof is {days:.0f} days old." if last.age > PROOF_AGE else "", f"{days:.1f} days old"
    )


def _last_proof(world: World) -> proofs.Last | None:
    need_schema(world)
    return world.once("proof", proofs.last)


def every_tenant_signs(world: World) -> Seen:
    """Whether each active tenant has a key to sign with."""
    need_schema(world)
    missing = tenants.keyless(clock.now())
    return judged(f"Tenant {missing} has no signing key." if missing else "")


def keys_follow(world: World) -> Seen:
    """Whether each active key has a published successor."""
    behind = _behind(world)
    lonely = behind is not None and behind.lonely
    return judged(f"Tenant {behind.slug} has no next {behind.alg} key." if lonely and behind else "")


def keys_fresh(world: World) -> Seen:
    """Whether keys are replaced when their policy says."""
    behind = _behind(world)
    stale = behind is not None and not behind.lonely
    return judged(
        f"The {behind.alg} key of tenant {behind.slug} should be replaced." if stale and behind else ""
    )


def _behind(world: World) -> tenants.Behind | None:
    need_schema(world)
    return world.once("behind", lambda: tenants.keys_behind(clock.now()))


def proxies(world: World) -> Seen:
    """Whether forwarded headers count from proxies alone."""
    for text in world.settings.trusted_proxies:
        trust = exposure.proxy(text)
        if trust is Trust.NO_NETWORK:
            return bad(f"{text} in IDP_TRUSTED_PROXIES is neither an address nor a network.")
        if trust is Trust.EVERYONE:
            return bad(f"IDP_TRUSTED_PROXIES holds {text}, which is half the world.")
    if world.settings.behind_proxy and not world.settings.trusted_proxies:
        return bad("IDP_TRUSTED_PROXIES is empty, so everybody has the proxy's address.", mild=True)
    return good(", ".join(world.settings.trusted_proxies) or "none")


def floors(world: World) -> Seen:
    """Whether the installed libraries are at least those that this release asks for."""
    del world
    old = libraries.below_floor()
    return judged(f"{', '.join(old)}." if old else "", f"{len(libraries.floors())} libraries")


def owners_urls(world: World) -> Seen:
    """Whether a server's environment has addresses that it has no use for."""
    named = [f"IDP_{name.upper()}" for name in _NAMED if getattr(world.settings, name)]
    return judged(
        f"{', '.join(named)} set in a server's environment, which has no use for it." if named else ""
    )


_DEPLOY, _START, _TRAFFIC, _LASTING = Stops.DEPLOY, Stops.START, Stops.TRAFFIC, Stops.LASTING
_POSTGRES = "IDP_DATABASE_URL"

Check = partial(AnyCheck, gate=Gate.SECURITY)

CHECKS = (
    Check("IDP-SEC-001", "The public address is https", "Over http everybody on the way reads passwords and cookies.",
          "Set IDP_BASE_URL to the https address; TLS ends at the proxy.", https,
          stops=(_DEPLOY, _START), setting="IDP_BASE_URL"),
    Check("IDP-SEC-002", "No password is a known one", "Default passwords are tried first.",
          "Set a password of its own, such as deploy/secrets.sh makes.", passwords,
          stops=(_DEPLOY, _START), setting=_POSTGRES),
    Check("IDP-SEC-003", "No embedded server in production", "They have neither backups nor a second disk.",
          "Name a Postgres and a Redis of its own in IDP_DATABASE_URL and IDP_REDIS_URL.", embedded,
          stops=(_DEPLOY, _START), setting="IDP_ENV"),
    Check("IDP-SEC-004", "Development is on loopback alone",
          "A development shows its errors, and people whose passwords are published.",
          "Set IDP_ENV to production.", development),
    Check("IDP-SEC-005", "Nobody of the demonstration is here", "Their passwords are published.",
          "Delete the demonstration's tenants with idp tenant delete, or use another database.", demo,
          stops=(_DEPLOY, _START), setting=_POSTGRES),
    Check("IDP-SEC-006", "Debug logging is off", "It tells of each request more than its audit does.",
          "Set IDP_LOG_LEVEL to INFO.", debug),
    Check("IDP-SEC-007", "The key ring is there and private",
          "It seals every signing key and opens every tenant's rows.",
          "Restore it from its backup; chmod 700 its folder and 600 its files.", ring_is_private,
          stops=(_DEPLOY, _START, _TRAFFIC, _LASTING), setting="IDP_KEYS"),
    Check("IDP-SEC-008", "The key ring opens", "Without its keys nothing can be signed or read.",
          "Restore the ring that sealed this data, or mend the key service that it names.", ring_opens,
          stops=(_DEPLOY, _START), setting="IDP_KEYS"),
    Check("IDP-SEC-009", "The runtime role is bound by row security", "One missing filter would show everything.",
          "Log in as idp_app, which idp migrate --print-roles makes.", role,
          stops=(_DEPLOY, _START), setting=_POSTGRES),
    Check("IDP-SEC-010", "Every table forces row security", "Without force, whoever owns a table sees all of it.",
          "Run idp migrate; then ALTER TABLE … FORCE ROW LEVEL SECURITY where something was changed by hand.", forced,
          stops=(_DEPLOY, _START), setting=_POSTGRES),
    Check("IDP-SEC-011", "The runtime role has its settings alone",
          "A setting of a role weakens row security, or shows signed contexts to others.",
          "Take back what does not belong to it.", role_settings, stops=(_DEPLOY, _START), setting=_POSTGRES),
    Check("IDP-SEC-012", "The catalogue is what the wall needs", "A policy, a grant or a view is enough to open it.",
          "Undo what was changed by hand, or run idp migrate; idp prove --only catalogue shows everything.",
          catalogue_holds),
    Check("IDP-SEC-013", "The last proof of isolation holds", "One tenant that reaches another is the worst of all.",
          "Run idp prove, and mend what it names.", proof_holds),
    Check("IDP-SEC-014", "The proof is fresh", "What was proved of another release says little of this one.",
          "Run idp prove.", proof_fresh, mild=True),
    Check("IDP-SEC-015", "Every active tenant can sign", "A tenant without a key cannot issue a token.",
          "Run idp worker --once, and look at its log.", every_tenant_signs, stops=(_DEPLOY, _TRAFFIC)),
    Check("IDP-SEC-016", "Every key has a published successor",
          "Relying parties that keep a key set would refuse a key that they have never seen.",
          "Start idp worker, or run idp keys rotate --tenant SLUG.", keys_follow),
    Check("IDP-SEC-017", "Keys are replaced in time", "A key that signs for long is worth more to whoever steals it.",
          "Start idp worker, or run idp keys rotate --tenant SLUG.", keys_fresh, mild=True),
    Check("IDP-SEC-018", "Only proxies say who asks",
          "Whoever is trusted says who asks, and by which host.",
          "Set IDP_TRUSTED_PROXIES to the proxies' own addresses.", proxies),
    Check("IDP-SEC-019", "The libraries are recent enough", "Older ones have known holes.",
          "Install requirements/image.txt again.", floors),
    Check("IDP-SEC-020", "A server has no owner's address", "What a server does not know cannot be stolen from it.",
          "Leave it out of the environment of idp serve.", owners_urls, level=Level.WARN, stops=(_START,)),
)  # fmt: skip
