"""Confirming an address by the link of a message. Opening it changes nothing, the button does."""

from flask import Response

from idp.accounts import addresses
from idp.accounts.links import Kind, LinkGone
from idp.accounts.people import name_of
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import links
from idp.web.languages import _

door = Door("confirm", __name__, gate=Gate.TENANT, page="error")


@door.route("/confirm", credentials=("cookie", "link"))
def show() -> Response:
    """The question, once the link has left the address."""
    try:
        return links.taken(Kind.ADDRESS) or _page()
    except LinkGone as refusal:
        return links.gone(refusal)


@door.route("/confirm", methods=("POST",), credentials=("cookie", "csrf"), endpoint="confirm")
def confirm() -> Response:
    """The address counts from now on."""
    form, browser, token = links.posted(Kind.ADDRESS)
    if form.get("action") != "confirm-address":
        return answers.see_other(f"{current().issuer}/confirm")
    try:
        email = addresses.confirm(token, browser.address)
    except LinkGone as refusal:
        return links.gone(refusal)
    response = links.message(
        "confirmed",
        _("Your address is confirmed"),
        _("Messages go to %(email)s from now on.", email=email[:120]),
        continue_url=f"{current().issuer}/account",
        continue_label=_("Your account"),
    )
    cookies.clear(response, links.cookie(Kind.ADDRESS))
    return response


def _page() -> Response:
    token = links.held(Kind.ADDRESS)
    user, email = addresses.look(token)
    _, binding = answers.browser()
    html, csp = pages.render(
        "confirm",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, links.step(Kind.ADDRESS, token)),
        email=email,
        user=name_of(user),
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, binding=binding)
