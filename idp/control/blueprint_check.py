"""Checking what a blueprint says of a tenant that is not there yet, without writing anything.

What only the database can tell (names taken, people of one address) is found when the file is applied.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idp import directory, registration
from idp.accounts import passwords
from idp.control import apis, clients, users
from idp.control.blueprint_file import File, secret
from idp.control.blueprint_work import Change, absent, listed, named
from idp.tenants import Branding, Policy, Tenant, entered

NAMES = {"groups": "name", "clients": "client_id", "apis": "identifier", "roles": "name", "users": "username"}


class _Work:
    """What `named` needs of the work: the file."""

    def __init__(self, file: File) -> None:
        self.file = file


def check(
    file: File, entry: Mapping[str, Any], where: str, given: Mapping[str, Any], *, plain: bool
) -> list[Change]:
    """What applying the entry of a new tenant would make. Raises Mistake."""
    slug = str(given["slug"])
    tenant = Tenant(
        UUID(int=0), slug, str(given["name"]), "provisioning", directory.issuer_of(slug, None),
        policy=Policy.parse(dict(given["policy"])), branding=Branding.parse(dict(given["branding"])),
    )  # fmt: skip
    changes = [Change(slug, "tenant", slug, "create")]
    with entered(tenant):
        for kind, key in NAMES.items():
            for index, member in enumerate(listed(file, entry, where, kind)):
                at = f"{where}.{kind}[{index}]"
                one = {"name": member} if kind == "roles" and isinstance(member, str) else member
                with file.at(at):
                    fields = named(_Work(file), one, at, key)
                    if not absent(fields):
                        _CHECKS.get(kind, _nothing)(file, fields, at, plain)
                        changes.append(Change(slug, kind.removesuffix("s"), fields[key], "create"))
    return changes


def _nothing(_file: File, _fields: Mapping[str, Any], _at: str, _plain: bool) -> None:
    """Groups and roles are names and nothing more."""


def _client(file: File, fields: Mapping[str, Any], at: str, plain: bool) -> None:
    apart = ("client_id", "client_secret", "state", "roles")
    metadata, settings, _ = clients.split(
        {name: value for name, value in fields.items() if name not in apart}
    )
    registration.validate(metadata, settings=settings)
    value = secret(file, f"{at}.client_secret", fields.get("client_secret"), plain=plain)
    if value is not None:
        clients.checked_secret(value)


def _api(_file: File, fields: Mapping[str, Any], _at: str, _plain: bool) -> None:
    apart = ("identifier", "state", "grants", "roles")
    apis.checked_identifier(fields["identifier"])
    apis.checked({name: value for name, value in fields.items() if name not in apart})


def _user(file: File, fields: Mapping[str, Any], at: str, plain: bool) -> None:
    users.checked({name: value for name, value in fields.items() if name not in ("state", "groups", "roles")})
    value = secret(file, f"{at}.password", fields.get("password"), plain=plain)
    if value is not None and not 1 <= len(value) <= passwords.LONGEST:
        raise file.mistake(f"{at}.password", f"must have 1 to {passwords.LONGEST} characters.")
    encoded = secret(file, f"{at}.password_hash", fields.get("password_hash"), plain=True)
    if encoded is not None:
        with file.at(f"{at}.password_hash"):
            passwords.accepted(encoded)


_CHECKS = {"clients": _client, "apis": _api, "users": _user}
