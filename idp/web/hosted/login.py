"""The sign-in page. Its field names and ids are a public contract; its answer is the same for every failure."""

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from flask import Response

from idp.accounts import assurance, authenticate, mailed, passkeys
from idp.accounts.authenticate import SignInFailed
from idp.accounts.passkeys import PasskeyRefused
from idp.errors import AccessDenied, Busy
from idp.federation import offers
from idp.oauth import by_mail, flow
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, cookies, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import links, steps
from idp.web.upstream_faces import ProviderFace

if TYPE_CHECKING:
    from idp.store.durable.users import User

door = Door("login", __name__, gate=Gate.TENANT, page="error")

Trouble = Literal[
    "", "failed", "no_username", "no_password", "nothing", "stale", "busy", "no_lead", "passkey"
]


@door.route("/interaction/login", credentials=("cookie",))
def show() -> Response:
    """The page, when signing in is what is due; else on to what is."""
    return steps.show(Step.LOGIN, _shown)


def _shown(due: Due, binding: str) -> Response:
    hint = due.request.login_hint or ""
    if current().policy.upstream_by_login_hint and due.session is None and "stay" not in asked.query():
        offer = offers.for_address(hint)
        if offer is not None:
            return answers.see_other(_way_to(offer.name, due, hint[:254]))
    return _page(due, binding, username=hint)


@door.route(
    "/interaction/login",
    methods=("POST",),
    credentials=("cookie", "csrf", "password", "passkey"),
    endpoint="submit",
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
    if form.get("action") == "passkey":
        return _with_passkey(due, form, browser, binding)
    if form.get("action") == "email" and mailed.offered():
        return _by_mail(due, form.get("username", "").strip(), browser, binding)
    wordless = not form.get("password") and offers.for_address(form.get("username", "")) is not None
    if form.get("action") == "organisation" or wordless:
        return _led(due, form.get("username", ""), binding)
    return _sign_in(due, form, browser, binding)


def _with_passkey(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    try:
        shown = authenticate.with_passkey(form.get("passkey", ""), _step(due), browser.address)
    except PasskeyRefused:
        return _page(due, binding, username=form.get("username", ""), trouble="passkey")
    return _entered(due, shown.user, shown.amr, browser, binding)


def _by_mail(due: Due, username: str, browser: Browser, binding: str) -> Response:
    """The same answer for every name, after the same work."""
    if not username:
        return _page(due, binding, username="", trouble="no_username")
    return answers.go(by_mail.ask(due, username, browser, cookies.read(cookies.DEVICE)), binding)


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
    return _entered(due, user, (assurance.PASSWORD,), browser, binding)


def _entered(due: Due, user: "User", amr: tuple[str, ...], browser: Browser, binding: str) -> Response:
    entered = flow.sign_in(due, user, amr, browser)
    response = answers.entered(due, entered, binding)
    if entered.session is not None:
        cookies.write(response, cookies.DEVICE, authenticate.device_token(user))
    return response


def _led(due: Due, username: str, binding: str) -> Response:
    """On to the provider to which the domain of an address leads, whoever has that address."""
    offer = offers.for_address(username)
    if offer is None:
        return _page(due, binding, username=username, trouble="no_lead")
    return answers.beyond(answers.see_other(_way_to(offer.name, due, username[:254])))


def _way_to(name: str, due: Due, hint: str = "") -> str:
    query = {"tx": due.going.identifier, "to": name} | ({"hint": hint} if hint else {})
    return f"{current().issuer}/interaction/upstream?{urlencode(query)}"


def _providers(due: Due) -> tuple[ProviderFace, ...]:
    return tuple(
        ProviderFace(each.display_name, _way_to(each.name, due), each.preset) for each in offers.every()
    )


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
        register_url=links.register(due.going.identifier),
        forgot_url=links.forgot(due.going.identifier),
        passkey_options=passkeys.request_options(_step(due)) if passkeys.available() else "",
        again=due.session is not None and due.going.same is not False,
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
        providers=_providers(due),
        by_mail=mailed.offered(),
        by_domain=offers.by_domain(),
    )
    return answers.page(html, csp, status=status, binding=binding)
