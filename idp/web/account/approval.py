"""The approval code: what an application has to know before it may ask the person (CIBA Core 1.0 §7.1)."""

from flask import Response

from idp.accounts import approval_codes
from idp.errors import Busy, Invalid
from idp.web.account import answering
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_approval", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/security"


@door.route("/account/approval-code", credentials=("cookie",), fresh=True)
def show(visit: Visit) -> Response:
    """The form for a code."""
    return _form(visit)


@door.route(
    "/account/approval-code", methods=("POST",), credentials=("cookie", "csrf"), fresh=True, endpoint="change"
)
def change(visit: Visit) -> Response:
    """Set one, or take it away."""
    if visit.form.get("action") == "remove":
        approval_codes.remove(visit.user, visit.browser.address)
        return answering.done(visit, SECTION, _("Your approval code is removed."))
    code = visit.form.get("code", "")
    if not code:
        return _form(visit, _("Enter a code."))
    try:
        approval_codes.keep(visit.user, code, visit.browser.address)
    except Invalid as problem:
        return _form(visit, problem.sentence)
    except Busy:
        return _form(visit, _("This is busy at the moment. Try again in a few seconds."), status=503)
    return answering.done(visit, SECTION, _("Your approval code is set."))


def _form(visit: Visit, error: str = "", *, status: int = 200) -> Response:
    return answering.page(
        visit,
        "approval-code",
        SECTION,
        status=status,
        least=approval_codes.SHORTEST,
        present=approval_codes.has(visit.user.id),
        error=error,
    )
