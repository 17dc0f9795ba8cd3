"""One's own data: a copy to take along, and the end of the account. Both right after a sign-in."""

import json

from flask import Response

from idp.accounts import leaving
from idp.accounts.people import name_of
from idp.audit import Actor
from idp.tenants import current
from idp.web import answers, cookies, words
from idp.web.account import answering
from idp.web.gates import Door, Gate
from idp.web.hosted import links
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_data", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/data"


@door.route("/account/data", credentials=("cookie",), fresh=True)
def show(visit: Visit) -> Response:
    """The two questions."""
    return _page(visit)


@door.route("/account/data", methods=("POST",), credentials=("cookie", "csrf"), fresh=True, endpoint="act")
def act(visit: Visit) -> Response:
    """Hand over the copy, or end the account."""
    action = visit.form.get("action", "")
    if action == "download":
        return _copy(visit)
    if action != "delete" or not leaving.offered():
        return answers.see_other(f"{current().issuer}/{SECTION}")
    if visit.form.get("confirm", "").strip().casefold() != name_of(visit.user).casefold():
        return _page(visit, _("Type %(name)s to confirm.", name=name_of(visit.user)))
    leaving.leave(visit.user, Actor("user", str(visit.user.id), visit.browser.address))
    day = words.day(leaving.ends_on())
    said = (
        _(
            "It is closed now and deleted on %(day)s. The link in the message that is on its way to you keeps it.",
            day=day,
        )
        if leaving.written_to(visit.user)
        else _(
            "It is closed now and deleted on %(day)s. Until then, whoever manages your account can keep it.",
            day=day,
        )
    )
    response = links.message("left", _("Your account ends"), said)
    cookies.clear(response, cookies.SESSION)
    return response


def _copy(visit: Visit) -> Response:
    text = json.dumps(leaving.copy(visit.user), indent=2, ensure_ascii=False)
    response = Response(text, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{current().slug}-account.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(visit: Visit, error: str = "") -> Response:
    days = current().policy.deletion_grace // 86_400 if leaving.offered() else 0
    return answering.page(
        visit,
        "data",
        SECTION,
        named=name_of(visit.user),
        days=days,
        written_to=leaving.written_to(visit.user),
        error=error,
    )
