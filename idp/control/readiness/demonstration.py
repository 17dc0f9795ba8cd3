"""Whether anybody of the demonstration can sign in here with the password that is published."""

from typing import Any

import yaml

from idp import directory, paths
from idp.accounts import passwords
from idp.store.durable import users
from idp.tenants import entered


def present() -> str | None:
    """The first person of the demonstration whose published password works; None where nobody's does.

    Only tenants that are called like the demonstration's are looked at. Raises Unavailable, Busy.
    """
    source = paths.examples() / "demo" / "blueprint.yaml"
    for each in yaml.safe_load(source.read_text(encoding="utf-8"))["tenants"]:
        tenant = directory.resolve(each["slug"])
        if tenant is None:
            continue
        with entered(tenant):
            for person in each.get("users", ()):
                if _works(person):
                    return f"{person['username']} of {tenant.slug}"
    return None


def _works(person: dict[str, Any]) -> bool:
    user = users.by_username(person["username"])
    return user is not None and passwords.verify(user, person["password"])
