"""The second factors of an account: app, passkeys, recovery codes. Every page wants a fresh sign-in."""

from collections.abc import Callable
from uuid import UUID

from flask import Response

from idp.accounts import factors, own_factors, passkeys, recovery_codes, totp
from idp.accounts.factors import WrongCode
from idp.accounts.own_factors import Changed
from idp.accounts.passkeys import PasskeyRefused
from idp.errors import Conflict
from idp.tenants import current
from idp.web import cookies, qr
from idp.web.account import answering, devices
from idp.web.account_faces import Key
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit

door = Door("account_factors", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/security"


@door.route("/account/authenticator", credentials=("cookie",), fresh=True)
def app(visit: Visit) -> Response:
    """Set an app up, in place of a former one."""
    return _app(visit)


@door.route(
    "/account/authenticator",
    methods=("POST",),
    credentials=("cookie", "csrf"),
    fresh=True,
    endpoint="keep_app",
)
def keep_app(visit: Visit) -> Response:
    """Keep it, or take the former one away."""
    form, ticket = visit.form, visit.form.get("ticket", "")
    if form.get("action") == "remove":
        return _done(
            visit, lambda: own_factors.remove_app(visit.user), _("Your authenticator app is removed.")
        )
    if not form.get("code", "").strip():
        return _app(visit, ticket, _("Enter the code that your app shows."))
    try:
        changed = own_factors.add_app(visit.user, visit.session, ticket, form["code"], visit.browser.address)
    except WrongCode:
        return _app(visit, ticket, _("That code is not right. Wait for the next one and enter that."))
    except Conflict as refusal:
        return answering.done(visit, SECTION, refusal.sentence)
    return _added(visit, changed, _("Your authenticator app is set up."))


def _app(visit: Visit, ticket: str = "", error: str = "") -> Response:
    begun = (totp.resume(visit.user, ticket) if ticket else None) or totp.begin(visit.user)
    return answering.page(
        visit,
        "authenticator",
        SECTION,
        hidden=(("ticket", begun.ticket),),
        picture=qr.draw(begun.address),
        key=" ".join(begun.secret[at : at + 4] for at in range(0, len(begun.secret), 4)),
        address=begun.address,
        present=factors.held_by(visit.user.id).authenticator,
        error=error,
    )


@door.route("/account/passkeys", credentials=("cookie",), fresh=True, endpoint="keys")
def keys(visit: Visit) -> Response:
    """My passkeys, and the button that makes one."""
    return _keys(visit)


@door.route(
    "/account/passkeys", methods=("POST",), credentials=("cookie", "csrf"), fresh=True, endpoint="change_keys"
)
def change_keys(visit: Visit) -> Response:
    """Keep a new one, rename one, or take one away."""
    action, name = visit.form.get("action", "").partition(":")[::2]
    if action == "passkey":
        answer, called = visit.form.get("passkey", ""), devices.name(visit.browser.user_agent)
        try:
            changed = own_factors.add_passkey(
                visit.user, visit.session, answer, called, visit.browser.address
            )
        except PasskeyRefused:
            return _keys(visit, _("That passkey could not be kept. Try again."))
        except Conflict as refusal:
            return _keys(visit, refusal.sentence)
        return _added(visit, changed, _("Your passkey is kept."))
    one = _named(name)
    if action == "rename" and one is not None:
        passkeys.rename(visit.user, one, visit.form.get(f"name-{one}", ""))
        return answering.done(visit, "account/passkeys", _("Your passkey has a new name."))
    if action == "remove" and one is not None:
        return _done(
            visit, lambda: own_factors.remove_passkey(visit.user, one), _("That passkey is removed.")
        )
    return _keys(visit)


def _keys(visit: Visit, error: str = "") -> Response:
    found = tuple(
        Key(
            id=str(each.id), name=each.name, since=each.created_at, used=each.used_at, synced=each.backed_up,
            elsewhere="" if each.rp_id == passkeys.rp_id() else each.rp_id,
        )
        for each in passkeys.of_user(visit.user.id)
    )  # fmt: skip
    given = (
        passkeys.creation_options(visit.user, own_factors.scope(visit.session))
        if passkeys.available()
        else ""
    )
    return answering.page(visit, "passkeys", SECTION, keys=found, passkey_options=given, error=error)


@door.route("/account/recovery-codes", credentials=("cookie",), fresh=True, endpoint="codes")
def codes(visit: Visit) -> Response:
    """How many are left, and the button that makes new ones."""
    return _left(visit)


def _left(visit: Visit) -> Response:
    return answering.page(visit, "codes", SECTION, left=factors.held_by(visit.user.id).codes)


@door.route(
    "/account/recovery-codes",
    methods=("POST",),
    credentials=("cookie", "csrf"),
    fresh=True,
    endpoint="make_codes",
)
def make_codes(visit: Visit) -> Response:
    """New ones, shown this once."""
    if visit.form.get("action") != "make":
        return _left(visit)
    try:
        made = own_factors.new_codes(visit.user)
    except Conflict as refusal:
        return answering.done(visit, SECTION, refusal.sentence)
    return _codes(visit, made, _("Your former recovery codes are no more."))


def _codes(visit: Visit, made: tuple[str, ...], said: str) -> Response:
    shown = tuple(map(recovery_codes.spoken, made))
    return answering.page(visit, "codes", SECTION, left=len(made), codes=shown, done_said=said)


def _added(visit: Visit, changed: Changed, said: str) -> Response:
    """The codes that were made, or back to the ways of signing in; the session goes on under its new cookie."""
    response = _codes(visit, changed.codes, said) if changed.codes else answering.done(visit, SECTION, said)
    if changed.session is not None:
        cookies.write(response, cookies.SESSION, changed.session)
    return response


def _done(visit: Visit, act: Callable[[], bool], said: str) -> Response:
    try:
        gone = act()
    except Conflict as refusal:
        return answering.done(visit, SECTION, refusal.sentence)
    return answering.done(visit, SECTION, said if gone else _("That was gone already."))


def _named(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def offered() -> bool:
    """Whether there are second factors at this tenant at all."""
    return current().policy.second_factor != "off"
