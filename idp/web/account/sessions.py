"""Sessions and devices: where a person is signed in, and signing out there."""

from uuid import UUID

from flask import Response

from idp import clock
from idp.accounts import account, sessions
from idp.accounts import devices as own_devices
from idp.web.account import answering, devices
from idp.web.account_faces import Device, Trusted
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_sessions", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/sessions"


@door.route("/account/sessions", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """Where I am signed in, this browser first, then the one used last."""
    found = [
        Device(
            id=str(each.id),
            name=devices.name(each.user_agent),
            address=each.address or "",
            since=each.created_at,
            seen=each.last_seen_at,
            here=each.id == visit.session.id,
            kind=devices.kind(each.user_agent),
        )
        for each in sessions.of_user(visit.user.id)
    ]
    found.sort(key=lambda each: (each.here, each.seen), reverse=True)
    trusted = tuple(
        Trusted(
            id=str(each.id),
            name=devices.name(each.user_agent),
            kind=devices.kind(each.user_agent),
            since=each.created_at,
            ends=each.expires_at,
        )
        for each in own_devices.of_user(visit.user)
    )
    return answering.page(visit, "sessions", SECTION, devices=tuple(found), trusted=trusted, now=clock.now())


@door.route("/account/sessions", methods=("POST",), credentials=("cookie", "csrf"), endpoint="end")
def end(visit: Visit) -> Response:
    """Sign out elsewhere, one of them or all; or ask for a second factor again on a device."""
    action, address = visit.form.get("action", ""), visit.browser.address
    what, _colon, which = action.partition(":")
    if what == "forget":
        forgotten = _named(which)
        gone = forgotten is not None and own_devices.forget(visit.user, forgotten)
        said = (
            _("A second step is asked for there again.") if gone else _("That device was forgotten already.")
        )
    elif action == "others":
        count = account.sign_out_others(visit.user, visit.session, address)
        said = (
            _("Every other browser is signed out.") if count else _("There was no other browser to sign out.")
        )
    else:
        one = _named(action)
        gone = one is not None and one != visit.session.id and account.sign_out(visit.user, one, address)
        said = _("That browser is signed out.") if gone else _("That browser was signed out already.")
    return answering.done(visit, SECTION, said)


def _named(action: str) -> UUID | None:
    try:
        return UUID(action) if len(action) == 36 else None
    except ValueError:
        return None
