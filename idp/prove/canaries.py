"""Two throw-away tenants that share every name and no secret, made and removed by the public commands.

Whatever ends the proof, they are removed; what a killed proof left is swept by the next one, which knows it by
its slug. Passwords and secrets are random, and reach the commands through their environment.
"""

import json
import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from time import sleep
from typing import Any

from argon2 import PasswordHasher
from joserfc.jwk import ECKey
from redis import Redis
from redis.exceptions import RedisError

from idp.prove import clock
from idp.prove.promises import NotProved
from idp.prove.target import Canary, Program

PREFIX = "canary-"
CALLBACK = "http://127.0.0.1:9/callback"
"""Where the canaries' codes are sent; nobody listens there."""
API = "https://api.canary.example"
BRIEF = "https://brief.canary.example"
"""An API whose tokens live for BRIEF_SECONDS, so that a proof can hold one that has expired."""
BRIEF_SECONDS = 10
USERS = ("alice", "bob")
SPARE = tuple(f"spare-{number:02d}" for number in range(60))
"""People who have no second factor yet: each is used up by setting one up, or by a page on which that is done."""
SECRET_CLIENTS = ("web", "post", "asks", "service", "reader")
KEY_CLIENT = "signer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 section 3.4."""
CIBA = "urn:openid:params:grant-type:ciba"
"""CIBA Core 1.0 section 10.1."""
KEY_ID = "canary-key"
"""The `kid` that both tenants' KEY_CLIENT has; the keys differ."""
LIVES, OVER = 600, -60
"""Seconds for which the canaries' contexts are signed."""
SOON = 20.0
"""Seconds within which the worker has looked who asks for a code."""
UPSTREAM = "elsewhere"
"""The provider that both tenants trust under one name; nobody ever asks it anything."""
_ENOUGH = 1_000_000
_POLICY = {
    "account_failures": _ENOUGH, "address_failures": _ENOUGH, "client_failures": _ENOUGH,
    "unfinished_authorizations": _ENOUGH, "sign_ins_per_minute": _ENOUGH, "tokens_per_minute": _ENOUGH,
    "hash_seconds_per_minute": 100_000, "client_registration": "token", "registrations": _ENOUGH,
    "registered_clients": 100_000, "pushed_requests": _ENOUGH,
    "elsewhere_requests": _ENOUGH, "user_code_failures": _ENOUGH,
    "second_factor_failures": _ENOUGH, "second_factor_failures_daily": _ENOUGH, "recoveries": _ENOUGH,
    "reset_lifetime": 86_400, "registration": "open", "email_sign_in": "code_and_link", "email_codes": _ENOUGH,
    "email_codes_per_minute": _ENOUGH, "email_code_failures": _ENOUGH, "email_code_lifetime": 3_600, "mails": 1_000,
}  # fmt: skip


