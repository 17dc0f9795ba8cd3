"""A forgotten password: asking for a link, and setting a new password by it.

Opening the link uses nothing up, posting the form does. Nobody is signed in by it: the sign-in that was under way in
this browser goes on, with the new password.
"""

from urllib.parse import urlencode

from flask import Response

from idp.accounts import links as rules
from idp.accounts import recovery, strength
from idp.accounts.links import Kind, LinkGone
from idp.accounts.strength import Weak
from idp.errors import Busy, Forbidden, NotFound
from idp.oauth.interaction import Step
from idp.speech import say
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import links, steps
from idp.web.languages import _

door = Door("recover", __name__, gate=Gate.TENANT, page="error")

_BUSY = say("This is busy at the moment. Try again in a few seconds.")


@door.route("/forgot", credentials=())
def ask() -> Response:
    """Who are you?"""
    _offered()
    steps.beside(links.waiting(), answers.browser()[0])
    return _asking()


@door.route("/forgot", methods=("POST",), credentials=("cookie", "csrf"), endpoint="send")
def send() -> Response:
    """The same answer for everybody, after the same work."""
    _offered()
    form = asked.page_form()
    browser, binding = answers.browser()
    steps.beside(links.waiting(), browser)
    if asked.foreign() or not csrf.good(form.get("csrf"), binding, "forgot"):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    name = form.get("username", "").strip()
    if not name:
        return _asking(error="nothing")
    recovery.ask(name, links.waiting(), browser.address)
    return _asking(sent=True)


def _offered() -> None:
    if not recovery.offered():
        raise NotFound(rule="recovery.offered", setting="policy.password_recovery")


def _asking(*, error: str = "", sent: bool = False) -> Response:
    _, binding = answers.browser()
    transaction = links.waiting()
    back = answers.step_address(Step.LOGIN, transaction) if transaction else ""
    html, csp = pages.render(
        "forgot",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, "forgot"),
        action=f"{current().issuer}/forgot?{urlencode({'tx': transaction})}",
        error=error,
        sent=sent,
        minutes=max(1, current().policy.reset_lifetime // 60),
        back_url=back,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, binding=binding)


@door.route("/recover", credentials=("cookie", "link"))
def show() -> Response:
    """The form, once the link has left the address."""
    try:
        return links.taken(Kind.RESET) or _form()
    except LinkGone as refusal:
        return _gone(refusal)


@door.route("/recover", methods=("POST",), credentials=("cookie", "csrf"), endpoint="reset")
def reset() -> Response:
    """Set it, and go on with the sign-in."""
    form, browser, token = links.posted(Kind.RESET)
    new = form.get("new_password", "")
    try:
        if not new:
            return _form(_("Enter a new password."))
        transaction = recovery.reset(token, new, browser.address)
    except Weak as weak:
        return _form(weak.sentence)
    except Busy:
        return _form(_BUSY, status=503)
    except LinkGone as refusal:
        return _gone(refusal)
    response = answers.see_other(f"{current().issuer}/recover/done{links.onward(transaction, browser)}")
    cookies.clear(response, links.cookie(Kind.RESET))
    return response


@door.route("/recover/done", credentials=())
def done() -> Response:
    """It is set; on to the sign-in that waits, or to the account."""
    transaction = links.waiting()
    steps.beside(transaction, answers.browser()[0])
    onward = answers.step_address(Step.LOGIN, transaction) if transaction else f"{current().issuer}/account"
    return links.message(
        "recovered",
        _("Your password is set"),
        _("Every browser that was signed in has been signed out. Sign in with the new password."),
        continue_url=onward,
        continue_label=_("Sign in"),
    )


def _form(error: str = "", *, status: int = 200) -> Response:
    _, binding = answers.browser()
    token = links.held(Kind.RESET)
    user = recovery.look(token)
    html, csp = pages.render(
        "recover",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, links.step(Kind.RESET, token)),
        username=user.username,
        least=strength.least(user),
        error=error,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, status=status, binding=binding)


def _gone(refusal: rules.LinkGone) -> Response:
    return links.gone(refusal, f"{current().issuer}/forgot" if recovery.offered() else "")
