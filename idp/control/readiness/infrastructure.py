"""Infrastructure: Postgres, Redis, the worker, clocks and disks. Needs no running server."""

import shutil
import smtplib
import tempfile
from functools import partial
from pathlib import Path

from idp import clock, directory, upkeep
from idp.control.readiness.check import Check as AnyCheck
from idp.control.readiness.check import Gate, Level, Seen, Stops, absent, bad, good, judged
from idp.control.readiness.world import NotLooked, World
from idp.errors import Busy
from idp.mail import smtp
from idp.store import redis, revision, roles, safety
from idp.store.durable import tenants

WORKER = upkeep.WORKER
"""Name under which the worker says that it lives."""
ROOM = 0.8
"""Share of Redis' memory that may be in use."""
SLOW = 0.05
"""Seconds that Redis may take to answer."""
APART, FAR_APART = 10.0, 60.0
"""Seconds between two clocks that warn, and that are refused by whoever checks a token (rulings of time)."""
LAG = 120.0
"""Seconds that work may wait for the worker."""
LEAST_SHARE, LEAST_BYTES = 0.05, 5 * 2**30
"""A disk is full when less than both is free."""
_LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_KEPT = ("on", "remote_write", "remote_apply")


def postgres_answers(world: World) -> Seen:
    """Whether it answers at all."""
    try:
        return good(f"version {world.postgres().version}")
    except Busy:
        return bad("Postgres does not answer.")


def version(world: World) -> Seen:
    """Whether its version has no known hole in row security."""
    found = world.postgres().version
    return judged("" if safety.supported(found) else f"Postgres is {found}.", found)


def schema(world: World) -> Seen:
    """Whether this code runs on the schema that is there."""
    world.postgres()
    return world.once("schema", _schema)


def need_schema(world: World) -> None:
    """Raises NotLooked, Unavailable where tables cannot be read, because the schema is not this code's."""
    if not schema(world).holds:
        raise NotLooked("The schema is not this program's.")


def _schema() -> Seen:
    present, wanted = revision.present(), revision.head()
    if present is None:
        return bad("The database has no schema yet.")
    if present < wanted:
        return bad(f"The schema is at {present}, and this code needs {wanted}.")
    return judged(_outgrown(wanted), present)


def outgrown(world: World) -> Seen:
    """Whether the schema has gone on to where this code, which is older, cannot follow."""
    world.need_vault()
    return judged(_outgrown(revision.head()))


def _outgrown(wanted: str) -> str:
    oldest = revision.compatible_from()
    if oldest is None or wanted >= oldest:
        return ""
    return f"The schema is marked compatible with code from {oldest} on, and this code is at {wanted}."


def writable(world: World) -> Seen:
    """Whether it is the primary."""
    return judged("IDP_DATABASE_URL leads to a standby." if world.postgres().replica else "", "primary")


def limits(world: World) -> Seen:
    """Whether statements, locks and idle transactions end by themselves."""
    found, made = world.postgres().settings, roles.SETTINGS["idp_app"]
    for name in _LIMITS:
        if not 0 < _seconds(found[name]) <= _seconds(made[name]):
            return bad(f"{name} is {found[name]} for the runtime role, and should be {made[name]}.")
    return good(", ".join(found[name] for name in _LIMITS))


def _seconds(text: str) -> float:
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * _UNITS.get(text[len(number) :], 0.001)


def durable(world: World) -> Seen:
    """Whether what it has acknowledged outlives a crash."""
    found = world.postgres().settings
    off = [name for name in ("fsync", "full_page_writes") if found[name] != "on"]
    if found["synchronous_commit"] not in _KEPT:
        off.append("synchronous_commit")
    return judged(", ".join(f"{name} is {found[name]}" for name in off) + "." if off else "", "on disk")


def replication(world: World) -> Seen:
    """Whether a standby, where there is one, has what was acknowledged (F03)."""
    found = world.postgres()
    names = found.settings["synchronous_standby_names"]
    if names:
        return good(f"synchronous with {names}")
    if found.slots:
        return bad(f"Postgres has {found.slots} replication slots and no synchronous standby.")
    return bad("Postgres names no synchronous standby.", mild=True)


def directory_read(world: World) -> Seen:
    """Whether this process knows the tenants."""
    need_schema(world)
    return judged("" if directory.fresh() else "The directory of tenants has not been read.")


def redis_answers(world: World) -> Seen:
    """Whether it answers at all."""
    try:
        return good(world.redis().name)
    except Busy:
        return bad("Redis does not answer.")


def redis_version(world: World) -> Seen:
    """6.2 or later, or Valkey."""
    info = world.redis().info
    parts = str(info.get("redis_version", "0.0")).split(".")
    old = (int(parts[0]), int(parts[1])) < (6, 2)
    return judged(f"Redis is {info.get('redis_version')}." if old else "", world.redis().name)


