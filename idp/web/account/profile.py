"""The profile: what people change of how they are called."""

from flask import Response

from idp.accounts import profile
from idp.errors import Invalid, NotFound
from idp.speech import say
from idp.web.account import answering
from idp.web.account_faces import ProfileField
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_profile", __name__, gate=Gate.PERSON, page="error")

PATH = "account/profile"
_ASKED = {
    "name": (say("Name"), "name", "text"),
    "given_name": (say("First name"), "given-name", "text"),
    "middle_name": (say("Middle name"), "additional-name", "text"),
    "family_name": (say("Last name"), "family-name", "text"),
    "nickname": (say("Nickname"), "nickname", "text"),
    "phone_number": (say("Phone"), "tel", "tel"),
    "website": (say("Website"), "url", "url"),
    "birthdate": (say("Birthday"), "bday", "text"),
    "zoneinfo": (say("Time zone"), "off", "text"),
}
"""Each claim: its label, what a browser fills in (HTML §4.10.18.7.1), and the kind of its field."""


@door.route("/account/profile", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """The form with what is known."""
    return _form(visit)


@door.route("/account/profile", methods=("POST",), credentials=("cookie", "csrf"), endpoint="change")
def change(visit: Visit) -> Response:
    """Keep what was typed."""
    try:
        others = profile.change(visit.user, visit.form, visit.browser.address)
    except Invalid as problem:
        return _form(visit, problem.rule or "")
    return answering.done(
        visit, "account", _("Your profile is changed.") if others else _("Your profile is as it was.")
    )


def _form(visit: Visit, wrong: str = "") -> Response:
    if not profile.fields():
        raise NotFound(rule="profile.fields", setting="policy.profile_fields")
    return answering.page(
        visit, "profile", "account", fields=tuple(_field(visit, name, wrong) for name in profile.fields())
    )


def _field(visit: Visit, name: str, wrong: str) -> ProfileField:
    label, purpose, kind = _ASKED[name]
    value = visit.form.get(name, "") if visit.form else str(visit.user.claims.get(name) or "")
    return ProfileField(
        name=name, label=label, purpose=purpose, kind=kind, value=value[:320],
        error=_("This cannot be kept as it is. Check it for a typing mistake.") if wrong == name else "",
    )  # fmt: skip
