"""What pages behind links in messages have in common: the link leaves the address, and what is said when it is over."""

from urllib.parse import urlencode

from flask import Response

from idp.accounts import links, recovery
from idp.accounts.links import Kind, LinkGone
from idp.tenants import current
from idp.web import answers, asked, cookies, errors, pages


def forgot(transaction: str) -> str:
    """Where people go who forgot their password; "" where nobody can be helped."""
    if not recovery.offered():
        return ""
    return f"{current().issuer}/forgot?{urlencode({'tx': transaction})}"


def taken(kind: Kind) -> Response | None:
    """Where the address carries a link: the same page without it, the link in a cookie. None: it carries none.

    So it stands in no history, no Referer and no picture of the screen. Raises LinkGone, before anything is kept.
    """
    token = asked.query().get("link")
    if token is None:
        return None
    links.find(kind, token)
    response = answers.see_other(f"{current().issuer}/{kind.value}")
    cookies.write(response, cookies.LINK, f"{kind.value}.{token}")
    return response


def held(kind: Kind) -> str | None:
    """The link of this kind that the browser has opened."""
    name, _, token = (cookies.read(cookies.LINK) or "").partition(".")
    return token if name == kind.value else None


def gone(refusal: LinkGone, continue_url: str = "", label: str = "Ask for a new one") -> Response:
    """The page for a link that opens nothing, whatever it is; it says the same of all."""
    errors.note(refusal)
    response = message(
        "link-gone",
        "This link does not work any more",
        "It was used, or is too old, or another one was sent after it.",
        good=False,
        continue_url=continue_url or f"{current().issuer}/",
        continue_label=label if continue_url else "Go to the start page",
        status=400,
    )
    cookies.clear(response, cookies.LINK)
    return response


def message(
    name: str,
    heading: str,
    sentence: str,
    *,
    good: bool = True,
    continue_url: str = "",
    continue_label: str = "Go on",
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