def redis_writable(world: World) -> Seen:
    """Whether it is the primary."""
    role = str(world.redis().info.get("role", "?"))
    return judged("" if role == "master" else "IDP_REDIS_URL leads to a replica.", "primary")


def eviction(world: World) -> Seen:
    """Whether it refuses instead of forgetting."""
    policy = str(world.redis().info.get("maxmemory_policy", "?"))
    return judged("" if policy == "noeviction" else f"maxmemory-policy is {policy}.", policy)


def memory(world: World) -> Seen:
    """Whether there is room before it refuses."""
    info = world.redis().info
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not most:
        return bad("Redis has no maxmemory, so the machine's memory is its limit.", mild=True)
    share = f"{used / most:.0%} of {most // 2**20} MiB"
    return judged(f"Redis uses {share}." if used > ROOM * most else "", share)


def persistence(world: World) -> Seen:
    """Whether it manages to write what it was told to keep; a failed snapshot stops all writes (F13)."""
    info = world.redis().info
    failed = [name for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
              if info.get(name, "ok") != "ok"]  # fmt: skip
    kept = "append-only file" if info.get("aof_enabled") else "no append-only file"
    return judged(f"Redis could not write its data: {', '.join(failed)}." if failed else "", kept)


def latency(world: World) -> Seen:
    """Whether it answers fast."""
    took = f"{world.redis().latency * 1000:.1f} ms"
    return judged(f"Redis takes {took} to answer." if world.redis().latency > SLOW else "", took)


def clocks(world: World) -> Seen:
    """Whether this machine, Postgres and Redis agree on the time."""
    apart = {"Postgres": world.postgres().offset, "Redis": world.redis().offset}
    apart["Redis and Postgres"] = apart["Redis"] - apart["Postgres"]
    name, most = max(apart.items(), key=lambda each: abs(each[1]))
    if abs(most) <= APART:
        return good(f"within {abs(most):.1f} s")
    whose = "The clocks of" if " and " in name else "The clocks of this machine and"
    return bad(f"{whose} {name} are {abs(most):.0f} s apart.", mild=abs(most) <= FAR_APART)


def disks(world: World) -> Seen:
    """Whether this machine's folders have room; what Postgres writes on elsewhere is not seen from here."""
    folders = {place for place in (world.settings.home, Path(tempfile.gettempdir())) if place.is_dir()}
    rooms = {place: shutil.disk_usage(place) for place in folders}
    full = [
        place
        for place, room in rooms.items()
        if room.free < LEAST_BYTES and room.free < LEAST_SHARE * room.total
    ]
    if full:
        return bad(f"{full[0]} has {rooms[full[0]].free // 2**20} MiB left.")
    least = min(room.free for room in rooms.values())
    return good(f"{least / 2**30:.1f} GiB free")


def worker(world: World) -> Seen:
    """Whether one says that it lives."""
    world.redis()
    return judged("" if redis.beats(WORKER) else "No worker is running.")


def lag(world: World) -> Seen:
    """How long the oldest work has waited."""
    need_schema(world)
    waited = tenants.lag(clock.now())
    words = f"{waited:.0f} s"
    return judged(f"Work has waited {words} for the worker." if waited > LAG else "", words)


def aligned(world: World) -> Seen:
    """Whether this environment is like the one whose fingerprint was given."""
    if world.against is None:
        return absent("no fingerprint was given: idp ready --against FILE")
    need_schema(world)
    from idp.control.alignment import differences, fingerprint  # which only a command with a file needs
    from idp.control.alignment.levels import Level as Matters

    found = differences.between(fingerprint.taken(world.settings), world.against)
    matter = [each for each in found if each.level is not Matters.EXPECTED]
    if not matter:
        return good(f"{len(found)} expected differences")
    more = f", and {len(matter) - 1} more differences matter" if len(matter) > 1 else ""
    first = matter[0]
    return bad(f"{first.path} is {first.here!s:.60} here and {first.there!s:.60} there{more}. {first.why}")


def mail_server(world: World) -> Seen:
    """Whether messages can be handed to the mail server: it answers, encrypts, and takes the sign-in."""
    settings = world.settings
    if settings.smtp_url is None:
        return absent("development") if settings.development else bad("IDP_SMTP_URL is not set.")
    try:
        with smtp.connected(settings.smtp_url, settings.outbound_ca) as server:
            server.noop()
    except (OSError, smtplib.SMTPException) as problem:
        return bad(f"The mail server cannot be used: {type(problem).__name__}.")
    return good("it answers")


