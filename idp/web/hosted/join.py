"""Coming to an account: asking for one where the tenant is open, and making it by the link of a message."""

from urllib.parse import urlencode

from flask import Response

from idp.accounts import joining, strength
from idp.accounts.links import Kind, LinkGone
from idp.accounts.strength import Weak
from idp.errors import Busy, Conflict, Forbidden, Invalid, NotFound
from idp.oauth.interaction import Step
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import links, steps
from idp.web.languages import _

door = Door("join", __name__, gate=Gate.TENANT, page="error")


@door.route("/create", credentials=())
def ask() -> Response:
    """Which address is yours?"""
    steps.beside(links.waiting(), answers.browser()[0])
    return _asking()


@door.route("/create", methods=("POST",), credentials=("cookie", "csrf"), endpoint="send")
def send() -> Response:
    """The same answer for everybody, after the same work."""
    form = asked.page_form()
    browser, binding = answers.browser()
    steps.beside(links.waiting(), browser)
    if asked.foreign() or not csrf.good(form.get("csrf"), binding, "register"):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    given = form.get("email", "").strip()
    if not given or not joining.offered():
        return _asking(error=_("Enter your e-mail address to go on."))
    try:
        joining.ask(given, links.waiting(), browser.address)
    except Invalid:
        return _asking(error=_("This is not an e-mail address. Check it for a typing mistake."), email=given)
    return _asking(sent=True, email=given)


def _asking(*, error: str = "", email: str = "", sent: bool = False) -> Response:
    if not joining.offered():
        raise NotFound(rule="joining.offered", setting="policy.registration")
    _, binding = answers.browser()
    transaction = links.waiting()
    back = answers.step_address(Step.LOGIN, transaction) if transaction else f"{current().issuer}/account"
    html, csp = pages.render(
        "register",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, "register"),
        action=f"{current().issuer}/create?{urlencode({'tx': transaction})}",
        email=email[:320],
        error=error,
        sent=sent,
        hours=max(1, current().policy.confirmation_lifetime // 3600),
        back_url=back,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, binding=binding)


@door.route("/join", credentials=("cookie", "link"))
def show() -> Response:
    """The form, once the link has left the address."""
    try:
        return links.taken(Kind.JOIN) or _form()
    except LinkGone as refusal:
        return links.gone(refusal)


@door.route("/join", methods=("POST",), credentials=("cookie", "csrf"), endpoint="join")
def join() -> Response:
    """Make the account, and go on with the sign-in."""
    form, browser, token = links.posted(Kind.JOIN)
    name, new = form.get("name", ""), form.get("new_password", "")
    try:
        if not new:
            return _form(_("Choose a password."), "new_password", name)
        transaction = joining.join(token, name, new, browser.address)
    except Weak as weak:
        return _form(weak.sentence, "new_password", name)
    except Invalid as problem:
        return _form(problem.sentence, "name", name)
    except Busy:
        return _form(_("This is busy at the moment. Try again in a few seconds."), "", name, status=503)
    except Conflict:
        return links.message(
            "joined-already",
            _("You have an account already"),
            _("Sign in, or set a new password from the sign-in page."),
            good=False,
            continue_url=f"{current().issuer}/account",
            continue_label=_("Sign in"),
            status=409,
        )
    except LinkGone as refusal:
        return links.gone(refusal)
    response = answers.see_other(f"{current().issuer}/joined{links.onward(transaction, browser)}")
    cookies.clear(response, links.cookie(Kind.JOIN))
    return response


@door.route("/joined", credentials=())
def joined() -> Response:
    """It is made; on to the sign-in that waits, or to the account."""
    transaction = links.waiting()
    steps.beside(transaction, answers.browser()[0])
    onward = answers.step_address(Step.LOGIN, transaction) if transaction else f"{current().issuer}/account"
    return links.message(
        "joined",
        _("Your account is ready"),
        _("Sign in with your e-mail address and the password that you chose."),
        continue_url=onward,
        continue_label=_("Sign in"),
    )


def _form(error: str = "", where: str = "", name: str = "", *, status: int = 200) -> Response:
    token = links.held(Kind.JOIN)
    opening = joining.look(token)
    _, binding = answers.browser()
    html, csp = pages.render(
        "join",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, links.step(Kind.JOIN, token)),
        email=opening.email,
        invited=opening.invited,
        least=strength.least(None),
        name=name[:200],
        error=error,
        where=where,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, status=status, binding=binding)
