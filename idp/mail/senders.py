"""From whom a tenant's messages come, and by which server: its own on a domain that it has proved, or the platform's.

The password of a tenant's mail server is sealed under the ring and opened where it is sent.
"""

from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from idp import config
from idp.logs import log
from idp.mail import smtp
from idp.signing import ring
from idp.store.database import transaction
from idp.store.durable import mail_senders
from idp.store.durable.mail_senders import Sender
from idp.tenants import current

_NAME = "mail sender"


@dataclass(frozen=True, slots=True)
class Way:
    """How a message goes out: `url` of the server (None: there is none), the address and name that it comes from."""

    url: str | None
    address: str
    name: str
    own: bool
    """Whether the server is the tenant's own, and so may not be one of ours."""


def way() -> Way:
    """How messages of the entered tenant go out now. Raises Unsealable."""
    tenant, settings = current(), config.settings()
    ours = Way(settings.smtp_url, settings.mail_from or smtp.nobody(tenant.issuer), tenant.name, own=False)
    kept = mail_senders.find()
    if kept is None:
        return ours
    if not proved(kept.address):
        log(__name__).warning("mail.sender_unproved", tenant=tenant.slug)
        return ours
    url = settings.smtp_url if kept.smtp is None else _with_password(kept.smtp, opened(kept))
    return Way(url, kept.address, kept.name or tenant.name, own=kept.smtp is not None)


def has_server() -> bool:
    """Whether the entered tenant has a mail server of its own that counts now."""
    kept = mail_senders.find()
    return kept is not None and kept.smtp is not None and proved(kept.address)


def proved(address: str) -> bool:
    """Whether the domain of an address, or one above it, is a host that the entered tenant has proved."""
    domain = wired(address.rpartition("@")[2])
    return any(domain == host or domain.endswith(f".{host}") for host in current().hosts)


def wired(domain: str) -> str:
    """A domain as the DNS has it (RFC 5891)."""
    return (domain if domain.isascii() else domain.encode("idna").decode()).lower()


def _with_password(url: str, password: str | None) -> str:
    parts = urlsplit(url)
    if not parts.username or password is None:
        return url
    return url.replace("@", f":{quote(password, safe='')}@", 1)


def sealed(password: str) -> tuple[str, bytes]:
    """The password of the entered tenant's server, sealed: the id of the ring key, and what it made."""
    return ring.ring().wrap(password.encode(), current().id, _NAME)


def opened(sender: Sender) -> str | None:
    """The password; None where there is none. Raises Unsealable."""
    if sender.kek_id is None or sender.sealed is None:
        return None
    holding = ring.holding(sender.kek_id)
    return holding.unwrap(sender.kek_id, sender.sealed, current().id, _NAME).decode()


def rewrap() -> int:
    """Seal the entered tenant's password under the newest key of the ring; how many were not yet."""
    with transaction():
        kept = mail_senders.find()
        if kept is None or kept.sealed is None or kept.kek_id == ring.ring().newest.id:
            return 0
        kek_id, again = sealed(opened(kept) or "")
        mail_senders.put(replace(kept, kek_id=kek_id, sealed=again))
    return 1


def sealed_by() -> dict[str, int]:
    """Which ring key seals the entered tenant's password."""
    kept = mail_senders.find()
    return {kept.kek_id: 1} if kept is not None and kept.kek_id is not None else {}
