"""The chooser (prompt=select_account): go on as who is signed in, or as somebody else."""

from flask import Response

from idp.errors import AccountSelectionRequired, Forbidden
from idp.oauth import flow
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import steps

door = Door("account", __name__, gate=Gate.TENANT, page="error")


@door.route("/interaction/account", credentials=("cookie",))
def show() -> Response:
    """The page, when a choice is what is due; else on to what is."""
    return steps.show(Step.ACCOUNT, _page)


@door.route("/interaction/account", methods=("POST",), credentials=("cookie", "csrf"), endpoint="submit")
def submit() -> Response:
    """Go on, as the same person or as another one, or cancel."""
    return steps.submit(_chosen)


def _chosen(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    if not csrf.good(form.get("csrf"), binding, _step(due)):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    action = form.get("action")
    if action == "cancel":
        refusal = AccountSelectionRequired("The person chose no account.")
        return answers.go(flow.denied(due, refusal, browser), binding)
    return answers.go(flow.chosen(due, browser, same=action != "other"), binding)


def _step(due: Due) -> str:
    """Bound to who is shown: another session makes another token."""
    return f"account|{due.going.identifier}|{due.session.id if due.session else ''}"


def _page(due: Due, binding: str) -> Response:
    html, csp = pages.render(
        "account",
        tenant=pages.face(current()),
        client=answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, _step(due)),
        action=answers.step_address(Step.ACCOUNT, due.going.identifier),
        user=answers.person(due.session),
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, binding=binding)
