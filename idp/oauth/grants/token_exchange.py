"""token-exchange (RFC 8693): a service that got a person's token asks for one in its own hands, never for more.

Nothing is open that an operator has not named: whose tokens, and for which APIs (`token_exchange` of the client). The
new token says who acts (`act`, three deep at most), has no scope, no audience and no authorization_details that the
other had not, ends with it at the latest, and goes when what it came from is revoked. It cannot be refreshed. One that
was bound to a key becomes one that is bound to the service's own.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from idp import audit, clock, throttle
from idp.audit import Actor, Event
from idp.errors import (
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    UnauthorizedClient,
)
from idp.ids import digest, uuid7
from idp.oauth import binding as bindings
from idp.oauth import client_auth, issue, scopes
from idp.oauth.request import ProtocolRequest
from idp.oauth.tokens import access
from idp.oauth.tokens.access import AccessToken
from idp.registration import TOKEN_EXCHANGE
from idp.store.database import again, transaction
from idp.store.durable import grants, users
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
DEEPEST = 3
"""How many may act for each other in one token."""
_LONGEST = 16_384


class TokenExchange(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Authlib's frame of a grant with our checks and mint."""

    GRANT_TYPE = TOKEN_EXCHANGE
    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate, and see that the request is one that may be asked at all. Raises Refusal."""
        client = client_auth.authenticate(self.request, public=False)
        if self.GRANT_TYPE not in client.grant_types or client.setting("token_exchange") is None:
            raise UnauthorizedClient(
                rule="client.token_exchange", got=self.GRANT_TYPE, setting="client.token_exchange"
            )
        throttle.budget("tokens")
        form = self.request.form
        _typed(form, "subject_token", needed=True)
        _typed(form, "actor_token", needed=False)
        wanted = form.get("requested_token_type", ACCESS_TOKEN)
        if wanted != ACCESS_TOKEN:
            raise InvalidRequest(
                "requested_token_type is not supported.", rule="exchange.requested", expected=ACCESS_TOKEN
            )

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Judge the tokens and mint in one transaction. Raises Refusal."""
        return 200, _exchanged(self.request), []


def _typed(form: dict[str, str], name: str, *, needed: bool) -> None:
    """A token comes with its type, and the type is that of our access tokens (§2.1, §3)."""
    token, kind = form.get(name), form.get(f"{name}_type")
    if token is None and kind is None and not needed:
        return
    if token is None or len(token) > _LONGEST:
        raise InvalidRequest(f"{name} is missing or too long.", rule=f"exchange.{name}")
    if kind != ACCESS_TOKEN:
        raise InvalidRequest(
            f"{name}_type is missing or not supported.", rule=f"exchange.{name}_type", expected=ACCESS_TOKEN
        )


@again
def _exchanged(request: ProtocolRequest) -> dict[str, Any]:
    client: Client = request.client
    with transaction():
        subject = _subject(request, client)
        assert subject.grant is not None and subject.user is not None
        act = _actor(request, client, subject)
        granted, resources = _narrowed(request, client, subject)
        grant = _grant(client, subject, granted, resources, act, request)
        person = issue.check(client, users.held(subject.user.id), grant, binding=request.binding)
        if not grants.stands(subject.grant.id) or not grants.client_stands(client.id):
            raise _unacceptable("exchange.subject_grant", "revoked meanwhile")
        if grants.token_revoked(str(subject.claims["jti"])):
            raise _unacceptable("exchange.subject_token", "revoked meanwhile")
        if not grants.add(grant):
            raise AssertionError("an id of our own is new")
        most = int((grant.expires_at - clock.now()).total_seconds())
        body = issue.mint(
            issue.Order(
                TOKEN_EXCHANGE, client, granted, resources, person, grant, binding=request.binding,
                id_token=False, most=max(1, most), details=request.form.get("authorization_details"),
            )
        )  # fmt: skip
        audit.record(
            Event.TOKEN_EXCHANGED, Actor("client", client.client_id, request.address), grant_id=grant.id,
            from_grant=subject.grant.id, user_id=grant.user_id, of=subject.client.client_id, scopes=list(granted),
        )  # fmt: skip
    return {**body, "issued_token_type": ACCESS_TOKEN}


def _unacceptable(rule: str, got: object, expected: object = None) -> InvalidRequest:
    """One sentence for whatever is wrong with a token (RFC 8693 §2.2.2)."""
    return InvalidRequest(
        "The subject_token or actor_token is invalid or not acceptable.",
        rule=rule,
        expected=expected,
        got=got,
    )


def _read(token: str, rule: str) -> AccessToken:
    try:
        return access.read(token)
    except InvalidToken as refusal:
        raise _unacceptable(rule, f"{refusal.rule}: {refusal.got}") from None


