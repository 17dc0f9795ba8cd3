"""Keeping an account that its person has left, by the link of a message."""

from flask import Response

from idp.accounts import leaving
from idp.accounts.links import Kind, LinkGone
from idp.accounts.people import name_of
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import links
from idp.web.languages import _

door = Door("keep", __name__, gate=Gate.TENANT, page="error")


@door.route("/keep", credentials=("cookie", "link"))
def show() -> Response:
    """The question, once the link has left the address."""
    try:
        return links.taken(Kind.KEEP) or _page()
    except LinkGone as refusal:
        return links.gone(refusal)


@door.route("/keep", methods=("POST",), credentials=("cookie", "csrf"), endpoint="keep")
def keep() -> Response:
    """The account stays."""
    form, browser, token = links.posted(Kind.KEEP)
    if form.get("action") != "keep-account":
        return answers.see_other(f"{current().issuer}/keep")
    try:
        leaving.keep(token, browser.address)
    except LinkGone as refusal:
        return links.gone(refusal)
    response = links.message(
        "kept",
        _("Your account stays"),
        _("Sign in again. If it was not you who left, set a new password."),
        continue_url=f"{current().issuer}/account",
        continue_label=_("Sign in"),
    )
    cookies.clear(response, links.cookie(Kind.KEEP))
    return response


def _page() -> Response:
    token = links.held(Kind.KEEP)
    user = leaving.look(token)
    _, binding = answers.browser()
    html, csp = pages.render(
        "keep",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, links.step(Kind.KEEP, token)),
        user=name_of(user),
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, binding=binding)
