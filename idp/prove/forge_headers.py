"""Forgeries by the header: no signature, another algorithm, another key, another type (RFC 8725 §2, §3)."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.prove.forge import HASHES, Forged, Genuine, armoured, mac, packed
from idp.prove.service import Refused, parts
from idp.prove.visitor import b64

_KEYS: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_NONE = (
    "none",
    "None",
    "NONE",
    "nOnE",
    "NoNe",
    "none ",
    " none",
    "none\x00",
    "\u200bnone",
    "n\u043ene",
    "",
    "null",
    None,
)
ELSEWHERE = "http://127.0.0.1:9/jwks.json"
_TYPES: tuple[Any, ...] = (
    "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "JWS",
    "JOSE",
          "oauth-authz-req+jwt", "client-authentication+jwt", "id_token", "", " at+jwt", None, 0, ["at+jwt"],
          {})  # fmt: skip


def none(base: Genuine) -> Iterator[Forged]:
    """Unsigned, in every spelling (RFC 7518 §3.6)."""
    for spelling in _NONE:
        for named, header in (("", base.header), (" without kid", _without(base.header, "kid"))):
            head = packed({**header, "alg": spelling})
            for ending, signature in (
                ("nothing", ""),
                ("the old signature", base.pieces[2]),
                ("a byte", "AA"),
            ):
                yield f"alg {spelling!r}{named}, {ending}", f"{head}.{base.pieces[1]}.{signature}"
    yield "no alg", base.with_header(_without(base.header, "alg"))
    yield "no third part", ".".join([packed({**base.header, "alg": "none"}), base.pieces[1]])


def confusion(base: Genuine) -> Iterator[Forged]:
    """HMAC with what everybody may know as its key (RFC 8725 §2.1)."""
    for name, key in _public(base):
        for alg in HASHES:
            yield f"{alg} with {name}", mac(alg, key, base.header, base.pieces[1])


def _public(base: Genuine) -> Iterator[tuple[str, bytes]]:
    jwk = {name: value for name, value in base.public.items() if value is not None}
    key = _KEYS[str(jwk["kty"])].import_key({**jwk}).public_key
    formats = [PublicFormat.SubjectPublicKeyInfo, *([PublicFormat.PKCS1] if jwk["kty"] == "RSA" else [])]
    for shape in formats:
        der = key.public_bytes(Encoding.DER, shape)
        label = "PUBLIC KEY" if shape is PublicFormat.SubjectPublicKeyInfo else "RSA PUBLIC KEY"
        pem = armoured(label, der)
        yield from ((f"{label} in PEM", pem), (f"{label} in PEM without its last line end", pem.rstrip()),
                    (f"{label} in PEM with CRLF", armoured(label, der, "\r\n")), (f"{label} in DER", der))  # fmt: skip
    for separators in ((",", ":"), (", ", ": ")):
        yield f"the JWK {separators[1]!r}", json.dumps(jwk, separators=separators).encode()
        yield f"the JWKS {separators[1]!r}", json.dumps({"keys": [jwk]}, separators=separators).encode()
    for name in ("n", "x", "kid"):
        if name in jwk:
            yield f"the member {name}", str(jwk[name]).encode()
    yield from (
        ("nothing", b""),
        ("a zero", b"\x00"),
        ("secret", b"secret"),
        ("the issuer", base.own.issuer.encode()),
    )
    for secret in base.secrets:
        yield "a client's secret", secret.encode()


def kids(base: Genuine) -> Iterator[Forged]:
    """Ids of keys that lead somewhere else."""
    kid = str(base.header.get("kid"))
    for value in (
        "../../../../dev/null", "/dev/null", "..\\..\\nul", "file:///dev/null", "' OR '1'='1", "' UNION SELECT 'a'--",
        "'; SELECT pg_sleep(0)--", "x|id", "$(id)", "%2e%2e%2fkey", ELSEWHERE, "", " ", None, 0, 1.5, True, [],
        [kid], {},
        {"$ne": ""}, {"kid": kid}, f"{kid} ", f" {kid}", f"{kid}\x00", f"{kid}\n", kid.upper(), kid.swapcase(),
        kid[:-1],
        kid + kid, f"{base.other.id}:{kid}", f"idp:{{{base.own.id}}}:key:{kid}", "*", "0", "null", "k" * 4096,
        "\ud800", "\u202e" + kid, *(_kid(token) for token in base.others.values()),
    ):  # fmt: skip
        header = {**base.header, "kid": value}
        yield f"kid {value!r:.60}, a stranger's signature", base.strange(header)
        yield f"kid {value!r:.60}, HMAC with nothing", mac("HS256", b"", header, base.pieces[1])
    yield "no kid, a stranger's signature", base.strange(_without(base.header, "kid"))


def _kid(token: str) -> Any:
    try:
        return parts(token)[0].get("kid")
    except Refused:
        return "none"


def embedded(base: Genuine) -> Iterator[Forged]:
    """A key that comes with the token, or an address of one (RFC 7515 §4.1.2–4.1.8)."""
    for alg in ("RS256", "PS256", "ES256", "EdDSA"):
        jwk = {**base.strangers.public(alg), "kid": base.header.get("kid")}
        certificate = [b64(b"0\x82 no certificate")]
        for more in (
            {"jwk": jwk}, {"jku": ELSEWHERE}, {"x5u": ELSEWHERE}, {"x5c": certificate}, {"x5t": b64(bytes(20))},
            {"x5t#S256": b64(bytes(32))}, {"jku": f"{base.other.issuer}/jwks.json"},
            {"jku": f"{base.own.issuer}/jwks.json#@127.0.0.1:9"}, {"jwk": jwk, "jku": ELSEWHERE, "x5c": certificate},
        ):  # fmt: skip
            for named, header in (("", base.header), (" without kid", _without(base.header, "kid"))):
                yield (
                    f"{alg} with {'+'.join(more)}{named}",
                    base.strange({**header, "alg": alg, **more}, alg=alg),
                )


def extensions(base: Genuine) -> Iterator[Forged]:
    """What must be understood and nothing here is (RFC 7515 §4.1.11, RFC 7797), and what changes the payload."""
    raw = base.pieces[1].encode()
    squeezed = zlib.compress(json.dumps(base.claims).encode())[2:-4]
    known: tuple[dict[str, Any], ...] = (
                 {"crit": ["exp"]}, {"crit": []}, {"crit": "exp"}, {"crit": ["b64"], "b64": False}, {"b64": False},
                 {"crit": ["http://example.com/x"], "http://example.com/x": True}, {"zip": "DEF"},
                 {"enc": "A128GCM"}, {"cty": "JWT"}, {"epk": {}}, {"p2c": 1 << 30})  # fmt: skip
    for changed in known:
        yield f"{'+'.join(changed)}, the old signature", base.with_header({**base.header, **changed})
        yield f"{'+'.join(changed)}, a stranger's signature", base.strange({**base.header, **changed})
    head = packed({**base.header, "crit": ["b64"], "b64": False})
    yield (
        "an unencoded payload",
        f"{head}.{raw.decode()}.{b64(base.strangers.sign(base.alg, head.encode() + b'.' + raw))}",
    )
    yield "a compressed payload", base.strange({**base.header, "zip": "DEF"}, squeezed)


def strangers(base: Genuine) -> Iterator[Forged]:
    """A stranger's key in our name, with every algorithm."""
    for alg in base.strangers.keys:
        for named, header in (("", base.header), (" without kid", _without(base.header, "kid"))):
            yield f"{alg} by a stranger{named}", base.strange({**header, "alg": alg}, alg=alg)
        yield (
            f"{alg} in the header alone",
            base.with_header({**base.header, "alg": alg})
            if alg != base.alg
            else base.strange({**base.header, "kid": "canary-key"}),
        )
    odd: tuple[Any, ...] = (
        "RS256 ",
        "rs256",
        "RSA",
        "SHA256",
        "HS1",
        "ES256K",
        "dir",
        "RSA-OAEP",
        "A128KW",
        0,
        [base.alg],
        {},
    )
    for named_so in odd:
        yield f"alg {named_so!r}", base.with_header({**base.header, "alg": named_so})


def types(base: Genuine) -> Iterator[Forged]:
    """Another `typ` (RFC 8725 §3.11)."""
    for value in _TYPES:
        if value != base.header.get("typ"):
            header = {**base.header, "typ": value}
            yield f"typ {value!r}, the old signature", base.with_header(header)
            yield f"typ {value!r}, a stranger's signature", base.strange(header)
    yield "no typ", base.with_header(_without(base.header, "typ"))


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


GROUPS = (none, confusion, kids, embedded, extensions, strangers, types)
