"""The way of an authorization request through the pages, from /authorize to the code.

The request lives in Redis from its first page to its end (`idp.oauth.underway`), and is played through the score
again at every step: a client that was disabled meanwhile is found. The step that is due is decided here and never by
what a page posts.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from idp import audit
from idp.accounts import assurance, consent, sessions
from idp.accounts.mailed import Place
from idp.audit import Actor, Event
from idp.errors import ConsentRequired, InteractionRequired, LoginRequired, Refusal
from idp.oauth import authorize, elsewhere, metadata_documents, own, scopes, situation, underway
from idp.oauth.authorize import Response, Returned
from idp.oauth.checks.pushed import answering
from idp.oauth.granting import granted, person
from idp.oauth.interaction import (
    Situation,
    Step,
    must_consent,
    must_sign_in,
    next_step,
    right_person,
    short,
)
from idp.oauth.own import Arrived
from idp.oauth.request import AuthorizationRequest, Browser
from idp.oauth.underway import Transaction, TransactionGone, ending, keep
from idp.store.database import again, transaction
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.store.durable.users import User
from idp.store.ephemeral import gathering


@dataclass(frozen=True, slots=True)
class Ask:
    """A page is due: which step, of which transaction. `begun`: the request, when it has just begun."""

    step: Step
    transaction: str
    begun: tuple[dict[str, str], tuple[str, ...]] | None = None
    own: str = ""
    """The page of our own that it leads to, as `Transaction.own`."""
    create: bool = False
    """Whether the client asks that an account be made first (Initiating User Registration 1.0 §4)."""


Outcome = Response | Ask | Arrived
"""What a room decided: an answer to a client, a page that is due, or a page of our own."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of a factor that was given, and what the browser is to keep of it.

    `outcome` is None when the same form had been sent before: the browser then keeps the session that now counts.
    """

    outcome: Outcome | None
    session: str | None = None
    """The cookie of the session that has begun or gone on."""
    proof: str | None = None
    """The cookie of the first factor, while it waits for the second."""


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
    facts = situation.of(request, client, session, None, browser, None)
    if "none" in request.prompt:
        if pending.stranger:
            raise ConsentRequired(rule="prompt.none", expected="a client that somebody has allowed")
        return _silently(facts, browser, pending.pushed)
    step = next_step(facts)
    if step is Step.DONE and session is not None:
        with answering(pending.pushed):
            return granted(request, client, session, browser)
    started = underway.begin(
        pending.params, pending.resources_given, browser, opened=pending.opened, pushed=pending.pushed
    )
    create = step is Step.LOGIN and "create" in request.prompt
    return Ask(step, started.identifier, (params, resources), create=create)


def begin_own(path: str, browser: Browser, *, max_age: int | None = None, acr: str = "") -> Arrived | Ask:
    """Begin a sign-in for a page of our own, a path below the issuer: there at once, or the page that is due.

    `max_age`: seconds that may have passed since the person signed in; `acr`: how sure that must be.
    Raises TooMany as `begin` does.
    """
    session = sessions.read(browser.session_token)
    given = {"max_age": "" if max_age is None else str(max_age), "acr_values": acr}
    params = {name: value for name, value in given.items() if value}
    facts = situation.of(own.request(path, params), own.OURSELVES, session, None, browser, None)
    step = next_step(facts)
    if step is Step.DONE:
        return own.arrived(path, session)
    started = underway.begin(params, (), browser, own=path)
    return Ask(step, started.identifier, (params, ()), path)


def answer(name: str, browser: Browser) -> Ask:
    """Begin to answer a request that was made at another place: the page that is due. Raises Gone, TooMany."""
    request, client = elsewhere.asked(name)
    session = sessions.read(browser.session_token)
    started = underway.begin({}, (), browser, elsewhere=name)
    facts = situation.of(request, client, session, started, browser, None)
    return Ask(next_step(facts), started.identifier)


def _played(going: Transaction) -> tuple[AuthorizationRequest, Client]:
    """The request and whose it is, judged anew. Raises Returned, TransactionGone, Refusal."""
    if going.own:
        return own.request(going.own, going.params), own.OURSELVES
    if going.elsewhere:
        return elsewhere.under_way(going.elsewhere)
    request, pending = authorize.play(going.params, going.resources, opened=going.opened)
    return request, pending.known_client


def _silently(facts: Situation, browser: Browser, pushed: str | None) -> Response:
    """prompt=none: an answer without any page (OpenID Connect Core 1.0 §3.1.2.6)."""
    request = facts.request
    refusal: Refusal | None = None
    if must_sign_in(facts):
        refusal = LoginRequired(rule="prompt.none", expected="a session", got=_why(facts))
    elif short(facts):
        refusal = InteractionRequired(rule="prompt.none", expected="a second factor", got="one factor")
    elif must_consent(facts):
        refusal = ConsentRequired(rule="prompt.none", setting="client.require_consent")
    if refusal is not None:
        return authorize.error_response(refusal, request, facts.client)
    assert facts.session is not None
    with answering(pushed):
        return granted(request, facts.client, facts.session, browser)


def _why(facts: Situation) -> str:
    return "no session" if facts.session is None else "a session of another person, or one too old"


@dataclass(frozen=True, slots=True)
class Due:
    """What a page needs: the step that is due now, the request, the client, and who is signed in."""

    step: Step
    request: AuthorizationRequest
    client: Client
    session: Session | None
    going: Transaction
    waiting: User | None = None
    """Who has given a first factor and is asked for the second."""
    given: tuple[str, ...] = ()
    """What that first factor was (RFC 8176 §2)."""

    @property
    def entries(self) -> tuple[str, ...]:
        """What consent is asked for: each scope with its API."""
        return scopes.qualified(self.client, self.request.scopes, self.request.resources)


def place_of(due: Due, browser: Browser) -> Place:
    """Where this sign-in is, as a message or the page behind its link tells it."""
    client_id = "" if due.going.own else due.client.client_id
    return Place(due.going.identifier, client_id, browser.address, browser.user_agent)


def due(identifier: str, browser: Browser) -> Due:
    """The step that is due in this transaction. Raises TransactionGone; Returned when it can only fail."""
    going = underway.load(identifier, browser)
    request, client = _played(going)
    session, waiting = sessions.read(browser.session_token), going.waiting(browser)
    facts = situation.of(request, client, session, going, browser, waiting)
    given = going.first.amr if waiting is not None and going.first is not None else ()
    return Due(next_step(facts), request, client, session, going, waiting, given)


def sign_in(
    due_now: Due, user: User, amr: tuple[str, ...], browser: Browser, auth_time: datetime | None = None
) -> Entered:
    """The person has given a first factor on the page: on to the second, or to a session and what follows.

    `auth_time`: when they did, where that was before now (at an upstream). Raises AccessDenied, Unavailable, Away.
    """
    going = due_now.going
    proof = going.wait(user, amr, auth_time)
    bound = replace(browser, proof=proof)
    facts = situation.of(due_now.request, due_now.client, due_now.session, going, bound, user)
    if not short(facts):
        return enter(due_now, user, amr, browser)
    keep(going)
    return Entered(Ask(next_step(facts), going.identifier), proof=proof)


@again
def enter(due_now: Due, user: User, amr: tuple[str, ...], browser: Browser) -> Entered:
    """All that was needed has been given: begin the person's session and go on with it, in one transaction.

    Raises AccessDenied, Unavailable, Away.
    """
    going = due_now.going
    auth_time = going.first.auth_time if going.first is not None else None
    with transaction(), audit.together(), gathering():
        session, token = sessions.start(
            user, amr, browser.address, browser.user_agent, replaces=due_now.session, auth_time=auth_time
        )
        going.session_id, going.first = session.id, None
        try:
            return Entered(_go_on(going, session, browser, user), token)
        except TransactionGone:
            return Entered(None, token)


@again
def step_up(due_now: Due, session: Session, amr: tuple[str, ...], browser: Browser) -> Entered:
    """A second factor was given in a session: it goes on under a new token, as old as its first factor is.

    Raises TransactionGone, Unavailable, Away.
    """
    with transaction(), audit.together(), gathering():
        raised = sessions.raised(session, assurance.together(session.amr, amr))
        if raised is None:
            return Entered(_go_on(due_now.going, None, browser))
        return Entered(_go_on(due_now.going, raised[0], browser), raised[1])


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


def again_as_another(due_now: Due, browser: Browser) -> Outcome:
    """The person has no second factor at hand, or is another one: back to the first page."""
    due_now.going.first = None
    if due_now.waiting is None and due_now.session is not None:
        due_now.going.same = False
    return _go_on(due_now.going, due_now.session, browser)


def denied(due_now: Due, refusal: Refusal, browser: Browser) -> Response | Arrived:
    """The person said no: the transaction ends, the client hears `access_denied`.

    One for a page of ours leads to the start page.
    """
    request = due_now.request
    if due_now.going.own:
        with ending(due_now.going):
            return own.arrived("", due_now.session)
    if due_now.going.elsewhere:
        with ending(due_now.going):
            return elsewhere.denied(request, due_now.client, due_now.session, browser, due_now.step)
    actor = Actor("user", str(due_now.session.user_id) if due_now.session else None, browser.address)
    client_id = due_now.client.client_id
    with ending(due_now.going), transaction():
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
        with ending(going):
            return returned.response
    waiting = going.waiting(browser) if user is None else None
    facts = situation.of(request, client, session, going, browser, waiting)
    if user is not None and not right_person(facts):
        # Somebody else than the hint or the claims parameter named: never answered silently as them (CO17).
        with ending(going):
            if going.elsewhere:
                return elsewhere.arrived("other", session)
            refusal = LoginRequired(
                "Another person signed in than the request names.", rule="login.right_person"
            )
            return authorize.error_response(refusal, request, client)
    step = next_step(facts)
    if step is not Step.DONE or session is None:
        keep(going)
        return Ask(step, going.identifier)
    with ending(going):
        if going.own:
            return own.arrived(going.own, session)
        if going.elsewhere:
            return elsewhere.allowed(request, client, session, browser, going.consented or ())
        return granted(request, client, session, browser, going.consented or (), user)
