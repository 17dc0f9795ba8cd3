"""Security: the ways in which a person proves who they are, and the change of a password."""

from flask import Response

from idp import clock
from idp.accounts import account, approval_codes, authenticate, passkeys, recovery, sessions, strength
from idp.accounts import factors as own
from idp.accounts.authenticate import SignInFailed
from idp.accounts.strength import Weak
from idp.errors import Busy
from idp.federation import linking, offers
from idp.speech import say
from idp.web import cookies, words
from idp.web.account import answering, factors
from idp.web.account_faces import Row
from idp.web.gates import Door, Gate
from idp.web.languages import _, plural
from idp.web.persons import Visit

door = Door("account_security", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/security"
_WRONG = say("This is not your password. Check it and try again.")
_NOT_SENT = say("No message can be sent to you. Ask whoever manages your account.")
_BUSY = say("This is busy at the moment. Try again in a few seconds.")


@door.route("/account/security", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """How I prove who I am."""
    return answering.page(visit, "security", SECTION, rows=rows(visit))


def rows(visit: Visit) -> tuple[Row, ...]:
    """A line for each way in which the person can prove who they are."""
    changed = account.password_changed(visit.user)
    found: list[Row] = []
    if changed is not None:
        state = _("Set %(ago)s", ago=words.ago(changed, clock.now()))
        found.append(Row(name=_("Password"), state=state, path="account/password", action=_("Change")))
    elif recovery.offered():
        found.append(
            Row(name=_("Password"), state=_("None yet"), path="account/password", action=_("Set up"))
        )
    found += _factors(visit)
    if approval_codes.offered(visit.user.id):
        there = approval_codes.has(visit.user.id)
        state, action = (_("It is set up"), _("Change")) if there else (_("None yet"), _("Set up"))
        found.append(Row(name=_("Approval code"), state=state, path="account/approval-code", action=action))
    known = [each.provider for each in linking.of(visit.user)]
    if known or offers.every():
        state = ", ".join(known)[:80] or _("None yet")
        found.append(
            Row(name=_("Linked accounts"), state=state, path="account/identities", action=_("Manage"))
        )
    return tuple(found)


def _factors(visit: Visit) -> tuple[Row, ...]:
    """Passkeys sign in by themselves too, so that they stand here where nobody is asked for a second factor."""
    held = own.held_by(visit.user.id)
    found: list[Row] = []
    if passkeys.available() or passkeys.of_user(visit.user.id):
        kept = plural("%(num)d kept here", "%(num)d kept here", held.passkeys)
        state = kept if held.passkeys else _("None yet")
        found.append(Row(name=_("Passkeys"), state=state, path="account/passkeys", action=_("Manage")))
    if factors.offered():
        app = (_("It is set up"), _("Change")) if held.authenticator else (_("Not set up"), _("Set up"))
        found.append(
            Row(name=_("Authenticator app"), state=app[0], path="account/authenticator", action=app[1])
        )
        if held.own:
            left = plural("%(num)d left", "%(num)d left", held.codes) if held.codes else _("None left")
            found.append(
                Row(name=_("Recovery codes"), state=left, path="account/recovery-codes", action=_("Renew"))
            )
    return tuple(found)


@door.route("/account/password", credentials=("cookie",))
def ask(visit: Visit) -> Response:
    """The form for a new password."""
    return _form(visit)


@door.route("/account/password", methods=("POST",), credentials=("cookie", "csrf", "password"))
def change(visit: Visit) -> Response:
    """Change it: everything else that is signed in is signed out. Who has none is sent a link that sets one."""
    if account.password_changed(visit.user) is None:
        return _first(visit)
    current, new = visit.form.get("current_password", ""), visit.form.get("new_password", "")
    if not current:
        return _form(visit, _("Enter your current password."), "current_password")
    if not new:
        return _form(visit, _("Enter a new password."), "new_password")
    try:
        changed = account.change_password(
            visit.user, visit.session, current, new,
            visit.browser.address, visit.browser.user_agent, cookies.read(cookies.DEVICE),
        )  # fmt: skip
    except Weak as weak:
        return _form(visit, weak.sentence, "new_password")
    except SignInFailed:
        return _form(visit, _WRONG, "current_password")
    except Busy:
        return _form(visit, _BUSY, status=503)
    response = answering.done(
        visit, SECTION, _("Your password is changed. Every other browser is signed out.")
    )
    cookies.write(response, cookies.SESSION, changed[1])
    cookies.write(response, cookies.DEVICE, authenticate.device_token(account.as_now(visit.user)))
    return response


def _first(visit: Visit) -> Response:
    sent = recovery.ask_first(visit.user, visit.browser.address)
    if not sent:
        return answering.done(visit, SECTION, _NOT_SENT)
    said = _("A link that sets your password is on its way to %(email)s.", email=visit.user.email)
    return answering.done(visit, SECTION, said)


def _form(visit: Visit, error: str = "", where: str = "", *, status: int = 200) -> Response:
    return answering.page(
        visit,
        "password",
        SECTION,
        status=status,
        username=visit.user.username,
        least=strength.least(visit.user),
        error=error,
        where=where,
        others=len(sessions.of_user(visit.user.id)) - 1,
        first=account.password_changed(visit.user) is None,
        email=visit.user.email if visit.user.email and visit.user.email_verified else "",
    )
