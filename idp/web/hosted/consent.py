"""The consent page: which application, at which APIs, each scope in words, and for how long."""

from typing import TYPE_CHECKING

from flask import Response

from idp.errors import AccessDenied, Forbidden
from idp.oauth import details, flow, scopes
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, csrf, pages
from idp.web.faces import Detail
from idp.web.gates import Door, Gate
from idp.web.hosted import steps

if TYPE_CHECKING:
    from idp.store.durable.apis import Api

door = Door("consent", __name__, gate=Gate.TENANT, page="error")


@door.route("/interaction/consent", credentials=("cookie",))
def show() -> Response:
    """The page, when consent is what is due; else on to what is."""
    return steps.show(Step.CONSENT, _page)


@door.route("/interaction/consent", methods=("POST",), credentials=("cookie", "csrf"), endpoint="submit")
def submit() -> Response:
    """Allow or deny."""
    return steps.submit(_answered)


def _answered(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    if not csrf.good(form.get("csrf"), binding, _step(due)):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    if form.get("action") != "allow":
        refusal = AccessDenied("The person denied the request.")
        return answers.go(flow.denied(due, refusal, browser), binding)
    return answers.go(flow.consented(due, browser), binding)


def _step(due: Due) -> str:
    """Bound to what the page shows: other scopes, APIs or resources make another token."""
    return "|".join(("consent", due.going.identifier, *due.entries, "", *due.request.resources))


def _reached(due: Due) -> "tuple[Api, ...]":
    return scopes.reached(due.client, due.request.scopes, due.request.resources)


def faces(due: Due) -> tuple[pages.ApiFace, ...]:
    """Each API with its scopes in words; the tenant's own scopes stand under the tenant's name."""
    shown, entries = [], set(due.entries)
    for api in _reached(due):
        mine = [scope for scope in due.request.scopes if f"{api.identifier} {scope}" in entries]
        if mine:
            lines = tuple(pages.Scope(scope, api.scopes[scope]) for scope in mine)
            shown.append(pages.ApiFace(api.name, lines, api.identifier))
    own = tuple(
        pages.Scope(scope) for scope in due.request.scopes if scope in entries and scope != "offline_access"
    )
    return (pages.ApiFace(current().name, own), *shown) if own else tuple(shown)


def detailed(due: Due) -> tuple[Detail, ...]:
    """What is asked for in detail, in words."""
    return tuple(Detail(each.name, each.api, each.rows) for each in details.told(due.request.details))


def lasting(due: Due) -> tuple[int, int | None]:
    """For how many seconds access lasts at a time, and for how many it can be renewed; None: until the sign-out."""
    policy = current().policy
    lifetimes = [
        int(api.setting("access_token_lifetime") or policy.access_token_lifetime) for api in _reached(due)
    ]
    offline = "offline_access" in due.request.scopes and "refresh_token" in due.client.grant_types
    return min(lifetimes, default=policy.access_token_lifetime), policy.refresh_absolute if offline else None


def _page(due: Due, binding: str) -> Response:
    access, offline = lasting(due)
    html, csp = pages.render(
        "consent",
        tenant=pages.face(current()),
        client=answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, _step(due)),
        action=answers.step_address(Step.CONSENT, due.going.identifier),
        apis=faces(due),
        in_detail=detailed(due),
        access_seconds=access,
        offline_seconds=offline,
        user=answers.person(due.session),
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, binding=binding)
