"""History: what was recorded about a person's own account, in words."""

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Response

from idp import clock, directory
from idp.accounts import account
from idp.audit import Event
from idp.tenants import current
from idp.web import asked
from idp.web.account import answering
from idp.web.account_faces import Happened
from idp.web.gates import Door, Gate
from idp.web.persons import Visit

if TYPE_CHECKING:
    from idp.store.durable.audit_log import Entry

door = Door("account_history", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/history"
PAGE = 30
SENTENCES = {
    Event.SESSION_STARTED: "You signed in",
    Event.SESSION_ROTATED: "You confirmed that it is you",
    Event.SESSION_ENDED: "You were signed out",
    Event.SIGN_IN_FAILED: "A sign-in failed",
    Event.SIGN_IN_BLOCKED: "Sign-ins were stopped for a while after too many failures",
    Event.PASSWORD_CHANGED: "You changed your password",
    Event.PASSWORD_SET: "An administrator set your password",
    Event.USER_REGISTERED: "You created your account",
    Event.ADDRESS_ASKED: "A link that changes your e-mail address was sent to the new one",
    Event.ADDRESS_CHANGED: "Your e-mail address was changed",
    Event.DATA_COPIED: "You downloaded your data",
    Event.USER_LEFT: "You asked that your account be deleted",
    Event.USER_KEPT: "Your account was kept",
    Event.RECOVERY_SENT: "A link that sets a new password was sent to you",
    Event.RECOVERY_SHOWN: "An administrator made a link that sets a new password for you",
    Event.PASSWORD_RECOVERED: "Your password was set by a link in an e-mail",
    Event.AUTHENTICATOR_ADDED: "You set up an authenticator app",
    Event.AUTHENTICATOR_REMOVED: "You removed your authenticator app",
    Event.PASSKEY_ADDED: "You made a passkey",
    Event.PASSKEY_REMOVED: "You removed a passkey",
    Event.PASSKEY_COPIED: "A copy of one of your passkeys was refused",
    Event.RECOVERY_CODES_MADE: "You got new recovery codes",
    Event.RECOVERY_CODE_USED: "You used a recovery code",
    Event.TEMPORARY_CODE_MADE: "An administrator made a temporary code for you",
    Event.TEMPORARY_CODE_USED: "You used a temporary code",
    Event.FACTORS_RESET: "An administrator took your second factors away",
    Event.SECOND_FACTOR_FAILED: "A second factor was wrong",
    Event.DEVICE_REMEMBERED: "You asked not to be asked again on a device",
    Event.CONSENT_GRANTED: "You gave {client} access",
    Event.CONSENT_WITHDRAWN: "You took back the access of {client}",
    Event.CONSENT_DENIED: "You did not give {client} access",
    Event.AUTHORIZATION_GRANTED: "You signed in to {client}",
    Event.REFRESH_REPLAYED: "Access of {client} was ended because a token was used twice",
    Event.IDENTITY_LINKED: "An account elsewhere was linked with yours",
    Event.IDENTITY_UNLINKED: "An account elsewhere was unlinked from yours",
    Event.USER_CREATED: "Your account was created",
    Event.USER_UPDATED: "Your profile was changed",
    Event.USER_DISABLED: "Your account was suspended",
    Event.USER_ENABLED: "Your account was opened again",
    Event.USER_UNLOCKED: "An administrator let you try to sign in again at once",
    Event.USER_SHOWN: "An administrator looked at your profile",
}
"""What is told, and how."""
_WARN = {Event.SIGN_IN_FAILED, Event.SIGN_IN_BLOCKED, Event.REFRESH_REPLAYED}


@door.route("/account/history", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """What happened to my account, the newest first."""
    rows = account.history(visit.user, tuple(SENTENCES), _before(asked.query().get("before", "")), PAGE + 1)
    older = ""
    if len(rows) > PAGE:
        last = rows[PAGE - 1].at
        older = f"{current().issuer}/{SECTION}?{urlencode({'before': last.isoformat()})}"
    shown = tuple(_told(row) for row in rows[:PAGE])
    return answering.page(visit, "history", SECTION, events=shown, now=clock.now(), older=older)


def _before(text: str) -> datetime | None:
    """The instant after which nothing is shown; None for anything that is none."""
    try:
        found = datetime.fromisoformat(text) if len(text) <= 40 else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _told(row: "Entry") -> Happened:
    event = Event(row.event)
    client = str(row.facts.get("client_id") or row.actor.get("id") or "an application")
    known = (
        directory.client(client) if event.value.startswith(("consent", "authorization", "refresh")) else None
    )
    sentence = SENTENCES[event].format(client=known.name[:80] if known else client[:80])
    own = row.actor.get("kind") == "user"
    return Happened(
        sentence=sentence,
        at=row.at,
        place=str(row.actor.get("address") or "") if own else "",
        warn=event in _WARN,
    )
