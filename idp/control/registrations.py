"""Applications that register and manage themselves (RFC 7591, RFC 7592), and the tokens that let them begin.

Nobody vouches for them: they always ask for consent, have no scope of people's groups or roles and nothing that only an
operator sets, and vanish when they never got a token. An operator who vouches for one sets `dynamic` to false.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idp import audit, clock, ids, registration, throttle
from idp.accounts import consent
from idp.audit import Actor, Event
from idp.control import clients, sectors
from idp.errors import InvalidRequest, InvalidToken, NotFound, TooMany
from idp.oauth import admission, software_statements
from idp.registration import strangers
from idp.store.database import transaction
from idp.store.durable import clients as client_store
from idp.store.durable import registrations
from idp.store.durable.clients import Client
from idp.store.durable.registrations import InitialToken
from idp.tenants import current

CLOSED, OPEN = "closed", "open"
LONGEST_NOTE = 200
_OURS = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


def spoken() -> bool:
    """Whether applications can register themselves with the entered tenant."""
    return current().policy.client_registration != CLOSED


def register(metadata: Mapping[str, Any], token: str | None, address: str) -> dict[str, Any]:
    """A new application, as the answer tells it (RFC 7591 section 3.2.1).

    Raises NotFound where registration is closed, InvalidToken, TooMany, Full, InvalidClientMetadata,
    InvalidRedirectUri, and Invalid or Unapproved for a software statement.
    """
    if not spoken():
        raise NotFound(rule="registration.closed", setting="policy.client_registration")
    retry = throttle.failed("registration", address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.registration", setting="policy.registrations")
    client_id, own = ids.secret(128), ids.secret()
    counts, stated = _look(metadata, token)
    with transaction():
        allowed = _allowed(token)
        actor = Actor("client", client_id, address, _by(allowed, stated=stated))
        # Whoever gave an initial access token knows how many come from where.
        origin = admission.origin_of(address) if allowed is None else None
        admission.make(origin, actor)
        given = {"dynamic": True, software_statements.NAME: stated.text if stated is not None else None}
        made = clients.create(client_id, {**strangers.understood(counts), **given}, actor)
        registrations.add(made.client.id, ids.digest(own), made.client.created_at, origin)
    return _told(made.client, own, made.client_secret)


def _look(
    metadata: Mapping[str, Any], token: str | None
) -> tuple[Mapping[str, Any], software_statements.Statement | None]:
    """What counts of the request; what lies elsewhere is looked at here, before the transaction begins.

    For whoever has a token where one is needed. Raises InvalidToken, Invalid, Unapproved, InvalidClientMetadata, Busy.
    """
    if current().policy.client_registration != OPEN and not any(
        ids.same(each.digest, ids.digest(token or "")) for each in list_()
    ):
        raise _refused()
    stated = _stated(metadata, None)
    counts = stated.upon(metadata) if stated is not None else metadata
    sectors.check(counts, vouched=False)
    return counts, stated


def _stated(metadata: Mapping[str, Any], kept: str | None) -> software_statements.Statement | None:
    """The statement that was sent, else the one by which the application is registered, looked at anew."""
    text = metadata.get(software_statements.NAME)
    text = kept if text is None else text
    return None if text is None else software_statements.read(text)


def _by(*reasons: str | None, stated: software_statements.Statement | None) -> str | None:
    """On whose word an application is registered, for the record."""
    words = [each for each in reasons if each is not None]
    if stated is not None:
        words.append(f"software statement of {stated.issuer} for {stated.software_id}")
    return "; ".join(words) or None


def _allowed(token: str | None) -> str | None:
    """By which initial access token somebody registers, in words. Raises InvalidToken."""
    if token is not None:
        used = registrations.use_initial(ids.digest(token), clock.now())
        if used is not None:
            return f"initial access token {used}"
    elif current().policy.client_registration == OPEN:
        return None
    raise _refused()


def _refused() -> InvalidToken:
    return InvalidToken(
        rule="registration.initial", expected="an initial access token", got="none, or none that is good",
        setting="policy.client_registration",
    )  # fmt: skip


def _mine(client_id: str, token: str | None) -> Client:
    """The application whose token this is, in the caller's transaction. Raises InvalidToken, whatever is wrong."""
    client = client_store.by_client_id(client_id) if 0 < len(client_id) <= 256 else None
    kept = registrations.held(client.id) if client is not None else None
    good = ids.same(ids.digest(token or ""), kept or bytes(32))
    if client is None or kept is None or not good or not client.active:
        raise InvalidToken(
            rule="registration.token", expected="the registration access token of the client", got="another"
        )
    return client


