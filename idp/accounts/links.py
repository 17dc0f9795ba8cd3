"""Links in messages that open something once: made, looked at, and burned.

A link has 256 bits; a digest of it is kept. It opens one thing, in the tenant that sent it, as long as the account is
in the state in which it was sent: a changed password, address or `not_before`, or a sign-in since, and it is nothing.
The newest of a kind alone counts. Looking at a link uses nothing up, because mail programs and scanners look too.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from idp import clock, throttle
from idp.errors import NotFound, TooMany
from idp.ids import digest, same, secret, uuid7
from idp.signing import sealed
from idp.store.durable import credentials, links, sessions, users
from idp.store.durable.links import Link
from idp.store.durable.users import User
from idp.tenants import current

LENGTH = 43  # 256 bits in base64url


class Kind(StrEnum):
    """What a link opens, and the path of its page below the issuer."""

    RESET = "recover"
    ADDRESS = "confirm"
    JOIN = "join"
    KEEP = "keep"


class LinkGone(NotFound):
    """It is too old, was used, belongs to a state that is over, or never was one: nobody can tell which."""

    code = "link_gone"
    status = 400
    description = "This link does not work any more."


def asked(address: str) -> None:
    """Count that somebody at this address asks for a message with a link. Raises TooMany."""
    retry = throttle.failed("recovery", address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.recovery", setting="policy.recoveries")


def make(kind: Kind, seconds: int, user: User | None = None, **carried: Any) -> str:
    """A new link in the caller's transaction: its whole address. Former ones of that kind for the person are over.

    `seconds`: how long it works; `carried`: what `read` gives back with it.
    """
    now, token = clock.now(), secret()
    if user is not None:
        links.drop_of(user.id, kind)
    links.add(
        Link(
            id=uuid7(), kind=kind, digest=digest(token), user_id=user.id if user else None,
            state=state(user) if user else None, sealed=sealed.write(kind, carried) if carried else None,
            created_at=now, expires_at=now + timedelta(seconds=seconds),
        )
    )  # fmt: skip
    return f"{current().issuer}/{kind.value}?link={token}"


def find(kind: Kind, token: str | None) -> tuple[Link, User | None]:
    """The link that still works, and whose it is. Raises LinkGone."""
    known = bool(token) and len(token or "") == LENGTH and (token or "").isascii()
    link = links.find(kind, digest(token or "")) if known else None
    if link is None or link.used_at is not None or clock.now() >= link.expires_at:
        raise LinkGone(rule="links.works", got=_why(link))
    user = users.by_id(link.user_id) if link.user_id else None
    if link.user_id and (user is None or not _opens(link, user)):
        raise LinkGone(rule="links.state", got="the account has changed since")
    return link, user


def _why(link: Link | None) -> str:
    return "none" if link is None else "used" if link.used_at is not None else "expired"


def carried(link: Link) -> dict[str, Any]:
    """What was given to `make` beside the person."""
    return sealed.read(link.kind, link.sealed) if link.sealed else {}


def burn(link: Link) -> None:
    """Use the link up, in the transaction of what it opens. Raises LinkGone for all but one of many at once."""
    if link.user_id is not None:
        user = users.held(link.user_id)
        if user is None or not _opens(link, user):
            raise LinkGone(rule="links.state", got="the account has changed since")
    if not links.burn(link.id, clock.now()):
        raise LinkGone(rule="links.once", got="used")


def forget(user_id: UUID) -> None:
    """Every unused link of a person is over."""
    links.drop_of(user_id)


def _opens(link: Link, user: User) -> bool:
    """Whether the account is as it was; only who has left is no longer active, and can be kept."""
    if not user.active and link.kind != Kind.KEEP:
        return False
    if link.state is None or not same(link.state, state(user)):
        return False
    # Whoever signs in since has not forgotten the password.
    return link.kind != Kind.RESET or all(
        each.auth_time <= link.created_at for each in sessions.of_user(user.id)
    )


def state(user: User) -> bytes:
    """A digest of what a link or a code depends on; of the password its hash, so that a new one is a new state."""
    since = user.not_before.isoformat() if user.not_before else ""
    told = (user.email or "", str(user.email_verified), since, credentials.password_of(user.id) or "")
    return digest("\x00".join(told))
