"""The sign-in page. Its field names and ids are a public contract; its answer is the same for every failure."""

from typing import Literal

from flask import Response

from idp.accounts import assurance, authenticate
from idp.accounts.authenticate import SignInFailed
from idp.errors import AccessDenied, Busy
from idp.oauth import flow
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import links, steps

door = Door("login", __name__, gate=Gate.TENANT, page="error")

Trouble = Literal["", "failed", "no_username", "no_password", "nothing", "stale", "busy"]


@door.route("/interaction/login", credentials=("cookie",))
def show() -> Response:
    """The page, when signing in is what is due; else on to what is."""
    return steps.show(
        Step.LOGIN, lambda due, binding: _page(due, binding, username=due.request.login_hint or "")
    )


@door.route(
    "/interaction/login", methods=("POST",), credentials=("cookie", "csrf", "password"), endpoint="submit"
)
def submit() -> Response:
    """Sign in, or cancel."""
    return steps.submit(_done)


def _done(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    if not csrf.good(form.get("csrf"), binding, _step(due)):
        return _page(due, binding, username=form.get("username", ""), trouble="stale", status=403)
    if form.get("action") == "cancel":
        refusal = AccessDenied("The person cancelled the sign-in.")
        return answers.go(flow.denied(due, refusal, browser), binding)
    if due.step is not Step.LOGIN:
        return answers.go(flow.go_on(due, browser), binding)
    return _sign_in(due, form, browser, binding)


def _sign_in(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    username, password = form.get("username", ""), form.get("password", "")
    if not username or not password:
        trouble: Trouble = "nothing" if not username and not password else "no_password"
        return _page(
            due, binding, username=username, trouble=trouble if username or not password else "no_username"
        )
    try:
        user = authenticate.with_password(
            username, password, browser.address, browser.user_agent, device=cookies.read(cookies.DEVICE)
        )
    except SignInFailed:
        return _page(due, binding, username=username, trouble="failed")
    except Busy as busy:
        response = _page(due, binding, username=username, trouble="busy", status=503)
        response.headers["Retry-After"] = busy.headers.get("Retry-After", "1")
        return response
    entered = flow.sign_in(due, user, (assurance.PASSWORD,), browser)
    response = answers.entered(due, entered, binding)
    if entered.session is not None:
        cookies.write(response, cookies.DEVICE, authenticate.device_token(user))
    return response


def _step(due: Due) -> str:
    return f"login|{due.going.identifier}"


def _page(due: Due, binding: str, *, username: str, trouble: Trouble = "", status: int = 200) -> Response:
    html, csp = pages.render(
        "login",
        tenant=pages.face(current()),
        client=None if due.going.own else answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, _step(due)),
        action=answers.step_address(Step.LOGIN, due.going.identifier),
        username=username[:512],
        error=trouble,
        forgot_url=links.forgot(due.going.identifier),
        again=due.session is not None and due.going.same is not False,
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, status=status, binding=binding)
