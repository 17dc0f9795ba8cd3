"""The e-mail address: asking for another one, right after a sign-in."""

from flask import Response

from idp.accounts import addresses
from idp.errors import Invalid, NotFound
from idp.web.account import answering
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_email", __name__, gate=Gate.PERSON, page="error")


@door.route("/account/email", credentials=("cookie",), fresh=True)
def ask(visit: Visit) -> Response:
    """The form for another address."""
    return _form(visit)


@door.route("/account/email", methods=("POST",), credentials=("cookie", "csrf"), fresh=True, endpoint="send")
def send(visit: Visit) -> Response:
    """Write to the new address; the same answer whether or not it is somebody's already."""
    given = visit.form.get("email", "")
    if not given.strip():
        return _form(visit, _("Enter an e-mail address."))
    if not addresses.offered():
        raise NotFound(rule="addresses.offered", setting="policy.email_changes")
    try:
        addresses.ask(visit.user, given, visit.browser.address)
    except Invalid:
        return _form(visit, _("This is not an e-mail address. Check it for a typing mistake."), given)
    return answering.done(
        visit, "account", _("A link is on its way to the new address. It counts once you open that.")
    )


def _form(visit: Visit, error: str = "", given: str = "") -> Response:
    if not addresses.offered():
        raise NotFound(rule="addresses.offered", setting="policy.email_changes")
    now = visit.user.email or ""
    return answering.page(visit, "email", "account", now=now, email=given[:320], error=error)
