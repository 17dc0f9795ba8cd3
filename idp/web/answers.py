"""How the doors of the browser answer: a page, a 303, an authorization response, and the cookies beside them."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from flask import Response, request

from idp.accounts import people
from idp.errors import LoginRequired
from idp.ids import secret
from idp.oauth import authorize, flow, interaction, underway
from idp.oauth.flow import Ask, Due, Entered
from idp.oauth.own import Arrived
from idp.oauth.request import AuthorizationRequest, Browser
from idp.oauth.underway import TransactionGone
from idp.tenants import current
from idp.web import asked, cookies, errors, languages, pages, resume
from idp.web.errors import VerifiedRedirect

if TYPE_CHECKING:
    from idp.store.durable.clients import Client
    from idp.store.durable.sessions import Session


def browser(identifier: str = "") -> tuple[Browser, str]:
    """The browser that asks, and the value of its binding cookie, new where it had none.

    `identifier`: of the transaction at whose page it is.
    """
    binding = cookies.read(cookies.BINDING)
    if binding is None or not 22 <= len(binding) <= 64:
        binding = secret(128)
    proof = cookies.read(cookies.proof(identifier)) if identifier else None
    session, trusted = cookies.read(cookies.SESSION), cookies.read(cookies.TRUSTED)
    return Browser(binding, session, asked.address(), asked.agent(), proof, trusted), binding


def entered(due: Due, outcome: Entered, binding: str) -> Response:
    """What follows a factor that was given, with the cookies that the browser is to keep of it."""
    identifier = due.going.identifier
    response = stale(identifier) if outcome.outcome is None else go(outcome.outcome, binding)
    if outcome.session is not None:
        cookies.write(response, cookies.SESSION, outcome.session)
        cookies.clear(response, cookies.proof(identifier))
    if outcome.proof is not None:
        cookies.write(response, cookies.proof(identifier), outcome.proof)
    return response


def _bind(response: Response, binding: str | None) -> None:
    if binding is not None and cookies.read(cookies.BINDING) != binding:
        cookies.write(response, cookies.BINDING, binding)


def page(html: str, csp: str, *, status: int = 200, binding: str | None = None) -> Response:
    """A page with its policy, never stored; one with a `binding` has a form that comes back here.

    Such a form's page says `same-origin`, which tells no other site anything either: under `no-referrer` browsers
    send `Origin: null` with it, and one that sends no `Sec-Fetch-Site` could not be told from another site's.
    """
    response = Response(html, status, mimetype="text/html")
    if binding is not None:
        response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Content-Security-Policy"] = csp
    response.headers["Cache-Control"] = "no-store"
    _bind(response, binding)
    if asked.method() == "GET" and languages.chosen_here():
        cookies.write(response, cookies.LANGUAGE, languages.picked())
    return response


def see_other(location: str) -> Response:
    """303, byte for byte to a verified address: a POST is never sent again with its credentials (RFC 9700 §4.12)."""
    response = Response(status=303, mimetype="text/plain")
    response.autocorrect_location_header = False
    response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store"
    return response


def beyond(response: Response) -> Response:
    """A redirect of which nobody knows where it ends, as a browser that heeds `form-action` will follow it.

    Chromium holds each redirect of a chain against the policy of the page whose form began it: our own, or that of
    another provider, which knows our address and not the application's. A page that goes on by itself ends the chain;
    whoever is no browser is sent on as ever.
    """
    if response.status_code != 303 or asked.environ().get("HTTP_SEC_FETCH_MODE") != "navigate":
        return response
    html, csp = pages.render(
        "onward", tenant=pages.face(current()), continue_url=response.headers["Location"]
    )
    onward = page(html, csp)
    for value in response.headers.getlist("Set-Cookie"):
        onward.headers.add("Set-Cookie", value)
    return onward


def without_cookies() -> bool:
    """Whether a browser posts here from another site, which keeps SameSite=Lax cookies back."""
    return request.method == "POST" and asked.foreign() and cookies.read(cookies.SESSION) is None


def by_get(endpoint: str, parameters: list[tuple[str, str]]) -> Response:
    """The same request once more as a top-level GET, which brings the browser's cookies along."""
    return see_other(f"{current().issuer}/{endpoint}?{urlencode(parameters)}")


