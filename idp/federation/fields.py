"""What an upstream may be: one validator for create and for update, whichever door the fields came through.

What is given is kept; what is not follows the preset and the defaults here, so that a provider which moves an
endpoint is followed by a release.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from idp import identifiers, urls
from idp.claim_rules import RESERVED
from idp.errors import Invalid
from idp.store.durable.upstreams import Upstream
from idp.tenants import current

OPENID, OAUTH2 = "openid", "oauth2"
PROTOCOLS = (OPENID, OAUTH2)
TENANTID = "{tenantid}"
"""Stands in the issuer of a provider that has one for each of its own directories (Microsoft Entra)."""
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
AS_SENT, NEVER, PROVED = "as_sent", "never", "proved_domains"
OURS, THEIRS = "ours", "theirs"
_MOST = 200  # of a list, and of a mapping
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_VISIBLE = re.compile(r"[!-~]{1,512}", re.ASCII)
_DIRECTORY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ENTRA = "https://login.microsoftonline.com"

PRESETS: dict[str, dict[str, Any]] = {
    "google": {
        "issuer": "https://accounts.google.com", "display_name": "Google", "reauthentication": False,
    },
    "okta": {"display_name": "Okta"},
    "entra": {
        "issuer": f"{_ENTRA}/{TENANTID}/v2.0", "display_name": "Microsoft",
        "discovery_uri": f"{_ENTRA}/organizations/v2.0/.well-known/openid-configuration",
        "email_verified": NEVER,
    },
    "github": {
        "protocol": OAUTH2, "issuer": "https://github.com/login/oauth", "display_name": "GitHub",
        "authorization_endpoint": "https://github.com/login/oauth/authorize",
        "token_endpoint": "https://github.com/login/oauth/access_token",
        "userinfo_endpoint": "https://api.github.com/user", "emails_endpoint": "https://api.github.com/user/emails",
        "scopes": ["read:user", "user:email"], "subject_claim": "id", "reauthentication": False,
        "token_endpoint_auth_method": "client_secret_post",
        "claims": {"name": "name", "preferred_username": "login", "profile": "html_url"},
    },
}  # fmt: skip
"""What is known of a provider by name."""

_CLAIMS = {name: name for name in ("name", "given_name", "family_name", "preferred_username", "locale")}


@dataclass(frozen=True, slots=True)
class Membership:
    """Which values of a claim of the upstream put people into which group, or give them which role, of ours."""

    claim: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """How an upstream is used: what was given, else its preset, else the default."""

    preset: str = ""
    display_name: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    email_verified: str = AS_SENT
    """Whose word makes an address proved: the upstream's, nobody's, or the upstream's for the tenant's own domains."""
    creation: bool = False
    """Whether somebody who is new gets an account."""
    claims: Mapping[str, str] = field(default_factory=lambda: _CLAIMS)
    """Our standard claims, and the upstream's from which each is taken when an account is made."""
    groups: Membership | None = None
    roles: Membership | None = None
    order: int = 100
    domains: tuple[str, ...] = ()
    """Domains of addresses whose people are led here."""
    reauthentication: bool = True
    """Whether it asks people anew when told to, and says when it did (prompt=login, max_age)."""
    second_factor: str = OURS
    """Whose second factor counts: ours alone, or theirs as well where they say that there was one (`mfa`)."""
    token_endpoint_auth_method: str = ""
    algorithms: tuple[str, ...] = ALGORITHMS
    directories: tuple[str, ...] = ()
    """Directories of Microsoft Entra whose people may come; none: all that the issuer serves."""
    discovery_uri: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    emails_endpoint: str = ""
    subject_claim: str = ""


OWN = ("name", "protocol", "issuer", "client_id", "status")
SETTINGS = tuple(each.name for each in fields(Settings))
FIELDS = (*OWN, *SETTINGS)


def settings(upstream: Upstream) -> Settings:
    """How an upstream is used."""
    return _settings(upstream.settings)


def _settings(given: Mapping[str, Any]) -> Settings:
    preset = PRESETS.get(str(given.get("preset") or ""), {})
    known = {name: value for name, value in {**preset, **given}.items() if name in SETTINGS}
    for name, value in known.items():
        if isinstance(value, list):
            known[name] = tuple(value)
        elif name in ("groups", "roles") and value is not None:
            known[name] = Membership(value["claim"], value["names"])
    return Settings(**known)


