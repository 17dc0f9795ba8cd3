"""History: what was recorded about a person's own account, in words."""

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Response

from idp import clock, directory
from idp.accounts import account
from idp.audit import Event
from idp.speech import Sentence, say
from idp.tenants import current
from idp.web import asked
from idp.web.account import answering
from idp.web.account_faces import Happened
from idp.web.gates import Door, Gate
from idp.web.languages import _, told
from idp.web.persons import Visit

if TYPE_CHECKING:
    from idp.store.durable.audit_log import Entry

door = Door("account_history", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/history"
PAGE = 30
SENTENCES: dict[Event, Sentence] = {
    Event.SESSION_STARTED: say("You signed in"),
    Event.SESSION_ROTATED: say("You confirmed that it is you"),
    Event.SESSION_ENDED: say("You were signed out"),
    Event.SIGN_IN_FAILED: say("A sign-in failed"),
    Event.SIGN_IN_BLOCKED: say("Sign-ins were stopped for a while after too many failures"),
    Event.PASSWORD_CHANGED: say("You changed your password"),
    Event.PASSWORD_SET: say("An administrator set your password"),
    Event.USER_REGISTERED: say("You created your account"),
    Event.ADDRESS_ASKED: say("A link that changes your e-mail address was sent to the new one"),
    Event.ADDRESS_CHANGED: say("Your e-mail address was changed"),
    Event.DATA_COPIED: say("You downloaded your data"),
    Event.USER_LEFT: say("You asked that your account be deleted"),
    Event.USER_KEPT: say("Your account was kept"),
    Event.RECOVERY_SENT: say("A link that sets a new password was sent to you"),
    Event.RECOVERY_SHOWN: say("An administrator made a link that sets a new password for you"),
    Event.PASSWORD_RECOVERED: say("Your password was set by a link in an e-mail"),
    Event.EMAIL_CODE_SENT: say("A code was sent to your e-mail address"),
    Event.EMAIL_CODE_SHOWN: say("An administrator made a code for you by which you sign in"),
    Event.EMAIL_CODE_CONFIRMED: say("You confirmed a sign-in by the link of an e-mail"),
    Event.EMAIL_CODE_REFUSED: say("You said that you had not asked for a sign-in"),
    Event.AUTHENTICATOR_ADDED: say("You set up an authenticator app"),
    Event.AUTHENTICATOR_REMOVED: say("You removed your authenticator app"),
    Event.PASSKEY_ADDED: say("You made a passkey"),
    Event.PASSKEY_REMOVED: say("You removed a passkey"),
    Event.PASSKEY_COPIED: say("A copy of one of your passkeys was refused"),
    Event.RECOVERY_CODES_MADE: say("You got new recovery codes"),
    Event.RECOVERY_CODE_USED: say("You used a recovery code"),
    Event.TEMPORARY_CODE_MADE: say("An administrator made a temporary code for you"),
    Event.TEMPORARY_CODE_USED: say("You used a temporary code"),
    Event.FACTORS_RESET: say("An administrator took your second factors away"),
    Event.SECOND_FACTOR_FAILED: say("A second factor was wrong"),
    Event.APPROVAL_CODE_SET: say("You set an approval code"),
    Event.APPROVAL_CODE_REMOVED: say("You removed your approval code"),
    Event.APPROVAL_CODE_FAILED: say("An application did not know your approval code"),
    Event.DEVICE_REMEMBERED: say("You asked not to be asked again on a device"),
    Event.DEVICE_FORGOTTEN: say("You asked to be asked again on a device"),
    Event.CONSENT_GRANTED: say("You gave %(client)s access"),
    Event.CONSENT_WITHDRAWN: say("You took back the access of %(client)s"),
    Event.CONSENT_DENIED: say("You did not give %(client)s access"),
    Event.AUTHORIZATION_GRANTED: say("You signed in to %(client)s"),
    Event.REFRESH_REPLAYED: say("Access of %(client)s was ended because a token was used twice"),
    Event.IDENTITY_LINKED: say("An account elsewhere was linked with yours"),
    Event.IDENTITY_UNLINKED: say("An account elsewhere was unlinked from yours"),
    Event.USER_CREATED: say("Your account was created"),
    Event.USER_UPDATED: say("Your profile was changed"),
    Event.PROFILE_CHANGED: say("You changed your profile"),
    Event.USER_DISABLED: say("Your account was suspended"),
    Event.USER_ENABLED: say("Your account was opened again"),
    Event.USER_UNLOCKED: say("An administrator let you try to sign in again at once"),
    Event.USER_SHOWN: say("An administrator looked at your profile"),
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
    client = str(row.facts.get("client_id") or row.actor.get("id") or _("an application"))
    known = (
        directory.client(client) if event.value.startswith(("consent", "authorization", "refresh")) else None
    )
    sentence = told(SENTENCES[event], client=known.name[:80] if known else client[:80])
    own = row.actor.get("kind") == "user"
    return Happened(
        sentence=sentence,
        at=row.at,
        place=str(row.actor.get("address") or "") if own else "",
        warn=event in _WARN,
    )
