"""Setting an authenticator app up in the middle of a sign-in, for who must have a second factor and has none.

Nothing is kept before the app has shown its first code: until then the page itself carries the secret, sealed.
"""

from typing import TYPE_CHECKING, Literal

from flask import Response

from idp.accounts import passkeys
from idp.accounts.factors import WrongCode
from idp.accounts.passkeys import PasskeyRefused
from idp.errors import AccessDenied, Forbidden
from idp.oauth import flow, second_factor
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, csrf, pages, qr
from idp.web.account import devices
from idp.web.gates import Door, Gate
from idp.web.hosted import mfa, steps

if TYPE_CHECKING:
    from idp.store.durable.users import User

door = Door("enrol", __name__, gate=Gate.TENANT, page="error")

Trouble = Literal["", "wrong", "nothing", "passkey"]


@door.route("/interaction/enrol", credentials=("cookie",))
def show() -> Response:
    """The page, when setting up a second factor is what is due; else on to what is."""
    return steps.show(Step.ENROL, lambda due, binding: _page(due, binding))


@door.route(
    "/interaction/enrol",
    methods=("POST",),
    credentials=("cookie", "csrf", "second_factor", "passkey"),
    endpoint="submit",
)
def submit() -> Response:
    """Keep it, or cancel."""
    return steps.submit(_done)


def _done(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    here, ticket = due.step is Step.ENROL, form.get("ticket", "")
    if not csrf.good(form.get("csrf"), binding, steps.second(due, "enrol")):
        # Not shown anew: each showing of this page makes another secret.
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    if form.get("action") == "cancel":
        refusal = AccessDenied("The person cancelled the sign-in.")
        return answers.go(flow.denied(due, refusal, browser), binding)
    user = second_factor.whose(due)
    if not here or user is None:
        return answers.go(flow.go_on(due, browser), binding)
    if form.get("action") == "passkey":
        return _passkey(due, user, form, browser, binding)
    code = form.get("code", "")
    if not code.strip():
        return _page(due, binding, ticket, trouble="nothing")
    try:
        proved = second_factor.keep(due, user, ticket, code, browser)
    except WrongCode:
        return _page(due, binding, ticket, trouble="wrong")
    return mfa.done(due, proved, binding)


def _passkey(due: Due, user: "User", form: dict[str, str], browser: Browser, binding: str) -> Response:
    answer, name = form.get("passkey", ""), devices.name(browser.user_agent)
    try:
        proved = second_factor.keep_passkey(due, user, answer, name, browser)
    except PasskeyRefused:
        return _page(due, binding, form.get("ticket", ""), trouble="passkey")
    return mfa.done(due, proved, binding)


def _page(due: Due, binding: str, ticket: str = "", *, trouble: Trouble = "") -> Response:
    user = second_factor.whose(due)
    if user is None:
        return answers.stale(due.going.identifier)
    begun = second_factor.set_up(user, ticket)
    html, csp = pages.render(
        "enrol",
        tenant=pages.face(current()),
        client=None if due.going.own else answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, steps.second(due, "enrol")),
        action=answers.step_address(Step.ENROL, due.going.identifier),
        hidden=(("ticket", begun.ticket),),
        picture=qr.draw(begun.address),
        key=" ".join(begun.secret[at : at + 4] for at in range(0, len(begun.secret), 4)),
        address=begun.address,
        user=user.email or user.username,
        passkey_options=passkeys.creation_options(user, second_factor.scope(due, user))
        if passkeys.available()
        else "",
        error=trouble,
        anew=bool(ticket) and begun.ticket != ticket,
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, binding=binding)
