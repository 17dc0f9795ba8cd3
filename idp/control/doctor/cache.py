"""The addresses of Redis against the Redis that is there."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from idp.config import LOOPBACK, ConfigError
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import NotTried, World
from idp.embedded import theirs
from idp.errors import Busy
from idp.store import facts

_NAME = "IDP_REDIS_URL"


def _given(world: World) -> dict[str, str]:
    named = {_NAME: world.settings.redis_url, "IDP_REDIS_ADMIN_URL": world.settings.redis_admin_url}
    return {name: url for name, url in named.items() if url}


def logins(world: World) -> Iterator[Finding]:
    """Each address leads to a Redis that lets its user in."""
    if not world.settings.redis_url:
        yield error("redis.absent", "IDP_REDIS_URL is not set.", _NAME, "Name Redis or Valkey.")
    for name, url in _given(world).items():
        try:
            theirs.cache(name, url)
        except ConfigError as problem:
            yield error(
                "redis.login",
                f"{name} {problem.sentence}.",
                name,
                "Start that server, or mend host, port, user and password.",
            )


def addresses(world: World) -> Iterator[Finding]:
    """The runtime has a user of its own, and an encrypted way over a network."""
    for name, url in _given(world).items():
        parts = urlsplit(url)
        if parts.scheme == "redis" and parts.hostname not in LOOPBACK:
            yield warning(
                "redis.tls",
                f"{name} sends everything to {parts.hostname} in the clear.",
                name,
                "Write rediss://, unless the network between is yours alone.",
            )
    if (
        world.settings.redis_url
        and unquote(urlsplit(world.settings.redis_url).username or "default") == "default"
    ):
        yield warning(
            "redis.default_user",
            "IDP_REDIS_URL logs in as the default user, who may do anything.",
            _NAME,
            "Make the user idp_app with the ACL of deploy/valkey/start.sh.",
        )


def server(world: World) -> Iterator[Finding]:
    """What the runtime's user finds: no eviction, no powers, and the same server as operators."""
    url, admin = world.settings.redis_url, world.settings.redis_admin_url
    try:
        info = facts.redis_info(url)
        powers, everywhere = (
            facts.redis_allows(url, "CONFIG", "GET", "maxmemory"),
            facts.redis_allows(url, "GET", "doctor"),
        )
        other = facts.redis_info(admin).get("run_id") if admin else info.get("run_id")
    except Busy:
        raise NotTried("Redis does not answer, or refuses the login.") from None
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        yield error(
            "redis.eviction",
            f"A full Redis throws away codes and counters (maxmemory-policy {policy}).",
            "redis.conf",
            "Set maxmemory-policy noeviction.",
        )
    if powers:
        yield warning(
            "redis.powers",
            "The runtime's user may configure Redis.",
            "redis.conf",
            "Give the user the ACL of deploy/valkey/start.sh: -@admin -@dangerous +info.",
        )
    if everywhere:
        yield warning(
            "redis.keys",
            "The runtime's user reaches keys of others.",
            "redis.conf",
            "Give the user the ACL of deploy/valkey/start.sh: ~idp:* alone.",
        )
    if other != info.get("run_id"):
        yield error(
            "redis.other_server",
            "IDP_REDIS_ADMIN_URL leads to another Redis than IDP_REDIS_URL.",
            "IDP_REDIS_ADMIN_URL",
            "Let both name the same server.",
        )


EXAMINATIONS = (
    Examination("redis.logins", "Redis answers", logins),
    Examination("redis.addresses", "Users and encryption of Redis", addresses),
    Examination("redis.server", "What the runtime's user finds", server),
)
