"""What pages behind links in messages have in common: the link leaves the address, and what is said when it is over."""

from urllib.parse import urlencode

from flask import Response

from idp.accounts import joining, links, recovery
from idp.accounts.links import Kind, LinkGone
from idp.errors import Forbidden
from idp.ids import digest
from idp.oauth import flow
from idp.oauth.authorize import Returned
from idp.oauth.request import Browser
from idp.oauth.underway import TransactionGone
from idp.speech import say
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, errors, pages
from idp.web.languages import _


def forgot(transaction: str) -> str:
    """Where people go who forgot their password; "" where nobody can be helped."""
    if not recovery.offered():
        return ""
    return f"{current().issuer}/forgot?{urlencode({'tx': transaction})}"


def register(transaction: str) -> str:
    """Where people go who have no account; "" where none is given."""
    return f"{current().issuer}/create?{urlencode({'tx': transaction})}" if joining.offered() else ""


def taken(kind: Kind) -> Response | None:
    """Where the address carries a link: the same page without it, the link in a cookie. None: it carries none.

    So it stands in no history, no Referer and no picture of the screen. Raises LinkGone, before anything is kept.
    """
    token = asked.query().get("link")
    if token is None:
        return None
    links.find(kind, token)
    response = answers.see_other(f"{current().issuer}/{kind.value}")
    cookies.write(response, cookie(kind), token)
    return response


def held(kind: Kind) -> str | None:
    """The link of this kind that the browser has opened."""
    return cookies.read(cookie(kind))


def cookie(kind: Kind) -> str:
    """The purpose of the cookie that holds a link of this kind."""
    return cookies.LINK + kind.value


def step(kind: Kind, token: str | None) -> str:
    """What the form of a link's page is bound to."""
    return f"{kind.value}|{digest(token or '').hex()}"


def posted(kind: Kind) -> tuple[dict[str, str], Browser, str | None]:
    """A good post of that form: what it says, by which browser, with which link. Raises Forbidden."""
    form = asked.page_form()
    browser, binding = answers.browser()
    token = held(kind)
    if asked.foreign() or not csrf.good(form.get("csrf"), binding, step(kind, token)):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    return form, browser, token


def waiting() -> str:
    """The sign-in that is to go on, as the address names it; whose it is, is looked at when it goes on."""
    found = asked.query().get("tx", "")
    return found if len(found) <= 64 else ""


def onward(transaction: str, browser: Browser) -> str:
    """The end of an address that names a sign-in, where it waits in this very browser; else ""."""
    try:
        alive = bool(transaction) and flow.due(transaction, browser) is not None
    except (TransactionGone, Returned):
        alive = False
    return f"?{urlencode({'tx': transaction})}" if alive else ""


def gone(refusal: LinkGone, continue_url: str = "") -> Response:
    """The page for a link that opens nothing, whatever it is; it says the same of all."""
    errors.note(refusal)
    return message(
        "link-gone",
        _("This link does not work any more"),
        _("It was used, or is too old, or another one was sent after it."),
        good=False,
        continue_url=continue_url or f"{current().issuer}/",
        continue_label=_("Ask for a new one") if continue_url else _("Go to the start page"),
        status=400,
    )


def message(
    name: str,
    heading: str,
    sentence: str,
    *,
    good: bool = True,
    continue_url: str = "",
    continue_label: str = say("Go on"),
    status: int = 200,
) -> Response:
    """A page that says one thing and the way on."""
    html, csp = pages.render(
        "message",
        tenant=pages.face(current()),
        called=name,
        heading=heading,
        sentence=sentence,
        good=good,
        continue_url=continue_url,
        continue_label=continue_label,
        request_id="" if good else asked.request_id(),
    )
    return answers.page(html, csp, status=status)