def checked(
    given: Mapping[str, Any], present: Upstream | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns and the settings of an upstream with what is `given`; None puts a default back.

    Raises Invalid naming the field.
    """
    for name in given:
        if name not in FIELDS:
            raise Invalid(f"{name} is not known here.", rule=str(name))
    kept = dict(present.settings) if present is not None else {}
    own = {name: getattr(present, name) for name in OWN} if present is not None else {"status": "active"}
    for name, value in given.items():
        if name in SETTINGS:
            kept.pop(name, None)
            if value is not None:
                kept[name] = _of(name, value)
        else:
            own[name] = _of(name, value)
    preset = PRESETS.get(kept.get("preset", ""), {})
    own = {"protocol": OPENID, **{name: preset[name] for name in OWN if name in preset}, **own}
    for name in OWN:
        if name not in own:
            raise Invalid(f"{name} is missing.", rule=name)
    _together(own, _settings(kept))
    return own, kept


def _of(name: str, value: Any) -> Any:
    try:
        return _CHECKS[name](value)
    except ValueError as problem:
        raise Invalid(f"{name} {problem}.", rule=name) from None


def _together(own: Mapping[str, Any], how: Settings) -> None:
    """What fits together and what does not. Raises Invalid."""
    entra = TENANTID in own["issuer"]
    if entra and (how.preset != "entra" or not how.discovery_uri):
        raise Invalid(f"issuer with {TENANTID} is for the preset entra, with a discovery_uri.", rule="issuer")
    if entra and how.email_verified != NEVER and not how.directories:
        # Whoever runs a directory of their own writes any address into it.
        raise Invalid(
            "email_verified needs directories: anybody may run a directory that names any address.",
            rule="email_verified",
        )
    needed = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "subject_claim")
    if own["protocol"] == OAUTH2:
        for name in needed:
            if not getattr(how, name):
                raise Invalid(f"{name} is missing, which {OAUTH2} needs.", rule=name)
    elif "openid" not in how.scopes:
        raise Invalid("scopes must have openid.", rule="scopes")
    if not how.display_name:
        raise Invalid("display_name is missing.", rule="display_name")


def _text(value: object) -> str:
    return identifiers.text(value, 64)


def _url(value: object) -> str:
    return urls.web_url(value, loopback=current().local).text


def _issuer(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    url = urls.web_url(value.replace(TENANTID, "tenantid", 1), loopback=current().local)
    if url.query is not None:
        raise ValueError("must have no query")
    return value


def _pattern(pattern: re.Pattern[str], shape: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {shape}")
        return value

    return check


def _choice(*choices: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return check


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _order(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10_000:
        raise ValueError("must be a whole number from 0 to 10000")
    return value


def _list(member: Callable[[object], Any], least: int = 0) -> Callable[[object], list[Any]]:
    def check(value: object) -> list[Any]:
        if not isinstance(value, list | tuple) or not least <= len(value) <= _MOST:
            raise ValueError(f"must be a list of {least} to {_MOST}")
        return [member(each) for each in value]

    return check


def _mapping(value: object, left: Callable[[object], str], right: Callable[[object], str]) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > _MOST:
        raise ValueError(f"must be a mapping with at most {_MOST} members")
    return {left(name): right(member) for name, member in value.items()}


def _claims(value: object) -> dict[str, str]:
    made = _mapping(value, identifiers.claim_name, identifiers.claim_name)
    for name in made:
        if name in RESERVED or name in ("email", "groups", "roles"):
            raise ValueError(f"must not name {name}")
    return made


def _membership(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or set(value) != {"claim", "names"}:
        raise ValueError("must be a mapping with claim and names")
    names = _mapping(value["names"], lambda each: identifiers.text(each, 256), identifiers.name)
    return {"claim": identifiers.claim_name(value["claim"]), "names": names}


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _pattern(_NAME, "1 to 32 lower-case letters, digits and hyphens"),
    "protocol": _choice(*PROTOCOLS),
    "issuer": _issuer,
    "client_id": _pattern(_VISIBLE, "1 to 512 visible ASCII characters"),
    "status": _choice("active", "suspended"),
    "preset": _choice(*PRESETS),
    "display_name": _text,
    "scopes": _list(identifiers.scope_token, 1),
    "email_verified": _choice(AS_SENT, NEVER, PROVED),
    "creation": _flag,
    "claims": _claims,
    "groups": _membership,
    "roles": _membership,
    "order": _order,
    "domains": _list(lambda each: identifiers.host_name(str(each))),
    "reauthentication": _flag,
    "second_factor": _choice(OURS, THEIRS),
    "token_endpoint_auth_method": _choice("client_secret_basic", "client_secret_post", "none"),
    "algorithms": _list(_choice(*ALGORITHMS), 1),
    "directories": _list(_pattern(_DIRECTORY, "ids of directories, as UUIDs in lower case")),
    "subject_claim": identifiers.claim_name,
    **dict.fromkeys(
        ("discovery_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "emails_endpoint"), _url
    ),
}  # fmt: skip