def _subject(request: ProtocolRequest, client: Client) -> AccessToken:
    """The token of a person that is exchanged, good by itself and by the mint, of a client whose tokens may be."""
    subject = _read(request.form["subject_token"], "exchange.subject_token")
    if subject.grant is None or subject.user is None:
        raise _unacceptable("exchange.subject_person", "a client's own token", "a person's token")
    known = client.setting("token_exchange")["subject_clients"]
    if subject.client.client_id not in known:
        raise _unacceptable("exchange.subject_clients", subject.client.client_id, known)
    if "cnf" in subject.claims and request.binding is None:
        raise _unacceptable("exchange.binding", "no key", "a key to which the new token is bound")
    try:
        issue.check(
            subject.client, users.held(subject.user.id), subject.grant, binding=bindings.of(subject.grant.cnf)
        )
    except InvalidGrant as refusal:
        raise _unacceptable(str(refusal.rule), refusal.got) from None
    return subject


def _actor(request: ProtocolRequest, client: Client, subject: AccessToken) -> dict[str, Any]:
    """Who acts: the client itself, before those who acted already (§4.1), where the token names it (§4.4)."""
    token = request.form.get("actor_token")
    if token is not None:
        actor = _read(token, "exchange.actor_token")
        if actor.client.id != client.id or actor.user is not None:
            raise _unacceptable("exchange.actor", "somebody else's token", "the client's own token")
    named = subject.claims.get("may_act")
    if named is not None and (not isinstance(named, dict) or named.get("sub") != client.client_id):
        raise _unacceptable("exchange.may_act", client.client_id, named)
    before = subject.claims.get("act")
    act = {"sub": client.client_id, **({"act": before} if before is not None else {})}
    if _depth(act) > DEEPEST:
        raise _unacceptable("exchange.depth", _depth(act), DEEPEST)
    return act


def _depth(act: object) -> int:
    return 1 + _depth(act.get("act")) if isinstance(act, dict) else 0


def _narrowed(
    request: ProtocolRequest, client: Client, subject: AccessToken
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scopes and resources of the new token: of the old one's, what the client may have and was asked for."""
    asked = scopes.split(request.form.get("scope"))
    beyond = [scope for scope in asked if scope not in subject.scopes]
    if beyond:
        raise InvalidScope(rule="exchange.scope", expected=list(subject.scopes), got=beyond)
    mine = scopes.allowed(client)
    granted = tuple(s for s in asked or subject.scopes if s in mine and s != "offline_access")
    if len(granted) < len(asked):
        raise InvalidScope(rule="scope.allowed", expected=sorted(mine), got=list(asked), setting="api.grants")
    open_to = client.setting("token_exchange")["audiences"]
    wanted = (*request.resources, *filter(None, (request.form.get("audience"),)))
    closed = [each[:256] for each in wanted if each not in open_to]
    if closed:
        raise InvalidTarget(
            rule="exchange.audiences", expected=open_to, got=closed, setting="client.token_exchange"
        )
    resources = scopes.resources(client, wanted)
    granted = scopes.within(client, granted, resources)
    if not granted:
        raise InvalidScope("There is no scope to grant.", rule="exchange.left", expected=list(subject.scopes))
    made = scopes.target(client, granted, resources).audience
    wider = [each for each in made if each not in subject.audience or each not in open_to]
    if wider:
        raise InvalidTarget(
            rule="exchange.audience",
            expected=list(subject.audience),
            got=wider,
            setting="client.token_exchange",
        )
    return granted, resources


def _grant(
    client: Client,
    subject: AccessToken,
    granted: tuple[str, ...],
    resources: tuple[str, ...],
    act: dict[str, Any],
    request: ProtocolRequest,
) -> Grant:
    former, now, made = subject.grant, clock.now(), uuid7()
    assert former is not None
    lasting = timedelta(seconds=max(1, int(subject.claims["exp"]) - clock.epoch()))
    return Grant(
        id=made,
        code_digest=_digest(made),
        user_id=former.user_id,
        client_id=client.id,
        session_id=former.session_id,
        scopes=granted,
        resources=resources,
        claims={grants.EXCHANGED_FROM: subject.claims["jti"]},
        acr=former.acr,
        amr=former.amr,
        auth_time=former.auth_time,
        offline=former.offline,
        created_at=now,
        expires_at=min(former.expires_at, now + lasting),
        cnf=None if request.binding is None else request.binding.cnf,
        parent_id=former.id,
        act=act,
        # Of this very token, which may have been asked for with less than its grant has.
        authorization_details=subject.claims.get("authorization_details"),
    )


def _digest(made: UUID) -> bytes:
    """What stands for a code where there was none."""
    return digest(f"exchanged {made}")
