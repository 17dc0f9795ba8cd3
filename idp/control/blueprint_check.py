"""Checking what a blueprint says of a tenant that is not there yet, without writing anything.

What only the database can tell (names taken, people of one address) is found when the file is applied.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idp import directory, registration
from idp.accounts import passwords
from idp.control import apis, blueprint_plan, clients, users
from idp.control.blueprint_file import File, secret
from idp.control.blueprint_mail import check_sender, check_words
from idp.control.blueprint_plan import Plan
from idp.control.blueprint_work import Change, absent, listed, named
from idp.federation import fields
from idp.tenants import Branding, Policy, Tenant, entered

NAMES = {
    "groups": "name",
    "upstreams": "name",
    "clients": "client_id",
    "apis": "identifier",
    "roles": "name",
    "users": "username",
    "senders": "address",
    "mail_texts": "kind",
}


def check(
    file: File, entry: Mapping[str, Any], where: str, given: Mapping[str, Any], *, plain: bool
) -> list[Change]:
    """What applying the entry of a new tenant would make. Raises Mistake."""
    slug = str(given["slug"])
    tenant = Tenant(
        UUID(int=0), slug, str(given["name"]), "provisioning", directory.issuer_of(slug, None),
        policy=Policy.parse(dict(given["policy"])), branding=Branding.parse(dict(given["branding"])),
    )  # fmt: skip
    plan = Plan(file, slug, [Change(slug, "tenant", slug, "create")])
    with entered(tenant):
        for kind, key in NAMES.items():
            for index, member in enumerate(listed(file, entry, where, kind)):
                at = f"{where}.{kind}[{index}]"
                with file.at(at):
                    if kind in _PLAIN:
                        _PLAIN[kind](plan, member, at)
                        continue
                    entries = named(plan, member, at, key)
                    if not absent(entries):
                        check_, add = _CHECKS[kind]
                        check_(file, entries, at, plain)
                        add(plan, entries, at)
        blueprint_plan.connect(plan, entry, where)
    return plan.changes


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


def _upstream(file: File, given: Mapping[str, Any], at: str, plain: bool) -> None:
    fields.checked({name: value for name, value in given.items() if name not in ("client_secret", "state")})
    secret(file, f"{at}.client_secret", given.get("client_secret"), plain=plain)


_PLAIN = {"groups": blueprint_plan.add_group, "roles": blueprint_plan.add_role}
_CHECKS = {
    "upstreams": (_upstream, blueprint_plan.add_upstream),
    "clients": (_client, blueprint_plan.add_client),
    "apis": (_api, blueprint_plan.add_api),
    "users": (_user, blueprint_plan.add_user),
    "senders": (check_sender, blueprint_plan.add_sender),
    "mail_texts": (check_words, blueprint_plan.add_words),
}
