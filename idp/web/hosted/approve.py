"""Allowing what was asked for at another place: which application, from where, each scope in words; and the end.

Never by the address alone: whoever sent it must not be able to answer by it (RFC 8628 §5.4).
"""

from flask import Response

from idp import clock
from idp.errors import AccessDenied, Forbidden
from idp.oauth import flow
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, csrf, pages
from idp.web.elsewhere_faces import ENDS
from idp.web.gates import Door, Gate
from idp.web.hosted import consent, steps

door = Door("approve", __name__, gate=Gate.TENANT, page="error")


@door.route("/interaction/approve", credentials=("cookie",))
def show() -> Response:
    """The page, when an approval is what is due; else on to what is."""
    return steps.show(Step.APPROVE, _page)


@door.route("/interaction/approve", methods=("POST",), credentials=("cookie", "csrf"), endpoint="submit")
def submit() -> Response:
    """Allow or deny."""
    return steps.submit(_answered)


@door.route("/interaction/done", credentials=())
def done() -> Response:
    """That it is done: there is no application to go back to in this browser."""
    how = asked.query().get("how", "")
    html, csp = pages.render(
        "done",
        tenant=pages.face(current()),
        how=how if how in ENDS else "left",
        request_id=asked.request_id(),
    )
    return answers.page(html, csp)


def _answered(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    if not csrf.good(form.get("csrf"), binding, _step(due)):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    if form.get("action") != "allow":
        return answers.go(flow.denied(due, AccessDenied(), browser), binding)
    return answers.go(flow.consented(due, browser), binding)


def _step(due: Due) -> str:
    """Bound to who is shown and to what: another person, or other scopes, make another token."""
    who = str(due.session.user_id) if due.session else ""
    return "|".join(("approve", due.going.identifier, who, *due.entries, "", *due.request.resources))


def _page(due: Due, binding: str) -> Response:
    place = due.request.elsewhere
    assert place is not None
    lasting = consent.lasting(due)
    html, csp = pages.render(
        "approve",
        tenant=pages.face(current()),
        client=answers.client_face(due.client),
        csrf=csrf.token(binding, _step(due)),
        action=answers.step_address(Step.APPROVE, due.going.identifier),
        kind="device" if place.kind == "device_code" else "service",
        apis=consent.faces(due),
        in_detail=consent.detailed(due),
        access_seconds=lasting[0],
        offline_seconds=lasting[1],
        user=answers.person(due.session),
        address=place.address,
        agent=place.agent,
        same_place=place.address == asked.address(),
        ago=max(0, clock.epoch() - place.asked),
        message=place.message or "",
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, binding=binding)
