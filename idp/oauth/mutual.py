"""Where clients show certificates: the aliases of a tenant's endpoints at another host or port (RFC 8705 §5)."""

from idp import config
from idp.tenants import current

ALIASED = ("token", "userinfo", "introspect", "revoke", "par", "device_authorization", "bc-authorize")
"""What lies below an issuer and there as well."""


def alias() -> str | None:
    """What the entered tenant's aliases begin with, without a slash at the end; None where there are none."""
    base = config.settings().mtls_base_url
    return None if base is None else f"{base}/t/{current().slug}"


def places(endpoint: str) -> tuple[str, ...]:
    """Every address of an endpoint of the entered tenant's, that by which the request came among them."""
    other = alias()
    found = (f"{current().issuer}/{endpoint}",)
    return found if other is None else (*found, f"{other}/{endpoint}")
