"""Ways to reach for the other tenant's address that are no ordinary one: spellings, hosts, headers, parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from idp.prove.target import Canary

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Reach:
    """How an address is changed, and what is sent beside it; `own` is the tenant whose credentials are brought."""

    name: str
    path: Callable[[str, Canary, Canary], str] = lambda path, _own, _victim: path
    headers: Callable[[str, Canary, Canary], Headers] = lambda _path, _own, _victim: {}
    form: Callable[[Canary], dict[str, str]] = lambda _own: {}


def _host(own: Canary) -> str:
    return f"{own.slug}.example.net"


def _own(path: str, own: Canary) -> str:
    """The same path at the tenant whose credentials are brought."""
    head, mark, rest = path.partition("/t/")
    return f"{head}{mark}{own.slug}/{rest.partition('/')[2]}" if mark else path


_HEADERS: dict[str, Callable[[str, Canary], Headers]] = {
    "X-Forwarded-Host": lambda _, own: {"X-Forwarded-Host": _host(own)},
    "X-Forwarded-Host of the issuer": lambda _, own: {"X-Forwarded-Host": urlsplit(own.issuer).netloc},
    "X-Forwarded-Server": lambda _, own: {"X-Forwarded-Server": _host(own)},
    "X-Host": lambda _, own: {"X-Host": _host(own), "X-Original-Host": _host(own), "X-HTTP-Host-Override": _host(own)},
    "Forwarded": lambda path, own: {"Forwarded": f'for=127.0.0.1;host="{_host(own)}";proto=https'},
    "X-Original-URL": lambda path, own: {"X-Original-URL": _own(path, own)},
    "X-Rewrite-URL": lambda path, own: {"X-Rewrite-URL": _own(path, own), "X-Original-URI": _own(path, own)},
    "X-Forwarded-Prefix": lambda _, own: {"X-Forwarded-Prefix": f"/t/{own.slug}", "X-Forwarded-Path": f"/t/{own.slug}"},
    "X-Script-Name": lambda _, own: {"X-Script-Name": f"/t/{own.slug}", "Script-Name": f"/t/{own.slug}"},
    "X-Tenant": lambda _, own: {"X-Tenant": own.slug, "Tenant": own.slug, "X-Tenant-Slug": own.slug},
    "X-Tenant-Id": lambda _, own: {"X-Tenant-Id": own.id, "X-Tenant-ID-": own.id, "Tenant-Id": own.id},
    "X-Organization": lambda _, own: {"X-Organization": own.slug, "X-Org-Id": own.id, "X-Realm": own.slug},
    "X-Issuer": lambda _, own: {"X-Issuer": own.issuer, "Issuer": own.issuer, "Iss": own.issuer},
    "Origin and Referer": lambda _, own: {"Referer": f"{own.issuer}/"},
}  # fmt: skip
"""Headers that name a tenant to some server or other."""


def _spelled(template: str) -> Callable[[str, Canary, Canary], str]:
    def change(path: str, own: Canary, victim: Canary) -> str:
        prefix, mark, rest = path.partition(f"/t/{victim.slug}")
        encoded = "".join(f"%{ord(letter):02X}" for letter in victim.slug)
        said = template.format(own=own.slug, victim=victim.slug, encoded=encoded, shout=victim.slug.upper())
        return f"{prefix}{said}{rest}" if mark else path

    return change


def _alone(headers: Callable[[str, Canary], Headers]) -> Callable[[str, Canary, Canary], Headers]:
    return lambda path, own, _victim: headers(path, own)


PLAIN = Reach("")
PARAMETERS = Reach(
    "with parameters that name the tenant",
    form=lambda own: {"tenant": own.slug, "tenant_id": own.id, "slug": own.slug, "iss": own.issuer},
)
EVERY_HEADER = Reach(
    "with every header that names the tenant",
    headers=lambda path, own, _victim: {
        name: value for each in _HEADERS.values() for name, value in each(path, own).items()
    },
)
HOSTS = (
    Reach(
        "by an unproved host of the other", _spelled(""), lambda _path, _own, victim: {"Host": _host(victim)}
    ),
    Reach("by an unproved host of one's own", headers=lambda _path, own, _victim: {"Host": _host(own)}),
)
SPELLINGS = tuple(
    Reach(f"at {template}", _spelled(template))
    for template in (
        "/t/{own}/../{victim}", "/t/{own}/%2e%2e/{victim}", "/t/{own}%2f..%2f{victim}", "/t/{own}/t/{victim}",
        "//t/{victim}", "/t//{victim}", "/t/{encoded}", "/t/{victim}%00{own}", "/t/{victim};{own}",
        "/t/{victim}%2f{own}", "/t/{victim}.", "/t/{shout}", "/t/{victim}%20", "/T/{victim}", "/t/{victim},{own}",
        "/t/{victim}%0a{own}", "/t/{own}%5c..%5c{victim}", "/t/{victim}@{own}",
    )
)  # fmt: skip
SINGLE = tuple(Reach(f"with {name}", headers=_alone(value)) for name, value in _HEADERS.items())

WIDE = (PLAIN, EVERY_HEADER, PARAMETERS, *HOSTS)
"""Tried with every credential in every way that it travels."""
DEEP = (*SPELLINGS, *SINGLE)
"""Tried with one way of each route, since they reach for the tenant before any credential is read."""