def go(outcome: flow.Outcome, binding: str) -> Response:
    """Carry out what a room decided: the page that is due, the answer to the client, or a page of our own."""
    if isinstance(outcome, Arrived):
        response = see_other(f"{current().issuer}/{outcome.path}")
        cookies.clear(response, cookies.RESUME)
        watched(response, outcome.browser_state)
        return response
    if isinstance(outcome, Ask):
        tx = outcome.transaction
        page = f"create?{urlencode({'tx': tx})}" if outcome.create else ""
        response = see_other(f"{current().issuer}/{page}" if page else step_address(outcome.step, tx))
        if outcome.begun is not None:
            kept = resume.make(outcome.transaction, *outcome.begun, outcome.own)
            if kept is not None:
                cookies.write(response, cookies.RESUME, kept)
        _bind(response, binding)
        return response
    return answered(outcome)


def answered(outcome: authorize.Response) -> Response:
    """The answer to a client."""
    if outcome.refusal is not None:
        errors.note(outcome.refusal)
    redirect = VerifiedRedirect(
        outcome.redirect_uri, outcome.issuer, outcome.state, outcome.mode, outcome.sealed_for
    )
    response = errors.authorization_answer(redirect, outcome.params)
    response.headers["Cache-Control"] = "no-store"
    cookies.clear(response, cookies.RESUME)
    if outcome.refusal is None or isinstance(outcome.refusal, LoginRequired):
        watched(response, outcome.browser_state)
    return response


def watched(response: Response, browser_state: str | None) -> None:
    """Let the frame that applications watch find `browser_state`, or nothing (Session Management 1.0 §3.2)."""
    if browser_state is None:
        cookies.clear(response, cookies.STATE)
    elif cookies.read(cookies.STATE) != browser_state:
        cookies.write(response, cookies.STATE, browser_state)


def step_address(step: interaction.Step, identifier: str) -> str:
    """The address of a step's page; relative to the issuer, whatever host the request named."""
    query = {"tx": identifier, **({"ui_locales": languages.picked()} if languages.chosen_here() else {})}
    return f"{current().issuer}/interaction/{step.value}?{urlencode(query)}"


def stale(identifier: str, gone: TransactionGone | None = None) -> Response:
    """A transaction that is no more: begun again by itself when it was lost, else a page with the way on.

    One that came to its end is never begun again: sending its last form twice makes one code.
    """
    over = underway.over(identifier)
    kept = None if over else resume.read(cookies.read(cookies.RESUME), identifier)
    if kept is not None:
        again, unasked = kept
        if unasked:
            response = see_other(again)
            cookies.clear(response, cookies.RESUME)
            return response
        errors.note(gone or TransactionGone(rule="transaction.lifetime"))
        html, csp = pages.render(
            "stale",
            kind="old",
            tenant=pages.face(current()),
            continue_url=again,
            request_id=asked.request_id(),
        )
        return page(html, csp, status=400)
    errors.note(gone or TransactionGone(rule="transaction.finished"))
    html, csp = pages.render(
        "stale",
        kind="done",
        tenant=pages.face(current()),
        continue_url=f"{current().issuer}/",
        request_id=asked.request_id(),
    )
    return page(html, csp, status=400)


def targets(asked_for: AuthorizationRequest) -> tuple[str, ...]:
    """Where a form of a request's pages may lead in the end, as sources of a page's policy."""
    return () if asked_for.elsewhere is not None else (pages.form_target(asked_for.redirect_uri),)


def client_face(client: "Client", redirect_uri: str = "") -> pages.ClientFace:
    """How an application shows itself."""
    uri = redirect_uri or (client.redirect_uris[0] if client.redirect_uris else "")
    parts, assured = urlsplit(uri), interaction.assured(client)
    goes_to = parts.netloc or parts.scheme
    document = client.client_id if client.setting("metadata_document") else ""
    return pages.ClientFace(
        name=str(languages.best(client.metadata, "client_name") or client.name),
        host=urlsplit(document).netloc or goes_to,
        document=document,
        answer_host=goes_to,
        # No picture of a stranger's choice, which could be anybody's, and tells its owner who looks.
        logo_uri=languages.best(client.metadata, "logo_uri") if assured or not document else None,
        policy_uri=languages.best(client.metadata, "policy_uri"),
        tos_uri=languages.best(client.metadata, "tos_uri"),
        assured=assured,
    )


def person(session: "Session | None") -> str:
    """The sign-in name of whose session it is, as pages show it."""
    return people.shown_name(session.user_id) if session is not None else ""
