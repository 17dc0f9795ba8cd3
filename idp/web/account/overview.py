"""The first page: who somebody is here, and how the rest stands."""

from flask import Response

from idp import clock
from idp.accounts import account, addresses, profile, sessions
from idp.speech import say
from idp.web import words
from idp.web.account import answering
from idp.web.account_faces import Row
from idp.web.gates import Door, Gate
from idp.web.languages import _, plural
from idp.web.persons import Visit

door = Door("account_overview", __name__, gate=Gate.PERSON, page="error")

_NAMES = (
    ("name", say("Name")), ("given_name", say("First name")), ("family_name", say("Last name")),
    ("phone_number", say("Phone")),
)  # fmt: skip


@door.route("/account", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """Who I am, and a line about each of the other pages."""
    return answering.page(
        visit,
        "overview",
        "account",
        facts=_facts(visit),
        rows=_rows(visit),
        own_profile=bool(profile.fields()),
    )


def _facts(visit: Visit) -> tuple[tuple[str, str], ...]:
    user = visit.user
    told: list[tuple[str, str]] = [
        (label, str(user.claims[name])) for name, label in _NAMES if user.claims.get(name)
    ]
    if user.email:
        unconfirmed = _("%(email)s (not confirmed)", email=user.email)
        told.append((_("E-mail"), user.email if user.email_verified else unconfirmed))
    return (*told, (_("Username"), user.username), (_("Member since"), words.day(user.created_at)))


def _rows(visit: Visit) -> tuple[Row, ...]:
    open_ = len(sessions.of_user(visit.user.id))
    apps = len(account.applications(visit.user))
    changed = account.password_changed(visit.user)
    password = _("Password set %(ago)s", ago=words.ago(changed, clock.now())) if changed else _("No password")
    email = visit.user.email or _("None yet")
    change = Row(name=_("E-mail address"), state=email, path="account/email", action=_("Change"))
    browsers = plural("%(num)d browser signed in", "%(num)d browsers signed in", open_)
    allowed = plural("%(num)d application with access", "%(num)d applications with access", apps)
    return (
        *((change,) if addresses.offered() else ()),
        Row(name=_("Security"), state=password, path="account/security"),
        Row(name=_("Sessions"), state=browsers, path="account/sessions"),
        Row(
            name=_("Applications"),
            state=allowed if apps else _("No application with access"),
            path="account/applications",
        ),
        Row(name=_("History"), state=_("What happened to your account"), path="account/history"),
    )
