"""Forgeries by the claims: another time, audience, tenant or person (RFC 7519 §4.1, RFC 9068 §4)."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from idp.prove import clock
from idp.prove.forge import Forged, Genuine

_BRIEF = 3_600


def times(base: Genuine) -> Iterator[Forged]:
    """Over, not yet, for ever, and no time at all."""
    now = int(clock.now().timestamp())
    wrong: dict[str, tuple[Any, ...]] = {
        "exp": (now - _BRIEF, 0, -1, 1 << 62, now + 10 * 365 * 86_400, str(now + 60), now + 60.5, None, True,
            [now + 60], 1e308),
        "nbf": (now + _BRIEF, str(now), now - 60.5, None, True, [now], 1 << 62, "soon"),
        "iat": (now + _BRIEF, str(now), now - 60.5, None, True, [now], 1 << 62, -1),
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            yield from base.changed(
                f"{name} {value!r}", base.header, {**base.claims, **_fresh(base), name: value}
            )
    for text in ("NaN", "Infinity", "-Infinity", "1e999", "0x7fffffff", "01", "9" * 400):
        claims = _text(base.claims).replace(f'"exp":{base.claims["exp"]}', f'"exp":{text}').encode()
        yield f"exp {text:.12}, the old signature", base.with_claims(claims)
        yield f"exp {text:.12}, a stranger's signature", base.strange(base.header, claims)
    without = {name: value for name, value in base.claims.items() if name != "exp"}
    yield from base.changed("no exp", base.header, {**without, **_fresh(base)})


def audiences(base: Genuine) -> Iterator[Forged]:
    """For somebody else, or for nobody."""
    other = base.other.issuer
    wrong: tuple[Any, ...] = (
        other, [other], f"{base.own.issuer}x", f"{base.own.issuer}/", base.own.issuer.upper(), "", [], None, 0,
                  "*", [None], {}, [[base.own.issuer]], base.own.slug, base.own.id, "https://other.example",
                  base.own.issuer[:-1])  # fmt: skip
    for value in wrong:
        yield from base.changed(
            f"aud {value!r:.60}", base.header, {**base.claims, **_fresh(base), "aud": value}
        )
    without = {name: value for name, value in base.claims.items() if name != "aud"}
    yield from base.changed("no aud", base.header, {**without, **_fresh(base)})


def tenants(base: Genuine) -> Iterator[Forged]:
    """The other tenant named in one place and this one in the rest."""
    own, other = base.own, base.other
    for name, values in {
        "iss": (other.issuer, f"{own.issuer}/", own.issuer.upper(), f"{own.issuer}@x", own.slug, "", None,
            [own.issuer], 0),
        "tenant": (other.slug, own.slug.upper(), "", None, [own.slug], "*"),
        "tenant_id": (other.id, own.id.upper(), "", None, [own.id], other.slug),
    }.items():  # fmt: skip
        for value in values:
            claims = {**base.claims, **_fresh(base), name: value}
            forged = base.changed(f"{name} {value!r:.60}", base.header, claims)
            # A client's assertion has no tenant; whatever it says of one is nothing to us.
            yield from (
                each for each in forged if name == "iss" or not each[0].endswith("signed by the client")
            )


def people(base: Genuine) -> Iterator[Forged]:
    """Another person, client, right or name of the token itself."""
    unknown = "00000000-0000-4000-8000-000000000000"
    for name, values in {
        "sub": (unknown, "alice", "web", "", None, 0, [], "reader"),
        "client_id": ("web", "reader", base.own.slug, "", None),
        "scope": ("openid profile email admin", "*", ""),
        "groups": (["admin"], "staff"),
        "roles": (["owner"], "buyer"),
        "sid": (unknown,),
    }.items():
        for value in values:
            if base.claims.get(name) == value:
                continue
            claims = {**base.claims, **_fresh(base), name: value}
            forged = base.changed(f"{name} {value!r}", base.header, claims)
            yield from (
                each for each in forged if name == "sub" or not each[0].endswith("signed by the client")
            )
    if base.sign is not None:
        nameless: tuple[Any, ...] = ("", None, 0, [], "j" * 4096, {})
        for jti in nameless:
            yield f"jti {jti!r:.20}", base.sign(base.header, {**base.claims, "jti": jti})
        without = {name: value for name, value in base.claims.items() if name != "jti"}
        yield "no jti", base.sign(base.header, without)


def doubles(base: Genuine) -> Iterator[Forged]:
    """The same name twice in one object (RFC 7515 §4, RFC 7519 §4)."""
    claims, header = _text(base.claims), _text(base.header)
    for name, value in (("iss", base.other.issuer), ("aud", base.other.issuer), ("sub", "alice"), ("exp", 1 << 40),
                        ("tenant", base.other.slug), ("tenant_id", base.other.id), ("scope", "admin")):  # fmt: skip
        said = _text({name: value})[1:-1]
        for order, raw in (("first", f"{{{said},{claims[1:]}"), ("last", f"{claims[:-1]},{said}}}")):
            yield f"{name} twice, {order}, the old signature", base.with_claims(raw.encode())
            yield f"{name} twice, {order}, a stranger's signature", base.strange(base.header, raw.encode())
    for name, value in (("alg", "none"), ("alg", "HS256"), ("kid", "x"), ("typ", "JWT")):
        said = _text({name: value})[1:-1]
        for order, raw in (("first", f"{{{said},{header[1:]}"), ("last", f"{header[:-1]},{said}}}")):
            yield f"{name} {value} twice, {order}", base.with_header(raw.encode())
            yield f"{name} {value} twice, {order}, a stranger's signature", base.strange(raw.encode())


def _text(values: dict[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"))


def _fresh(base: Genuine) -> dict[str, Any]:
    """A new name for what can be used once, so that it is judged for what it says."""
    return {"jti": secrets.token_urlsafe(16)} if base.sign is not None else {}


GROUPS = (times, audiences, tenants, people, doubles)