@dataclass(slots=True)
class Plan:
    """One canary before it is made: its secrets, and the names under which its commands find them."""

    slug: str
    passwords: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(24) for name in USERS}
    )
    secrets: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(32) for name in SECRET_CLIENTS}
    )
    """By client_id; once it is made, also of the one client whose name no other tenant has: the slug."""
    key: dict[str, Any] = field(
        default_factory=lambda: dict(
            ECKey.generate_key("P-256", {"kid": KEY_ID, "use": "sig", "alg": "ES256"}).as_dict(private=True)
        )
    )

    def __post_init__(self) -> None:
        """A client of a name of its own, so that a name can be tried elsewhere that only one tenant has."""
        self.secrets[self.slug] = secrets.token_urlsafe(32)

    def environment(self) -> dict[str, str]:
        """The secrets by the names under which `blueprint` refers to them."""
        return {self._name(name): value for name, value in {**self.passwords, **self.secrets}.items()}

    def blueprint(self) -> dict[str, Any]:
        """The tenant as `idp apply` takes it; but for its slug and secrets the same for every canary."""
        return {
            "slug": self.slug, "name": "Canary", "policy": _POLICY,
            "groups": [{"name": "staff", "groups": [{"name": "sales"}]}], "roles": ["buyer"],
            "clients": self._clients(), "apis": _apis(), "upstreams": [_upstream()],
            "users": [*(self._user(name) for name in USERS), *self._spare(), {"username": self.slug}],
        }  # fmt: skip

    def _name(self, name: str) -> str:
        return f"CANARY_{self.slug.rpartition('-')[2].upper()}_{name.upper().replace('-', '_')}"

    def _secret(self, name: str) -> dict[str, str]:
        return {"env": self._name(name)}

    def _user(self, name: str) -> dict[str, Any]:
        return {
            "username": name, "password": self._secret(name), "email": f"{name}@canary.example",
            "email_verified": name == "alice", "name": f"{name.title()} Canary", "groups": ["sales"],
            "roles": ["buyer"],
        }  # fmt: skip

    def _spare(self) -> list[dict[str, Any]]:
        """They share Alice's password and its hash, so that they cost one."""
        hashed = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(self.passwords["alice"])
        return [{"username": name, "password_hash": hashed} for name in SPARE]

    def _clients(self) -> list[dict[str, Any]]:
        codes = {
            "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token", DEVICE, CIBA], "require_consent": False,
            "scope": "openid profile email offline_access groups roles",
        }  # fmt: skip
        machine = {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_basic"}
        public = {name: value for name, value in self.key.items() if name != "d"}
        methods = {"web": "client_secret_basic", "post": "client_secret_post", "asks": "client_secret_basic"}
        return [
            *({"client_id": name, "client_secret": self._secret(name), "token_endpoint_auth_method": method, **codes,
               "require_consent": name == "asks"} for name, method in methods.items()),
            {"client_id": "spa", "token_endpoint_auth_method": "none", **codes,
             "grant_types": ["authorization_code", "refresh_token", DEVICE]},
            {"client_id": KEY_CLIENT, "token_endpoint_auth_method": "private_key_jwt", **codes,
             "token_endpoint_auth_signing_alg": "ES256", "jwks": {"keys": [public]},
             "grant_types": ["authorization_code", "refresh_token", "client_credentials", DEVICE, CIBA]},
            *({"client_id": name, "client_secret": self._secret(name), **machine} for name in ("service", "reader")),
            {"client_id": self.slug, "client_secret": self._secret(self.slug), **codes,
             "redirect_uris": [f"https://{self.slug}.example.com/callback", CALLBACK],
             "grant_types": ["authorization_code", "client_credentials"]},
        ]  # fmt: skip


def _apis() -> list[dict[str, Any]]:
    readers = ("web", "service", KEY_CLIENT)
    return [
        {
            "identifier": API, "name": "Orders", "scopes": {"orders.read": "Read your orders"},
            "introspected_by": ["reader"], "grants": [{"client_id": each, "scope": "orders.read"} for each in readers],
        },
        {
            "identifier": BRIEF, "name": "Brief", "scopes": {"brief.read": "Read for a moment"},
            "access_token_lifetime": BRIEF_SECONDS, "introspected_by": ["web", "reader"],
            "grants": [{"client_id": "service", "scope": "brief.read"}],
        },
    ]  # fmt: skip


def _upstream() -> dict[str, Any]:
    """One of before OpenID Connect: its endpoints are written down, so that the way to it needs nobody's answer."""
    base = "https://upstream.canary.example"
    endpoints = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    return {
        "name": UPSTREAM, "protocol": "oauth2", "issuer": base, "client_id": "canary", "display_name": "Elsewhere",
        "subject_claim": "id", "scopes": ["id"], **{name: f"{base}/{name}" for name in endpoints},
    }  # fmt: skip


class TwinRefused(Exception):
    """A tenant was refused because of what another one has: one sentence, the product's own."""


@contextmanager
def pair(program: Program, redis_url: str | None) -> Iterator[tuple[Canary, Canary]]:
    """Two canaries for the length of the block; the caller holds `database.alone`, so that all others are leftovers.

    Raises NotProved where they cannot be made or removed, TwinRefused where one is in the way of the other.
    """
    sweep(program, redis_url)
    run = secrets.token_hex(4)
    plans = [Plan(f"{PREFIX}{run}-{letter}") for letter in "ab"]
    try:
        a, b = _made(program, plans)
        yield a, b
    finally:
        with _undisturbed():
            sweep(program, redis_url)


def _made(program: Program, plans: Sequence[Plan]) -> tuple[Canary, Canary]:
    environment = dict(program.environment)
    for plan in plans:
        environment |= plan.environment()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        json.dump(
            {"tenants": [plan.blueprint() for plan in plans], "applications": [_application(plans)]}, file
        )
        file.flush()
        try:
            replace(program, environment=environment)("apply", file.name)
        except NotProved as refused:
            _alone(replace(program, environment=environment), plans, str(refused))
            raise
    slugs = [plan.slug for plan in plans]
    with ThreadPoolExecutor(max_workers=2) as beside:
        hosts = beside.map(lambda slug: program("tenant", "host", "add", slug, f"{slug}.example.net"), slugs)
        rows = beside.submit(found, program)
        begins = beside.map(
            lambda slug: program.json("registration", "issue", "--tenant", slug, "--any-number")[
                "initial_access_token"
            ],
            slugs,
        )
        sent = list(beside.map(lambda slug: _links(program, slug), slugs))
        signed = program.json("context", "sign", *slugs, "--lives", str(LIVES), "--lives", str(OVER))
        tenants = {row["slug"]: row for row in rows.result()}
        list(hosts)  # raises what failed
        initial, links = (dict(zip(slugs, each, strict=True)) for each in (begins, sent))
    a, b = (_canary(plan, tenants[plan.slug], signed, initial[plan.slug], links[plan.slug]) for plan in plans)
    a, b = (replace(each, waits=partial(_waits, program, each.slug)) for each in (a, b))
    return a, b


def _waits(program: Program, slug: str) -> dict[str, str]:
    """Code and link of Alice, whose sign-in by e-mail waits, as soon as the worker has looked who that is."""
    until = clock.elapsed() + SOON
    while True:
        try:
            shown = program.json("user", "send-code", USERS[0], "--tenant", slug, "--show-code")
            return {name: str(shown[name]) for name in ("code", "link")}
        except NotProved:
            if clock.elapsed() > until:
                raise
            sleep(0.2)


def _application(plans: Sequence[Plan]) -> dict[str, Any]:
    """One that the whole platform has, enabled for the pair: each has a row that operators wrote."""
    return {
        "client_id": plans[0].slug.rpartition("-")[0], "token_endpoint_auth_method": "none",
        "redirect_uris": ["https://application.canary.example/cb"], "tenants": [plan.slug for plan in plans],
    }  # fmt: skip


def _links(program: Program, slug: str) -> dict[str, str]:
    """A link of each kind that people are sent, by the path of its page below the issuer."""
    somebody, elsewhere = USERS[1], f"new-{USERS[1]}@canary.example"
    asked = {
        "/recover": ("send-reset", somebody),
        "/confirm": ("set-address", somebody, elsewhere),
        "/keep": ("leave", slug),
        "/join": ("invite", f"invited-{elsewhere}", "--role", "buyer", "--group", "staff"),
    }
    return {
        path: str(program.json("user", *words, "--tenant", slug, "--show-link")["link"])
        for path, words in asked.items()
    }


def _alone(program: Program, plans: Sequence[Plan], refused: str) -> None:
    """Each of the pair by itself, after both together were `refused`. Raises TwinRefused.

    Where the first can be made and the second, which has all the same names, cannot, a name of one tenant's is in
    the way of another's: that is no mishap of the proof, but what it is to find.
    """
    for number, plan in enumerate(plans):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            json.dump({"tenants": [plan.blueprint()]}, file)
            file.flush()
            try:
                program("apply", file.name)
            except NotProved:
                if number:
                    raise TwinRefused(refused) from None
                raise


def _canary(
    plan: Plan,
    tenant: Mapping[str, Any],
    signed: Sequence[Mapping[str, Any]],
    initial: str,
    links: Mapping[str, str],
) -> Canary:
    contexts = {each["lives"]: str(each["context"]) for each in signed if each["slug"] == plan.slug}
    return Canary(
        slug=plan.slug, id=str(tenant["id"]), issuer=str(tenant["issuer"]), passwords=plan.passwords,
        secrets=plan.secrets, initial=initial, links=links, spare=list(SPARE),
        keys={KEY_CLIENT: plan.key}, context=contexts[LIVES],
        expired=contexts[OVER],
    )  # fmt: skip


def found(program: Program) -> list[dict[str, Any]]:
    """Every canary that there is, of whichever run."""
    rows: list[dict[str, Any]] = []
    after = PREFIX.rstrip("-")
    while page := program.json("tenant", "list", "--after", after):
        rows += [row for row in page if str(row["slug"]).startswith(PREFIX)]
        after = page[-1]["slug"]
        if len(page) < 100 or not str(after).startswith(PREFIX):
            break
    return rows


def _applications(program: Program) -> list[str]:
    """Every application of the platform that a proof has made, of whichever run."""
    rows = program.json("application", "list", "--after", PREFIX.rstrip("-"))
    return [str(row["client_id"]) for row in rows if str(row["client_id"]).startswith(PREFIX)]


def sweep(program: Program, redis_url: str | None) -> list[str]:
    """Remove every canary, of whichever run, with all its rows and keys; their slugs. Raises NotProved."""
    rows = found(program)
    _remove(program, rows, redis_url)
    for name in _applications(program):
        program("application", "delete", name)
    return [str(row["slug"]) for row in rows]


def _remove(program: Program, rows: Sequence[Mapping[str, Any]], redis_url: str | None) -> None:
    present = {str(row["slug"]): str(row["id"]) for row in rows}
    with ThreadPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(lambda slug: _failed(program, slug), present))
    _forget(redis_url, list(present.values()))
    if any(outcomes):
        raise NotProved(f"A canary could not be removed and will be swept by the next proof: {max(outcomes)}")


