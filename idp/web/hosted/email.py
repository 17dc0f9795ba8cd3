"""The page that waits for a code of a message, or for its link. It says and does the same for every name."""

from typing import Literal

from flask import Response

from idp.accounts import mailed
from idp.errors import AccessDenied
from idp.oauth import by_mail, flow
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import mfa, steps

door = Door("email", __name__, gate=Gate.TENANT, page="error")

Trouble = Literal["", "wrong", "nothing", "stale", "not_yet"]


@door.route("/interaction/email", credentials=("cookie",))
def show() -> Response:
    """The page, when a code is what is due; else on to what is."""
    return steps.show(Step.EMAIL, _page)


@door.route(
    "/interaction/email", methods=("POST",), credentials=("cookie", "csrf", "email_code"), endpoint="submit"
)
def submit() -> Response:
    """Give the code, go on after the link, have a new one sent, take another way, or cancel."""
    return steps.submit(_done)


def _done(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    action = form.get("action")
    if due.step is not Step.EMAIL or due.going.mailed is None:
        return answers.go(flow.go_on(due, browser), binding)
    if not csrf.good(form.get("csrf"), binding, _step(due)):
        return _page(due, binding, trouble="stale", status=403)
    if action == "cancel":
        refusal = AccessDenied("The person cancelled the sign-in.")
        return answers.go(flow.denied(due, refusal, browser), binding)
    if action == "other" or not mailed.offered():
        return answers.go(by_mail.another_way(due, browser), binding)
    if action == "again":
        device = cookies.read(cookies.DEVICE)
        return answers.go(by_mail.ask(due, due.going.mailed[1], browser, device), binding)
    if action == "opened":
        proved = by_mail.go_on(due, browser)
        return _page(due, binding, trouble="not_yet") if proved is None else mfa.done(due, proved, binding)
    return _given(due, form.get("code", ""), browser, binding)


def _given(due: Due, code: str, browser: Browser, binding: str) -> Response:
    if not code.strip():
        return _page(due, binding, trouble="nothing")
    proved = by_mail.give(due, code, browser)
    return _page(due, binding, trouble="wrong") if proved is None else mfa.done(due, proved, binding)


def _step(due: Due) -> str:
    return f"email|{due.going.identifier}"


def _page(due: Due, binding: str, *, trouble: Trouble = "", status: int = 200) -> Response:
    row = by_mail.standing(due)
    confirmed = row is not None and row.confirmed_at is not None
    html, csp = pages.render(
        "email",
        tenant=pages.face(current()),
        client=None if due.going.own else answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, _step(due)),
        action=answers.step_address(Step.EMAIL, due.going.identifier),
        user=due.going.mailed[1] if due.going.mailed else "",
        state="over" if row is None else "confirmed" if confirmed else "open",
        seconds=current().policy.email_code_lifetime,
        link=mailed.with_link(),
        error=trouble,
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, status=status, binding=binding)
