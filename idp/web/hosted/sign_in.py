"""The page behind the link of a message that signs in. Opening it uses nothing up, the button does.

In the browser in which it was asked for it signs in there; anywhere else it lets that browser go on, and no other.
"""

from flask import Response

from idp import clock
from idp.accounts import mailed
from idp.accounts.links import LinkGone
from idp.accounts.people import name_of
from idp.errors import Forbidden
from idp.ids import digest
from idp.oauth import by_mail
from idp.oauth.by_mail import Opened
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.account import devices
from idp.web.gates import Door, Gate
from idp.web.hosted import links, mfa

door = Door("sign_in", __name__, gate=Gate.TENANT, page="error")

_COOKIE = f"{cookies.LINK}sign-in"


@door.route("/sign-in", credentials=("cookie", "link"))
def show() -> Response:
    """What would be signed in, once the link has left the address."""
    token = asked.query().get("link")
    try:
        if token is None:
            return _page()
        mailed.find(token)
    except LinkGone as refusal:
        return links.gone(refusal)
    response = answers.see_other(f"{current().issuer}/sign-in")
    cookies.write(response, _COOKIE, token)
    return response


@door.route("/sign-in", methods=("POST",), credentials=("cookie", "csrf"), endpoint="confirm")
def confirm() -> Response:
    """Sign in, let the other browser go on, or end it all."""
    form, token = asked.page_form(), cookies.read(_COOKIE)
    browser, binding = answers.browser()
    if asked.foreign() or not csrf.good(form.get("csrf"), binding, _step(token)):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    try:
        found = by_mail.opened(token, browser)
        if form.get("action") not in ("confirm", "deny"):
            return answers.see_other(f"{current().issuer}/sign-in")
        response = _pressed(found, form["action"], browser, binding)
    except LinkGone as refusal:
        response = links.gone(refusal)
    cookies.clear(response, _COOKIE)
    return response


def _pressed(found: Opened, action: str, browser: Browser, binding: str) -> Response:
    if action == "deny":
        mailed.refuse(found.row, found.user, browser.address)
        return _ended("denied")
    proved = by_mail.confirm(found, browser)
    if proved is None or found.due is None:
        return _ended("confirmed")
    return mfa.done(found.due, proved, binding)


def _step(token: str | None) -> str:
    return f"sign-in|{digest(token or '').hex()}"


def _page() -> Response:
    token = cookies.read(_COOKIE)
    browser, binding = answers.browser()
    found = by_mail.opened(token, browser)
    html, csp = pages.render(
        "sign_in",
        tenant=pages.face(current()),
        client=None if found.client is None else answers.client_face(found.client),
        csrf=csrf.token(binding, _step(token)),
        action=f"{current().issuer}/sign-in",
        user=name_of(found.user),
        here=found.due is not None,
        address=found.place.address,
        agent=devices.name(found.place.agent),
        same_place=found.place.address == asked.address(),
        ago=max(0, int((clock.now() - found.row.created_at).total_seconds())),
        request_id=asked.request_id(),
        form_action=() if found.due is None else answers.targets(found.due.request),
    )
    return answers.page(html, csp, binding=binding)


def _ended(how: str) -> Response:
    html, csp = pages.render(
        "sign_in", tenant=pages.face(current()), csrf="", how=how, request_id=asked.request_id()
    )
    return answers.page(html, csp)
