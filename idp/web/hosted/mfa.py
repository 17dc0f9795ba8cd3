"""The second factor: a passkey, a code of an app, or a recovery code. Names and ids are a public contract."""

from typing import TYPE_CHECKING, Literal

from flask import Response

from idp.accounts import authenticate, factors, passkeys
from idp.accounts.factors import WrongCode
from idp.accounts.passkeys import PasskeyRefused
from idp.errors import AccessDenied
from idp.oauth import flow, second_factor
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.oauth.second_factor import Proved
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import steps

if TYPE_CHECKING:
    from idp.store.durable.users import User

door = Door("mfa", __name__, gate=Gate.TENANT, page="error")

Trouble = Literal["", "wrong", "nothing", "stale", "passkey", "not_sent"]


@door.route("/interaction/mfa", credentials=("cookie",))
def show() -> Response:
    """The page, when a second factor is what is due; else on to what is."""
    return steps.show(Step.MFA, lambda due, binding: _page(due, binding, asked.query().get("way", "")))


@door.route(
    "/interaction/mfa",
    methods=("POST",),
    credentials=("cookie", "csrf", "second_factor", "passkey"),
    endpoint="submit",
)
def submit() -> Response:
    """Give it, cancel, or go back to sign in as somebody else."""
    return steps.submit(_done)


def _done(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    way = form.get("way", "")
    if not csrf.good(form.get("csrf"), binding, steps.second(due, "mfa")):
        return (
            _page(due, binding, way, trouble="stale", status=403) if _at(due) else _on(due, browser, binding)
        )
    action = form.get("action")
    if action == "cancel":
        refusal = AccessDenied("The person cancelled the sign-in.")
        return answers.go(flow.denied(due, refusal, browser), binding)
    user = second_factor.whose(due)
    if not _at(due) or user is None:
        return _on(due, browser, binding)
    if action == "other":
        return answers.go(flow.again_as_another(due, browser), binding)
    if action == "send":
        return _sent(due, user, browser, binding)
    way = factors.PASSKEY if action == "passkey" else way
    code = form.get("passkey" if way == factors.PASSKEY else "code", "")
    if not code.strip():
        return _page(due, binding, way, trouble="nothing")
    try:
        proved = second_factor.give(due, user, way, code, browser, remember="remember" in form)
    except WrongCode:
        return _page(due, binding, way, trouble="wrong")
    except PasskeyRefused:
        return _page(due, binding, way, trouble="passkey")
    return done(due, proved, binding)


def _sent(due: Due, user: "User", browser: Browser, binding: str) -> Response:
    """Have a code sent, and go to where it is typed."""
    if not second_factor.send_code(due, user, browser):
        return _page(due, binding, factors.EMAIL, trouble="not_sent")
    return answers.see_other(f"{answers.step_address(Step.MFA, due.going.identifier)}&way={factors.EMAIL}")


def _at(due: Due) -> bool:
    return due.step is Step.MFA


def _on(due: Due, browser: Browser, binding: str) -> Response:
    return answers.go(flow.go_on(due, browser), binding)


def done(due: Due, proved: Proved, binding: str) -> Response:
    """What follows a second factor, with the cookies of the device."""
    response = answers.entered(due, proved.entered, binding)
    if proved.entered.session is not None:
        cookies.write(response, cookies.DEVICE, authenticate.device_token(proved.user))
    if proved.trusted is not None:
        cookies.write(response, cookies.TRUSTED, proved.trusted)
    return response


def _page(due: Due, binding: str, way: str, *, trouble: Trouble = "", status: int = 200) -> Response:
    user = second_factor.whose(due)
    ways = second_factor.holding(due, user).ways if user is not None else ()
    shown = way if way in ways else ways[0] if ways else factors.RECOVERY
    address = answers.step_address(Step.MFA, due.going.identifier)
    html, csp = pages.render(
        "mfa",
        tenant=pages.face(current()),
        client=None if due.going.own else answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, steps.second(due, "mfa")),
        action=address,
        hidden=(("way", shown),),
        way=shown,
        others=tuple((name, f"{address}&way={name}") for name in ways if name != shown),
        user=(user.email or user.username) if user is not None else "",
        passkey_options=passkeys.request_options(second_factor.scope(due, user), user)
        if user is not None and shown == factors.PASSKEY
        else "",
        sent=(user.email or "") if user is not None and second_factor.code_sent(due, user) else "",
        remember_days=0 if shown == factors.EMAIL else current().policy.remembered_device // 86_400,
        error=trouble,
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, status=status, binding=binding)
