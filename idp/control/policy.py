"""What decides: every policy with its value, where the value comes from, its default and its ceiling."""

from dataclasses import Field, dataclass, fields
from typing import Any

from idp import registration
from idp.control import clients, tenants
from idp.store.durable.clients import SETTINGS
from idp.tenants import Policy, entered


@dataclass(frozen=True, slots=True)
class Decided:
    """One policy: its value for whom it was asked, and who said so (`default`, `tenant` or `client`)."""

    name: str
    value: Any
    source: str
    default: Any
    ceiling: Any
    unit: str
    doc: str


def platform() -> list[Decided]:
    """Every policy as the platform has it: what holds where no tenant says otherwise, and the most it may say."""
    return [_decided(field, field.default, "default") for field in fields(Policy)]


def _decided(field: Field[Any], value: Any, source: str) -> Decided:
    rules = field.metadata
    ceiling = rules.get("ceiling", list(rules["choices"]) if "choices" in rules else None)
    return Decided(
        field.name, value, source, field.default, ceiling, str(rules.get("unit", "")), str(rules["doc"])
    )


def show(slug: str, client_id: str | None = None) -> list[Decided]:
    """Every policy of a tenant, or as it holds for one of its clients. Raises NotFound."""
    row = tenants.show(slug)
    with entered(tenants.as_tenant(row)) as tenant:
        client = clients.show(client_id) if client_id is not None else None
        decided = []
        for field in fields(Policy):
            value = getattr(tenant.policy, field.name)
            source = "tenant" if field.name in row.policy else "default"
            if client is not None and client.settings.get(field.name) is not None:
                source = "client"
                value = client.settings[field.name]
                if field.name in registration.LIFETIMES:
                    value = registration.effective(client, field.name)
            if client is not None and client.public and field.name == "require_pkce":
                value, source = True, "client is public"
            decided.append(_decided(field, value, source))
        return decided + (_of_client(client) if client is not None else [])


def _of_client(client: Any) -> list[Decided]:
    """Settings that only a client has."""
    known = {field.name for field in fields(Policy)}
    return [
        Decided(
            name,
            client.setting(name),
            "client" if name in client.settings else "default",
            default,
            None,
            "",
            "A setting of the client.",
        )
        for name, default in SETTINGS.items()
        if name not in known
    ]
