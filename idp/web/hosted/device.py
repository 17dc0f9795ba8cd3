"""Where a person types the code that a device shows (RFC 8628 §3.3). An address that holds it only fills the field."""

from typing import Literal

from flask import Response

from idp.errors import Forbidden
from idp.ids import secret
from idp.oauth import elsewhere, flow, user_codes
from idp.oauth.user_codes import UnknownUserCode
from idp.tenants import current
from idp.web import answers, asked, csrf, errors, pages
from idp.web.gates import Door, Gate

door = Door("device", __name__, gate=Gate.TENANT, page="error")

_PAGE = "page"
"""The hidden field that makes each page's token another one: what a browser is bound to is told by none of them."""
Trouble = Literal["", "nothing", "unknown", "stale"]


@door.route("/device", credentials=())
def show() -> Response:
    """The page with the field, filled with what the address holds and nothing looked up."""
    typed = asked.query().get("user_code", "")
    return _page(answers.browser()[1], user_codes.shown(user_codes.plain(typed)), filled=bool(typed))


@door.route("/device", methods=("POST",), credentials=("cookie", "csrf", "user_code"), endpoint="submit")
def submit() -> Response:
    """Look the code up, and on to signing in and allowing."""
    form = asked.page_form()
    browser, binding = answers.browser()
    if asked.foreign():
        raise Forbidden("This form was sent from another site.", rule="csrf.origin")
    typed = form.get("user_code", "")[:64]
    if not csrf.good(form.get("csrf"), binding, _step(form.get(_PAGE, ""))):
        return _page(binding, typed, trouble="stale", status=403)
    if not typed.strip():
        return _page(binding, "", trouble="nothing")
    try:
        return answers.go(flow.answer(user_codes.found(typed, browser.address), browser), binding)
    except (UnknownUserCode, elsewhere.Gone) as unknown:
        errors.note(unknown)
        return _page(binding, typed, trouble="unknown")


def _step(page: str) -> str:
    return f"device|{page}"


def _page(
    binding: str, user_code: str, *, filled: bool = False, trouble: Trouble = "", status: int = 200
) -> Response:
    page = secret(128)
    html, csp = pages.render(
        "device",
        tenant=pages.face(current()),
        csrf=csrf.token(binding, _step(page)),
        hidden=((_PAGE, page),),
        action=f"{current().issuer}/device",
        user_code=user_code,
        filled=filled and bool(user_code),
        error=trouble,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, status=status, binding=binding)
