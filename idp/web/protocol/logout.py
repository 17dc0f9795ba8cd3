"""end_session (OpenID Connect RP-Initiated Logout 1.0 §2): the question, its answer, and the page after it."""

from urllib.parse import urlencode
from uuid import UUID

from flask import Response

from idp import clock
from idp.errors import Forbidden
from idp.ids import digest
from idp.oauth.endpoints import end_session
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages, signed
from idp.web.gates import Door, Gate

door = Door("logout", __name__, gate=Gate.TENANT, page="logout_error")

_STEP = "logout"
_LEAVING = b"signed out"
_LINK = 300
"""Seconds for which the page with the frames can be opened."""


@door.route("/logout", methods=("GET", "POST"), credentials=("cookie", "client_id", "id_token"))
def ask() -> Response:
    """Ask whether to sign out; where nobody is signed in there is nothing to ask."""
    browser, binding = answers.browser()
    parameters = asked.parameters()
    question = end_session.ask(parameters, browser)
    if answers.without_cookies():
        return answers.by_get("logout", list(question.params.items()))
    if question.session is None:
        return _go_on(question)
    html, csp = pages.render(
        "logout",
        tenant=pages.face(current()),
        client=answers.client_face(question.client) if question.client else None,
        csrf=csrf.token(binding, _STEP),
        action=f"{current().issuer}/logout/confirm",
        hidden=tuple(question.params.items()),
        user=answers.person(question.session),
        keeps_access=question.keeps_access,
        request_id=asked.request_id(),
        form_action=(pages.form_target(question.redirect_uri),) if question.redirect_uri else (),
    )
    return answers.page(html, csp, binding=binding)


@door.route("/logout/confirm", methods=("POST",), credentials=("cookie", "csrf", "id_token"))
def confirm() -> Response:
    """Do what the person answered."""
    form = asked.page_form()
    browser, binding = answers.browser()
    if asked.foreign() or not csrf.good(form.get("csrf"), binding, _STEP):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    question = end_session.ask(form, browser)
    if form.get("action", "confirm") != "confirm":
        return answers.see_other(f"{current().issuer}/")
    end_session.sign_out(question.session, browser)
    ended = question.session.id if question.session is not None else None
    framed = ended is not None and bool(end_session.frames(ended))
    response = answers.see_other(_leaving(question, ended, binding)) if framed and ended else _go_on(question)
    cookies.clear(response, cookies.SESSION)
    answers.watched(response, None)
    return response


@door.route("/logout/done", methods=("GET",), credentials=())
def done() -> Response:
    """The page that says it is done."""
    return _signed_out()


@door.route("/logout/frontchannel", methods=("GET",), credentials=())
def frontchannel() -> Response:
    """The same, with a frame of each application that wants one; only as the end of a sign-out in this browser."""
    _, binding = answers.browser()
    kept = signed.read(_LEAVING, asked.query().get("for"))
    if kept is None or kept["b"] != _mark(binding) or clock.epoch() >= kept["t"] + _LINK:
        return _signed_out()
    return _signed_out(end_session.frames(UUID(kept["s"])), kept["n"])


def _signed_out(frames: tuple[str, ...] = (), onward: str = "") -> Response:
    html, csp = pages.render(
        "signed_out",
        tenant=pages.face(current()),
        request_id=asked.request_id(),
        frames=frames,
        continue_url=onward,
    )
    return answers.page(html, csp)


def _leaving(question: end_session.Question, ended: UUID, binding: str) -> str:
    """The address of the page with the frames: a link for this browser, for a few minutes."""
    kept = {"s": str(ended), "n": end_session.onward(question), "t": clock.epoch(), "b": _mark(binding)}
    return f"{current().issuer}/logout/frontchannel?{urlencode({'for': signed.write(_LEAVING, kept)})}"


def _mark(binding: str) -> str:
    return digest(binding).hex()[:16]


def _go_on(question: end_session.Question) -> Response:
    return answers.see_other(end_session.onward(question) or f"{current().issuer}/logout/done")
