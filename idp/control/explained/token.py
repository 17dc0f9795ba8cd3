"""Explain one token: play the product's checks on it, in their order, and say what each of them found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from idp import clock, directory
from idp.control import record
from idp.control.explained import issuers, kinds, words
from idp.control.explained.kinds import Kind
from idp.control.explained.words import Case
from idp.errors import Invalid, InvalidToken
from idp.oauth import client_auth
from idp.oauth.client_auth import private_key_jwt
from idp.oauth.tokens import access, id_token, refresh
from idp.signing.checks import Check, Outcome, Table, no
from idp.signing.foreign import FOREIGN
from idp.signing.own import OWN, Own
from idp.store.database import transaction
from idp.store.durable.clients import Client
from idp.tenants import Tenant, entered

LONGEST = 65_536
"""Characters that are looked at."""

_NOBODY = Tenant(UUID(int=0), "", "", "", "")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the service that refuses the token was told to expect; None: nothing in particular."""

    audience: str | None = None
    typ: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One check: `ok`, `failed` or `not tried`; `why` is a sentence, or what was seen where it is ok."""

    check: str
    verdict: str
    rule: str | None = None
    expected: Any = None
    got: Any = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a token is and what is wrong with it; the steps stand in the order in which they count."""

    kind: str
    valid: bool
    tenant: str | None
    issuer: str | None
    failed: Step | None
    steps: tuple[Step, ...]
    header: dict[str, Any]
    claims: dict[str, Any]
    notes: tuple[str, ...] = field(default=())


def explain(token: str, expected: Expected = Expected()) -> Explanation:
    """Which checks of `token` fail, and why. Raises Invalid for no token at all, Unavailable."""
    token, notes = _trimmed(token)
    kind = kinds.of(token)
    if kind is Kind.REFRESH:
        told = _refresh(token, expected)
    elif kind is Kind.ASSERTION:
        told = _assertion(token, expected)
    elif kind is Kind.OPAQUE:
        told = _opaque(token)
    else:
        told = _own(kind, token, expected)
    return replace(told, notes=(*notes, *told.notes))


def _trimmed(token: str) -> tuple[str, list[str]]:
    text = token.strip()
    if not text:
        raise Invalid("There is no token: give it as an argument or on standard input.", rule="token")
    if len(text) > LONGEST:
        raise Invalid(f"This is longer than {LONGEST} characters, so it is no token.", rule="token")
    scheme, blank, rest = text.partition(" ")
    if blank and scheme.lower() in ("bearer", "dpop"):
        return rest.strip(), [
            f"The word {scheme} is part of the header and not of the token; it was left out."
        ]
    return text, []


def _own(kind: Kind, token: str, expected: Expected) -> Explanation:
    """A token that a tenant of ours should have signed."""
    header, claims = kinds.peek(token)
    named = issuers.find(claims.get("iss"))
    tenant = named.tenant or issuers.find(expected.issuer).tenant
    typ = (expected.typ,) if expected.typ else kinds.TYPES[kind]
    seen = Own(token, tenant or _NOBODY, typ, expected.audience, clock.epoch())
    case = _searched(Case(kind, tenant, header, claims, expected.issuer))
    with _inside(tenant):
        outcomes = _status(tenant) + OWN.play(seen, _without(tenant, claims))
        outcomes += _of_kind(kind, seen, outcomes)
        outcomes += _service(claims, expected)
        steps = [_step(outcome, case) for outcome in outcomes]
        notes = _notes(case) if tenant is not None and seen.claims else []
    return _told(case, steps, notes)


def _searched(case: Case) -> Case:
    """The case, with the other tenants that have the key where the token's own tenant has it not."""
    if case.tenant is None:
        return case
    with entered(case.tenant):
        missing = case.header.get("kid") is not None and words.row_of(case) is None
    return replace(case, others=words.holders(case.header["kid"], case.tenant)) if missing else case


