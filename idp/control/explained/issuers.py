"""Whose issuer a text is meant to be, and how it differs from the real one."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from idp import config, directory
from idp.tenants import Tenant

_LONGEST = 2048
_SLUG = re.compile(r"/t/([a-z0-9-]{1,63})(?:/|$)", re.ASCII)
_HOST = re.compile(r"[a-z0-9.-]{1,253}", re.ASCII)
_WELL_KNOWN = "/.well-known/"


@dataclass(frozen=True, slots=True)
class Named:
    """The tenant that a text names, as it is by that address; `why` says how the text is wrong, or nothing."""

    tenant: Tenant | None
    why: str


def find(text: object) -> Named:
    """Whose issuer `text` is meant to be. Raises Unavailable."""
    if not isinstance(text, str) or not text or len(text) > _LONGEST:
        return Named(None, "The token names no issuer.")
    read = _read(text.strip().lower())
    tenant = _tenant(read) if read is not None else None
    if read is None or tenant is None:
        base = config.settings().base_url
        return Named(None, f"No tenant of this deployment has this issuer; its base URL is {base}.")
    if text in tenant.issuers:
        return Named(tenant.at(text), "")
    return Named(tenant, f"The issuer of {tenant.slug} is {tenant.issuer}, {_difference(text, read, tenant)}")


def _read(text: str) -> SplitResult | None:
    try:
        read = urlsplit(text)
        _ = read.port
    except ValueError:
        return None
    return read


def _tenant(read: SplitResult) -> Tenant | None:
    host = read.hostname or ""
    named = directory.resolve_host(host) if _HOST.fullmatch(host) else None
    if named is not None:
        return named
    slug = _SLUG.search(read.path)
    return directory.resolve(slug[1]) if slug else None


def _difference(text: str, read: SplitResult, tenant: Tenant) -> str:
    """How `text` differs from the issuer, as the rest of a sentence."""
    real = urlsplit(tenant.issuer)
    if text.strip() != text:
        return "and this one has blanks around it."
    if text.rstrip("/") in tenant.issuers:
        return "and this one ends with a slash: it is compared character by character."
    if text.lower() in tenant.issuers:
        return "and this one has letters in another case: it is compared character by character."
    if _WELL_KNOWN in text:
        return "and this is the address of its discovery document: the issuer is what stands before it."
    if read.path.rstrip("/") != real.path.rstrip("/"):
        return "and this is another address of the same tenant: a tenant has exactly one issuer."
    if read.netloc != real.netloc:
        return f"and this one has another host or port ({read.netloc}): IDP_BASE_URL or IDP_DOMAIN differs there."
    if read.scheme != real.scheme:
        return f"and this one begins with {read.scheme}: set it to {real.scheme} where the service is configured."
    return "and it is compared character by character."