def read(client_id: str, token: str | None) -> dict[str, Any]:
    """The application as it is registered (RFC 7592 section 2.1). Raises InvalidToken."""
    with transaction():
        return _told(_mine(client_id, token), str(token), None)


def update(client_id: str, token: str | None, metadata: Mapping[str, Any], address: str) -> dict[str, Any]:
    """The whole registration anew (RFC 7592 section 2.2): what is not named goes back to its default; a new token.

    Raises InvalidToken, InvalidRequest, InvalidClientMetadata, InvalidRedirectUri, and Invalid or Unapproved for the
    software statement, which stays even where it is not sent again.
    """
    with transaction():
        before = _mine(client_id, token)
    stated = _stated(metadata, before.setting(software_statements.NAME))
    counts = stated.upon(metadata) if stated is not None else metadata
    sectors.check(counts, before.metadata, vouched=not before.setting("dynamic"))
    with transaction():
        client = _mine(client_id, token)
        if metadata.get("client_id") != client_id or any(name in metadata for name in _OURS):
            raise InvalidRequest(
                "client_id must be that of the client, and nothing may be sent that only the server sets.",
                rule="registration.update", expected="client_id and no " + ", ".join(_OURS),
            )  # fmt: skip
        secret = metadata.get("client_secret")
        if secret is not None and not (
            isinstance(secret, str) and client.secret_matches(secret, clock.now())
        ):
            raise InvalidRequest("client_secret is not the present one.", rule="registration.secret")
        actor, own = Actor("client", client_id, address, _by(stated=stated)), ids.secret()
        fields = {**dict.fromkeys([*registration.METADATA, *client.metadata]), **strangers.understood(counts)}
        fields |= {software_statements.NAME: stated.text} if stated is not None else {}
        made = clients.update(client_id, fields, actor)
        registrations.renew(client.id, ids.digest(own))
        if client.setting("dynamic") and made.client.metadata != client.metadata:
            consent.forget(client.id)  # it was allowed to who it said to be
    return _told(made.client, own, made.client_secret)


def remove(client_id: str, token: str | None, address: str) -> None:
    """The application leaves (RFC 7592 section 2.3). Raises InvalidToken."""
    with transaction():
        _mine(client_id, token)
        clients.delete(client_id, Actor("client", client_id, address))


def _told(client: Client, token: str, secret: str | None) -> dict[str, Any]:
    """RFC 7591 section 3.2.1; a secret is told once, when it is made."""
    told: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        **client.metadata,
        "registration_client_uri": f"{current().issuer}/register?client_id={client.client_id}",
        "registration_access_token": token,
    }
    statement = client.setting(software_statements.NAME)
    if statement is not None:
        told[software_statements.NAME] = statement
    if secret is not None:
        told |= {"client_secret": secret, "client_secret_expires_at": 0}
    return told


def issue(note: str, uses: int | None, lifetime: int, actor: Actor | None = None) -> tuple[InitialToken, str]:
    """An initial access token for `uses` registrations (None: any number) within `lifetime` seconds; told once."""
    if len(note) > LONGEST_NOTE:
        raise InvalidRequest("The note is too long.", rule="registration.note", expected=LONGEST_NOTE)
    token, now = ids.secret(), clock.now()
    made = InitialToken(ids.uuid7(), ids.digest(token), note, uses, now, now + dt.timedelta(seconds=lifetime))
    with transaction():
        registrations.add_initial(made)
        audit.record(Event.INITIAL_TOKEN_CREATED, actor, token_id=made.id, uses=uses, note=note)
    return made, token


def list_() -> tuple[InitialToken, ...]:
    """The initial access tokens that have not expired."""
    return registrations.initial_tokens(clock.now())


def revoke(token_id: UUID, actor: Actor | None = None) -> None:
    """Nobody registers with this one any more. Raises NotFound."""
    with transaction():
        if not registrations.drop_initial(token_id):
            raise NotFound("There is no such initial access token.", rule="token_id")
        audit.record(Event.INITIAL_TOKEN_REVOKED, actor, token_id=token_id)


def described(token: InitialToken) -> dict[str, Any]:
    """An initial access token as commands show it, never the token itself."""
    return {
        "id": str(token.id), "note": token.note, "uses_left": token.uses_left,
        "created_at": token.created_at.isoformat(), "expires_at": token.expires_at.isoformat(),
    }  # fmt: skip