_DEPLOY, _START, _TRAFFIC, _LASTING = Stops.DEPLOY, Stops.START, Stops.TRAFFIC, Stops.LASTING
_POSTGRES = "IDP_DATABASE_URL"
_SUPPORTED = "16.14, 17.10, 18.4 or later of each"

Check = partial(AnyCheck, gate=Gate.INFRASTRUCTURE)

CHECKS = (
    Check("IDP-INF-001", "Postgres answers", "Everything that must not be lost is in Postgres.",
          "Start it, or mend IDP_DATABASE_URL.", postgres_answers,
          stops=(_DEPLOY, _START, _TRAFFIC), setting=_POSTGRES),
    Check("IDP-INF-002", "Postgres is a safe version", "Older versions have known holes in row security.",
          f"Upgrade it to {_SUPPORTED}.", version, stops=(_DEPLOY, _START), setting=_POSTGRES),
    Check("IDP-INF-003", "The schema is this program's", "Code on a schema that it does not know fails in the middle.",
          "Run idp migrate of this release.", schema, stops=(_DEPLOY, _START, _TRAFFIC), setting=_POSTGRES),
    Check("IDP-INF-004", "The schema has not outgrown this program",
          "A later migration has taken something away that this code needs.",
          "Replace this process with the release that the schema belongs to.", outgrown, stops=(_LASTING,)),
    Check("IDP-INF-005", "Postgres can be written", "A standby answers reads and refuses every sign-in.",
          "Name the primary, or several hosts with target_session_attrs=read-write.", writable),
    Check("IDP-INF-006", "Waits in Postgres end", "One lock would else hold every connection there is.",
          "Run the SQL that idp migrate --print-roles prints.", limits),
    Check("IDP-INF-007", "Postgres keeps what it acknowledged",
          "A crash would else bring back tokens that were revoked and codes that were used.",
          "Set fsync, full_page_writes and synchronous_commit to on.", durable),
    Check("IDP-INF-008", "A standby has what was acknowledged",
          "After a failover to an asynchronous standby, what was revoked may be valid again.",
          "Name a standby in synchronous_standby_names.", replication, mild=True),
    Check("IDP-INF-009", "The directory has been read", "A process that knows no tenant answers 404 to all of them.",
          "Wait, or look at what its log says of Postgres.", directory_read, stops=(_TRAFFIC,)),
    Check("IDP-INF-010", "Redis answers", "Sign-ins that are under way and codes are in Redis.",
          "Start it, or mend IDP_REDIS_URL.", redis_answers, stops=(_DEPLOY, _TRAFFIC)),
    Check("IDP-INF-011", "Redis is a known version", "Older ones lack GETDEL, which burns a code in one step.",
          "Upgrade it to Redis 6.2 or later, or to Valkey.", redis_version),
    Check("IDP-INF-012", "Redis can be written", "A replica refuses every sign-in.",
          "Name the primary, or the Sentinels that know it.", redis_writable),
    Check("IDP-INF-013", "Redis forgets nothing in silence",
          "Another eviction policy throws sessions, counters and replay marks away when memory is short.",
          "Set maxmemory-policy to noeviction, in a Redis of its own.", eviction),
    Check("IDP-INF-014", "Redis has memory left", "A full Redis refuses what it is asked to keep.",
          "Raise maxmemory, or find who else writes to it.", memory),
    Check("IDP-INF-015", "Redis writes what it should keep", "A Redis whose snapshot failed refuses every write.",
          "Look at its log and its disk.", persistence),
    Check("IDP-INF-016", "Redis is fast", "Each request asks it several times.",
          "Look for a slow network, a swapping machine, or a neighbour that runs KEYS.", latency, level=Level.WARN),
    Check("IDP-INF-017", "The clocks agree", "Whoever checks a token refuses one from the future.",
          "Let every machine take its time from the same NTP servers.", clocks),
    Check("IDP-INF-018", "The disks have room", "A process that cannot write its files ends.",
          "Make room, or give the folder a larger disk.", disks, mild=True),
    Check("IDP-INF-019", "A worker runs", "Rotation of keys, seals of the audit and repeated deletes are its work.",
          "Start idp worker.", worker, stops=(_DEPLOY, _TRAFFIC)),
    Check("IDP-INF-020", "The worker keeps up", "What was ended may live on in Redis until its delete is repeated.",
          "Look for job.failed in its log, or start another one.", lag, mild=True),
    Check("IDP-INF-021", "The environment is the tested one",
          "What was tested elsewhere was tested with other versions and rules.",
          "Change what idp align --against FILE names, here or there.", aligned),
    Check("IDP-INF-022", "Mail can be sent", "People who forgot their password wait for a message that never comes.",
          "Set IDP_SMTP_URL and IDP_MAIL_FROM, or mend what they name.", mail_server, level=Level.WARN),
)  # fmt: skip
