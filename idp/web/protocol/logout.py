"""end_session (OpenID Connect RP-Initiated Logout 1.0 §2): the question, its answer, and the page after it."""

from urllib.parse import urlencode

from flask import Response

from idp.errors import Forbidden
from idp.oauth.endpoints import end_session
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate

door = Door("logout", __name__, gate=Gate.TENANT, page="logout_error")

_STEP = "logout"


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
    response = _go_on(question)
    cookies.clear(response, cookies.SESSION)
    return response


@door.route("/logout/done", methods=("GET",), credentials=())
def done() -> Response:
    """The page that says it is done."""
    html, csp = pages.render("signed_out", tenant=pages.face(current()), request_id=asked.request_id())
    return answers.page(html, csp)


def _go_on(question: end_session.Question) -> Response:
    if question.redirect_uri is None:
        return answers.see_other(f"{current().issuer}/logout/done")
    if question.state is None:
        return answers.see_other(question.redirect_uri)
    mark = "&" if "?" in question.redirect_uri else "?"
    return answers.see_other(f"{question.redirect_uri}{mark}{urlencode({'state': question.state})}")
