"""The way of an authorization request through the pages, from /authorize to the code.

The request lives in Redis from its first page to its end, bound to one browser, and is played through the
score again at every step: a client that was disabled meanwhile is found. The step that is due is decided
here and never by what a page posts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from idp import audit, clock, throttle
from idp.accounts import consent, sessions, subjects
from idp.audit import Actor, Event
from idp.errors import Busy, ConsentRequired, InvalidToken, LoginRequired, Refusal, TooMany
from idp.ids import secret
from idp.oauth import authorize, elsewhere, metadata_documents, own, scopes
from idp.oauth.authorize import Response, Returned
from idp.oauth.checks.pushed import answering
from idp.oauth.granting import granted, person
from idp.oauth.interaction import Situation, Step, must_consent, must_sign_in, next_step, right_person
from idp.oauth.own import Arrived
from idp.oauth.request import AuthorizationRequest, Browser
from idp.oauth.tokens import id_token
from idp.oauth.underway import Transaction, TransactionGone, bound, keep, left, load
from idp.store.database import again, transaction
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.store.durable.users import User
from idp.store.ephemeral import flush, gathering, transactions


@dataclass(frozen=True, slots=True)
class Ask:
    """A page is due: which step, of which transaction. `begun`: the request, when it has just begun."""

    step: Step
    transaction: str
    begun: tuple[dict[str, str], tuple[str, ...]] | None = None
    own: str = ""
    """The page of our own that it leads to, as `Transaction.own`."""


Outcome = Response | Ask | Arrived
"""What a room decided: an answer to a client, a page that is due, or a page of our own."""


def begin(params: dict[str, str], resources: tuple[str, ...], browser: Browser) -> Response | Ask:
    """Judge a new authorization request: an answer at once, or the page that is due.

    Raises Refusal when an error must be a page, TooMany when the address has too many unfinished requests.
    """
    metadata_documents.count(params.get("client_id", ""), browser.address)
    try:
        request, pending = authorize.play(params, resources)
    except Returned as returned:
        return returned.response
    client = pending.known_client
    session = sessions.read(browser.session_token)
    situation = _situation(request, client, session, None)
    if "none" in request.prompt:
        if pending.stranger:
            raise ConsentRequired(rule="prompt.none", expected="a client that somebody has allowed")
        return _silently(situation, browser, pending.pushed)
    step = next_step(situation)
    if step is Step.DONE and session is not None:
        with answering(pending.pushed):
            return granted(request, client, session, browser)
    started = Transaction(
        secret(),
        pending.params,
        pending.resources_given,
        bound(browser),
        clock.epoch(),
        opened=pending.opened,
        pushed=pending.pushed,
    )
    _count(started, browser)
    keep(started)
    return Ask(step, started.identifier, (params, resources))


def begin_own(path: str, browser: Browser, *, max_age: int | None = None) -> Arrived | Ask:
    """Begin a sign-in for a page of our own, a path below the issuer: there at once, or the page that is due.

    `max_age`: seconds that may have passed since the person signed in. Raises TooMany as `begin` does.
    """
    session = sessions.read(browser.session_token)
    params = {} if max_age is None else {"max_age": str(max_age)}
    step = next_step(_situation(own.request(path, params), own.OURSELVES, session, None))
    if step is Step.DONE:
        return own.arrived(path, session)
    started = Transaction(secret(), params, (), bound(browser), clock.epoch(), own=path)
    _count(started, browser)
    keep(started)
    return Ask(step, started.identifier, (params, ()), path)


def answer(name: str, browser: Browser) -> Ask:
    """Begin to answer a request that was made at another place: the page that is due. Raises Gone, TooMany."""
    request, client = elsewhere.asked(name)
    session = sessions.read(browser.session_token)
    started = Transaction(secret(), {}, (), bound(browser), clock.epoch(), elsewhere=name)
    _count(started, browser)
    keep(started)
    return Ask(next_step(_situation(request, client, session, started)), started.identifier)


def _played(going: Transaction) -> tuple[AuthorizationRequest, Client]:
    """The request and whose it is, judged anew. Raises Returned, TransactionGone, Refusal."""
    if going.own:
        return own.request(going.own, going.params), own.OURSELVES
    if going.elsewhere:
        return elsewhere.under_way(going.elsewhere)
    request, pending = authorize.play(going.params, going.resources, opened=going.opened)
    return request, pending.known_client


def _silently(situation: Situation, browser: Browser, pushed: str | None) -> Response:
    """prompt=none: an answer without any page (OpenID Connect Core 1.0 §3.1.2.6)."""
    request = situation.request
    refusal: Refusal | None = None
    if must_sign_in(situation):
        refusal = LoginRequired(rule="prompt.none", expected="a session", got=_why(situation))
    elif must_consent(situation):
        refusal = ConsentRequired(rule="prompt.none", setting="client.require_consent")
    if refusal is not None:
        return authorize.error_response(refusal, request, situation.client)
    assert situation.session is not None
    with answering(pushed):
        return granted(request, situation.client, situation.session, browser)


def _why(situation: Situation) -> str:
    return "no session" if situation.session is None else "a session of another person, or one too old"


def _situation(
    request: AuthorizationRequest, client: Client, session: Session | None, going: Transaction | None
) -> Situation:
    consented = going.consented if going is not None else None
    entries = scopes.qualified(client, request.scopes, request.resources)
    here = going is not None and session is not None and going.session_id == session.id
    return Situation(
        request=request,
        client=client,
        session=session,
        sub="" if session is None else subjects.of(client, session.user_id),
        hinted_sub=_hinted(request, client),
        remembered=session is not None
        and bool(client.setting("require_consent"))
        and consent.remembered(session.user_id, client.id, entries),
        signed_in_here=here,
        consented_here=consented is not None and set(entries) <= set(consented),
        now=clock.now(),
        same=going.same if going is not None else None,
    )


def _hinted(request: AuthorizationRequest, client: Client) -> str | None:
    """The `sub` of the id_token_hint. A hint that is not ours matches nobody."""
    if request.id_token_hint is None:
        return None
    try:
        claims = id_token.read(request.id_token_hint, audience=client.client_id, expired_is_fine=True)
    except InvalidToken:
        return ""
    return str(claims.get("sub", ""))


def _count(started: Transaction, browser: Browser) -> None:
    retry = throttle.failed("unfinished", browser.address)
    if retry is not None:
        raise TooMany(
            retry_after=retry, rule="throttle.unfinished", setting="policy.unfinished_authorizations"
        )
    started.counted = browser.address


@dataclass(frozen=True, slots=True)
class Due:
    """What a page needs: the step that is due now, the request, the client, and who is signed in."""

    step: Step
    request: AuthorizationRequest
    client: Client
    session: Session | None
    going: Transaction

    @property
    def entries(self) -> tuple[str, ...]:
        """What consent is asked for: each scope with its API."""
        return scopes.qualified(self.client, self.request.scopes, self.request.resources)


def due(identifier: str, browser: Browser) -> Due:
    """The step that is due in this transaction. Raises TransactionGone; Returned when it can only fail."""
    going = load(identifier, browser)
    request, client = _played(going)
    session = sessions.read(browser.session_token)
    step = next_step(_situation(request, client, session, going))
    return Due(step, request, client, session, going)


@again
def sign_in(due_now: Due, user: User, amr: tuple[str, ...], browser: Browser) -> tuple[Outcome | None, str]:
    """The person has proved who they are on the page: begin their session and go on with it, in one transaction.

    The outcome and the session's cookie token; the outcome is None when the same form had been sent before:
    the browser then keeps the session that now counts. Raises AccessDenied, Unavailable, Away.
    """
    with transaction(), audit.together(), gathering():
        session, token = sessions.start(
            user, amr, browser.address, browser.user_agent, replaces=due_now.session
        )
        due_now.going.session_id = session.id
        try:
            return _go_on(due_now.going, session, browser, user), token
        except TransactionGone:
            return None, token


def consented(due_now: Due, browser: Browser) -> Outcome:
    """The person has allowed what the page showed; a client that only described itself gets its row by it.

    Raises TransactionGone when that is not what is due, Full.
    """
    if due_now.step not in (Step.CONSENT, Step.APPROVE) or due_now.session is None:
        return go_on(due_now, browser)
    entries = due_now.entries
    due_now.going.consented = entries
    client = metadata_documents.keep(due_now.client, browser.address)
    with transaction():
        consent.remember(due_now.session.user_id, client.id, entries)
        audit.record(
            Event.CONSENT_GRANTED,
            person(due_now.session, browser),
            client_id=client.client_id,
            scopes=list(entries),
        )
    return _go_on(due_now.going, due_now.session, browser)


def chosen(due_now: Due, browser: Browser, *, same: bool) -> Outcome:
    """The person goes on as who is signed in, or as somebody else. Raises TransactionGone."""
    if due_now.step is Step.ACCOUNT:
        due_now.going.same = same
    return _go_on(due_now.going, due_now.session, browser)


def go_on(due_now: Due, browser: Browser) -> Outcome:
    """What is due now, without anything new having been done."""
    return _go_on(due_now.going, due_now.session, browser)


def denied(due_now: Due, refusal: Refusal, browser: Browser) -> Response | Arrived:
    """The person said no: the transaction ends, the client hears `access_denied`.

    One for a page of ours leads to the start page.
    """
    request = due_now.request
    if due_now.going.own:
        with _ending(due_now.going):
            return own.arrived("", due_now.session)
    if due_now.going.elsewhere:
        with _ending(due_now.going):
            return elsewhere.denied(request, due_now.client, due_now.session, browser, due_now.step)
    actor = Actor("user", str(due_now.session.user_id) if due_now.session else None, browser.address)
    client_id = due_now.client.client_id
    with _ending(due_now.going), transaction():
        if due_now.step is Step.CONSENT:
            audit.record(Event.CONSENT_DENIED, actor, client_id=client_id, scopes=list(due_now.entries))
        audit.record(Event.AUTHORIZATION_DENIED, actor, client_id=client_id, step=due_now.step.value)
    return authorize.error_response(refusal, request, due_now.client)


def _go_on(
    going: Transaction, session: Session | None, browser: Browser, user: User | None = None
) -> Outcome:
    """What follows; `user`: whose session has just begun, in this transaction."""
    try:
        request, client = _played(going)
    except Returned as returned:
        with _ending(going):
            return returned.response
    situation = _situation(request, client, session, going)
    if user is not None and not right_person(situation):
        # Somebody else than the hint or the claims parameter named: never answered silently as them (CO17).
        with _ending(going):
            if going.elsewhere:
                return elsewhere.arrived("other", session)
            refusal = LoginRequired(
                "Another person signed in than the request names.", rule="login.right_person"
            )
            return authorize.error_response(refusal, request, client)
    step = next_step(situation)
    if step is not Step.DONE or session is None:
        keep(going)
        return Ask(step, going.identifier)
    with _ending(going):
        if going.own:
            return own.arrived(going.own, session)
        if going.elsewhere:
            return elsewhere.allowed(request, client, session, browser, going.consented or ())
        return granted(request, client, session, browser, going.consented or (), user)


def _finished() -> TransactionGone:
    return TransactionGone(rule="transaction.finished", expected="one end", got="a second one")


@contextmanager
def _ending(going: Transaction) -> Iterator[None]:
    """End the transaction atomically, so that two posts of one page make one code; undone when nothing comes of it."""
    if not transactions.finish(going.identifier, left(going)):
        raise _finished()
    try:
        with answering(going.pushed, _finished), gathering():
            yield
            if going.counted:
                throttle.forgive("unfinished", going.counted)
            flush()
    except Busy:
        transactions.reopen(going.identifier, going.state(), left(going))
        raise