def _without(tenant: Tenant | None, claims: Mapping[str, Any]) -> dict[str, InvalidToken | None]:
    """What cannot be tried where no tenant was found."""
    if tenant is not None:
        return {}
    refusal = no("token.iss", expected="the issuer of a tenant here", got=claims.get("iss"))
    return {"kid": None, "tenant": None, "iss": refusal}


def _of_kind(kind: Kind, seen: Own, before: list[Outcome]) -> list[Outcome]:
    """The checks that a kind has beyond those of every JWT of ours: of a good signature by a tenant here only."""
    good = {outcome.name for outcome in before if outcome.verdict == "ok"}
    may = {"signature", "payload", "times"} <= good
    if kind is Kind.ID:
        return id_token.ONLY.play(seen.claims, {} if may else {"kind": None})
    if kind is not Kind.ACCESS:
        return []
    read = access.Read(seen.claims)
    named = access.NAMED.play(read, {} if may else dict.fromkeys(("jti", "client")))
    found = {outcome.name for outcome in named if outcome.verdict == "ok"}
    known: dict[str, InvalidToken | None] = {} if "jti" in found else {"revoked": None}
    if not found.issuperset({"jti", "client"}):
        known["grant"] = None
    with transaction(readonly=True) if found else nullcontext():
        return named + access.ALIVE.play(read, known)


def _service(claims: Mapping[str, Any], expected: Expected) -> list[Outcome]:
    """What the service was told of the issuer."""
    if expected.issuer is None or "iss" not in claims:
        return []
    if claims["iss"] == expected.issuer:
        return [Outcome("service", "ok")]
    return [Outcome("service", "failed", no("service.issuer", expected=expected.issuer, got=claims["iss"]))]


def _status(tenant: Tenant | None) -> list[Outcome]:
    """Whether the tenant's endpoints answer at all, which is asked before anything is read."""
    if tenant is None:
        return [Outcome("status", "not tried")]
    if not tenant.active:
        return [Outcome("status", "failed", no("tenant.status", expected="active", got=tenant.status))]
    return [Outcome("status", "ok")]


def _assertion(token: str, expected: Expected) -> Explanation:
    """A JWT by which a client authenticates."""
    header, claims = kinds.peek(token)
    addressed = [one.removesuffix("/token") for one in kinds.audiences(claims)]
    named = [issuers.find(one).tenant for one in (*addressed, expected.issuer) if one]
    tenant = next((one for one in named if one is not None), None)
    case = Case(Kind.ASSERTION, tenant, header, claims)
    with _inside(tenant):
        client = (
            directory.client(private_key_jwt.claimed_client(token) or "-") if tenant is not None else None
        )
        steps = [_step(outcome, case) for outcome in _asserted(token, tenant, client)]
    notes = (
        [] if tenant is not None else ["No audience names a tenant here; --issuer says whose client it is."]
    )
    return _told(case, steps, notes)


def _asserted(token: str, tenant: Tenant | None, client: Client | None) -> list[Outcome]:
    begun = _status(tenant) + _CLIENT.play(client, {} if tenant is not None else {"client": None})
    if client is None:
        seen = private_key_jwt.unknown(token)
        known: dict[str, InvalidToken | None] = dict.fromkeys(("kid", "iss", "sub", "aud"))
        if tenant is None:
            known["aud"] = no("token.aud", expected="the issuer of a tenant here")
        return begun + FOREIGN.play(seen, known)
    seen = private_key_jwt.presented(token, client)
    checked = FOREIGN.play(seen)
    good = all(outcome.verdict == "ok" for outcome in checked)
    named = private_key_jwt.NAMED.play(seen.claims, {} if seen.claims else {"jti": None})
    if not (good and named[0].verdict == "ok"):
        return [*begun, *checked, *named, Outcome("used", "not tried")]
    refusal = no("assertion.used", expected="a jti for the first time", got=seen.claims["jti"])
    used = private_key_jwt.used(client, seen.claims)
    return [*begun, *checked, *named, Outcome("used", "failed" if used else "ok", refusal if used else None)]


def _registered(client: Client | None) -> None:
    if client is None or not client.active:
        raise no(
            "access_token.client", expected="an active client", got=client.status if client else "unknown"
        )


