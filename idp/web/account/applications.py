"""Applications: what a person has allowed, who has access now, and taking it back."""

from uuid import UUID

from flask import Response

from idp import clock
from idp.accounts import account
from idp.web import answers
from idp.web.account import answering
from idp.web.account_faces import Application
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_applications", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/applications"


@door.route("/account/applications", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """Which applications have something of mine."""
    found = tuple(_face(each) for each in account.applications(visit.user))
    return answering.page(visit, "applications", SECTION, applications=found, now=clock.now())


def _face(each: account.Application) -> Application:
    face = answers.client_face(each.client)
    return Application(
        id=str(each.client.id),
        name=face.name,
        host=face.host,
        logo_uri=face.logo_uri,
        assured=face.assured,
        scopes=tuple((scope, account.sentence(scope)) for scope in each.scopes),
        since=each.since,
        offline=each.offline,
    )


@door.route("/account/applications", methods=("POST",), credentials=("cookie", "csrf"), endpoint="withdraw")
def withdraw(visit: Visit) -> Response:
    """Take back what I have allowed; the application's access ends at once."""
    try:
        client_id = UUID(visit.form.get("action", "")[:36])
    except ValueError:
        return answering.done(visit, SECTION, _("That application had no access any more."))
    client = account.withdraw(visit.user, client_id, visit.browser.address)
    if client is None:
        return answering.done(visit, SECTION, _("That application had no access any more."))
    return answering.done(visit, SECTION, _("%(client)s has no access any more.", client=client.name[:80]))
