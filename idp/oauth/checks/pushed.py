"""Pushed authorization requests (RFC 9126): a client leaves its request here first, and browsers bring its name.

What was pushed takes the place of what comes in the address, as a request object does; nothing beside it counts.
Its name is good for a minute and for the client that pushed, and until it is answered: whoever loads the page of
the sign-in again has not used it up.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from idp import clock
from idp.errors import Busy, InvalidRequest, Refusal
from idp.ids import secret
from idp.oauth.checks.pending import Pending
from idp.oauth.checks.request_object import InvalidRequestUri, to_client
from idp.registration import fapi
from idp.store.ephemeral import pushed
from idp.tenants import current

PREFIX = "urn:ietf:params:oauth:request_uri:"
"""What every name begins with (RFC 9126 §2.2); what follows has 256 bits."""
LIFETIME = 60
"""Seconds for which a name may begin an authorization."""
_LONGEST = 128


def keep(pending: Pending, *, platform: bool = False) -> str:
    """Keep a request that has passed the score; the name under which browsers bring it. Raises Away.

    `platform`: it came to the platform's issuer, which leads its browser to the entered tenant.
    """
    name = PREFIX + secret()
    value: dict[str, Any] = {
        "client": str(pending.known_client.id),
        "params": pending.params,
        "resources": list(pending.resources_given),
        "expires": clock.epoch() + LIFETIME,
        "platform": platform,
    }
    pushed.put(name, value, LIFETIME)
    return name


def unnamed(pending: Pending) -> None:
    """What is pushed is the request itself and never the name of another one (RFC 9126 §2.1)."""
    if pending.get("request_uri") is not None:
        raise InvalidRequest("A pushed request cannot hold request_uri.", rule="pushed.request_uri")


def taken(pending: Pending) -> None:
    """What was pushed takes the place of what came in the address, where its name did (RFC 9126 §4)."""
    if pending.opened:
        return
    name = pending.get("request_uri") or ""
    try:
        if name.startswith(PREFIX):
            _put(pending, name)
        elif pending.known_client.platform_issuer and not current().platform:
            raise InvalidRequest(
                "This application is used by the platform's address.", rule="platform.issuer",
                expected="a request that the platform's issuer has led here",
            )  # fmt: skip
        else:
            _needless(pending)
    except Refusal:
        to_client(pending)
        raise


def _put(pending: Pending, name: str) -> None:
    if pending.get("request") is not None:
        raise InvalidRequest("request and request_uri cannot stand together.", rule="request.one")
    value = pushed.get(name) if len(name) <= _LONGEST else None
    known = pending.known_client
    gone = value is None or value["client"] != str(known.id) or value["expires"] <= clock.epoch()
    if value is None or gone or value.get("platform", False) != known.platform_issuer:
        raise InvalidRequestUri(
            "The request_uri is unknown, has expired, was used, or is of another application.",
            rule="pushed.known",
            expected=f"one that this client has pushed in the last {LIFETIME} s, and that is not answered yet",
            got="none" if value is None else "one of another client, or one too old",
        )
    pending.params, pending.resources_given = value["params"], tuple(value["resources"])
    pending.opened, pending.pushed = True, name


def _needless(pending: Pending) -> None:
    """Raise InvalidRequest where the client or its tenant has every request pushed (RFC 9126 §5, §6)."""
    name = "require_pushed_authorization_requests"
    client, tenant = (
        pending.known_client.metadata.get(name),
        current().policy.require_pushed_authorization_requests,
    )
    if client or tenant or fapi.of(pending.known_client):
        raise InvalidRequest(
            "This application pushes its requests.",
            rule="pushed.required",
            expected="a request_uri of the pushed authorization request endpoint",
            setting=f"{'policy' if tenant else 'client'}.{name}" if client or tenant else "client.profile",
        )


@contextmanager
def answering(name: str | None, late: Callable[[], Refusal] | None = None) -> Iterator[None]:
    """Answer a request, one that was pushed under `name` at most once; undone when nothing comes of it.

    Raises InvalidRequestUri, or what `late` makes, where it has been answered already.
    """
    if name is None:
        yield
        return
    # As long as a sign-in can last that began with the same name in its last second.
    if not pushed.answer(name, LIFETIME + current().policy.transaction_lifetime):
        if late is not None:
            raise late()
        raise InvalidRequestUri(rule="pushed.once", expected="one answer", got="a second one")
    try:
        yield
    except Busy:
        pushed.reopen(name)
        raise