def _method(client: Client | None) -> None:
    if client is not None and not client_auth.may_use(client, "private_key_jwt"):
        raise no("client.method", expected="private_key_jwt", got=client.auth_method)


_CLIENT = Table[Client | None](Check("client", _registered), Check("method", _method, ("client",)))


def _refresh(token: str, expected: Expected) -> Explanation:
    """A refresh token: looked for in the tenant that is expected, else in every one."""
    tenant = issuers.find(expected.issuer).tenant
    places: Iterator[Tenant] = iter([tenant]) if tenant is not None else record.every()
    outcomes = refresh.CHECKS.play(refresh.Read(token), {"known": no("refresh_token.known", got="none")})
    for place in places if outcomes[0].verdict == "ok" else ():
        with entered(place):
            read = refresh.Read(token)
            played = refresh.CHECKS.play(read)
        if read.found is not None:
            tenant, outcomes = place, played
            break
    case = Case(Kind.REFRESH, tenant, {}, {})
    notes = ["A refresh token is for the token endpoint alone: an API takes access tokens."]
    return _told(case, [_step(outcome, case) for outcome in outcomes], notes)


def _opaque(token: str) -> Explanation:
    step = Step("form", "failed", "token.form", "three parts", token.count(".") + 1, kinds.looks(token))
    return Explanation(str(Kind.OPAQUE), False, None, None, step, (step,), {}, {})


def _told(case: Case, steps: list[Step], notes: list[str]) -> Explanation:
    failed = next((step for step in steps if step.verdict == "failed"), None)
    tenant = case.tenant
    return Explanation(
        kind=str(case.kind),
        valid=all(step.verdict == "ok" for step in steps),
        tenant=tenant.slug if tenant else None,
        issuer=tenant.issuer if tenant else None,
        failed=failed,
        steps=tuple(steps),
        header=dict(case.header),
        claims=dict(case.claims),
        notes=tuple(notes),
    )


def _step(outcome: Outcome, case: Case) -> Step:
    refusal = outcome.refusal
    if refusal is not None:
        why = words.why(case, refusal)
        return Step(outcome.name, outcome.verdict, refusal.rule, refusal.expected, refusal.got, why)
    saw = _SAW.get(outcome.name) if outcome.verdict == "ok" else None
    return Step(outcome.name, outcome.verdict, why=saw(case) if saw is not None else "")


def _notes(case: Case) -> list[str]:
    """What is no failure and worth knowing: whom the token is for."""
    if case.tenant is None:
        return []
    if case.kind is Kind.ID:
        return [
            f"It is for {one}, {'an' if directory.client(one) else 'which is no'} application of the tenant."
            for one in kinds.audiences(case.claims)
        ]
    if case.kind is not Kind.ACCESS:
        return []
    known = {api.identifier: api.name for api in directory.apis()} | dict.fromkeys(
        case.tenant.issuers, "the issuer"
    )
    return [
        f"It is for {one}, {'which is ' + str(known[one]) if one in known else 'which is no API of the tenant'}."
        for one in kinds.audiences(case.claims)
    ]


def _key(case: Case) -> str:
    row = words.row_of(case)
    return f"the key {words.about_key(row)}" if row is not None else ""


def _left(case: Case) -> str:
    if "exp" not in case.claims:
        return ""
    left = int(case.claims["exp"]) - clock.epoch()
    return f"{words.span(left)} left" if left >= 0 else "expired"


_SAW: dict[str, Callable[[Case], str]] = {
    "typ": lambda case: str(case.header.get("typ")),
    "alg": lambda case: str(case.header.get("alg")),
    "kid": _key,
    "iss": lambda case: str(case.claims.get("iss")),
    "exp": _left,
    "aud": lambda case: ", ".join(kinds.audiences(case.claims)),
}


@contextmanager
def _inside(tenant: Tenant | None) -> Iterator[None]:
    with entered(tenant) if tenant is not None else nullcontext():
        yield