def _failed(program: Program, slug: str) -> str:
    try:
        program("tenant", "delete", slug, "--purge")
    except NotProved as problem:
        return str(problem)
    return ""


def _forget(redis_url: str | None, tenants: Sequence[str]) -> None:
    """Drop what Redis still keeps of removed canaries; where that cannot be, it ends by its own lifetimes."""
    if redis_url is None or not tenants:
        return
    with suppress(RedisError), Redis.from_url(redis_url, socket_timeout=5) as client:
        for tenant in tenants:
            for key in client.scan_iter(match=f"idp:{{{tenant}}}:*", count=1000):
                client.delete(key)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal ends the removal."""
    names = (signal.SIGINT, signal.SIGTERM)
    former = [signal.signal(name, signal.SIG_IGN) for name in names] if _main() else []
    try:
        yield
    finally:
        for name, handler in zip(names, former, strict=False):
            signal.signal(name, handler)


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM raise NotProved inside the block, so that everything is cleaned up."""

    def stop(number: int, _frame: object) -> None:
        raise NotProved(f"The proof was stopped by {signal.Signals(number).name}.")

    names = (signal.SIGINT, signal.SIGTERM)
    former = [signal.signal(name, stop) for name in names] if _main() else []
    try:
        yield
    finally:
        for name, handler in zip(names, former, strict=False):
            signal.signal(name, handler)


def _main() -> bool:
    return threading.current_thread() is threading.main_thread()
