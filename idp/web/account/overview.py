"""The first page: who somebody is here, and how the rest stands."""

from flask import Response

from idp import clock
from idp.accounts import account, addresses, sessions
from idp.web import words
from idp.web.account import answering
from idp.web.account_faces import Row
from idp.web.gates import Door, Gate
from idp.web.persons import Visit

door = Door("account_overview", __name__, gate=Gate.PERSON, page="error")

_NAMES = (
    ("name", "Name"), ("given_name", "First name"), ("family_name", "Last name"), ("phone_number", "Phone"),
)  # fmt: skip


@door.route("/account", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """Who I am, and a line about each of the other pages."""
    return answering.page(visit, "overview", "account", facts=_facts(visit), rows=_rows(visit))


def _facts(visit: Visit) -> tuple[tuple[str, str], ...]:
    user = visit.user
    told = [(label, str(user.claims[name])) for name, label in _NAMES if user.claims.get(name)]
    if user.email:
        told.append(("E-mail", user.email if user.email_verified else f"{user.email} (not confirmed)"))
    return (*told, ("Username", user.username), ("Member since", words.day(user.created_at)))


def _rows(visit: Visit) -> tuple[Row, ...]:
    open_ = len(sessions.of_user(visit.user.id))
    apps = len(account.applications(visit.user))
    changed = account.password_changed(visit.user)
    password = f"Password set {words.ago(changed, clock.now())}" if changed else "No password"
    email = visit.user.email or "None yet"
    change = Row(name="E-mail address", state=email, path="account/email", action="Change")
    return (
        *((change,) if addresses.offered() else ()),
        Row(name="Security", state=password, path="account/security"),
        Row(name="Sessions", state=words.counted(open_, "browser", "signed in"), path="account/sessions"),
        Row(
            name="Applications",
            state=words.counted(apps, "application", "with access"),
            path="account/applications",
        ),
        Row(name="History", state="What happened to your account", path="account/history"),
    )
