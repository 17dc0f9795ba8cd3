"""Everything that a person, a browser and the clients of one canary can hold, gathered once over HTTP."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc.jwk import ECKey

from idp.prove import clock
from idp.prove.authenticator import Passkey
from idp.prove.browser import Browser, Form, forms
from idp.prove.canaries import CALLBACK
from idp.prove.promises import Unexpected
from idp.prove.target import Canary, Target
from idp.prove.visitor import Party
from idp.prove.wire import Answer, Net

SCOPE = "openid profile email offline_access orders.read"


OPTIONS = "passkey_options"
"""The field in which a page says what a passkey is made or shown with."""
ACCOUNT = {
    "/account/password": "password-form",
    "/account/email": "email-form",
    "/account/profile": "profile-form",
    "/account/data": "data-form",
    "/account/authenticator": "authenticator-form",
    "/account/passkeys": "passkeys-form",
    "/account/recovery-codes": "codes-form",
    "/account/approval-code": "approval-code-form",
    "/account/sessions": "sessions-form",
    "/account/applications": "applications-form",
    "/account/identities": "identities-form",
}
"""The account pages that have a form, and its id."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page with a form as one browser has it open: its query, the form's inputs and the browser's cookies."""

    query: tuple[tuple[str, str], ...]
    inputs: dict[str, str]
    cookies: dict[str, str]
    anonymous: dict[str, str]
    """Those of the cookies that a browser has before anybody signs in."""
    once: bool = False
    """Whether to open it uses it up."""


@dataclass(slots=True)
class Wallet:
    """What one canary's Alice and the client `web` hold."""

    canary: Canary
    cookies: dict[str, str] = field(default_factory=dict)
    """Of her signed-in browser, by name."""
    pages: dict[str, Page] = field(default_factory=dict)
    """By the path below the issuer to which the form goes."""
    tokens: dict[str, Any] = field(default_factory=dict)
    request: dict[str, str] = field(default_factory=dict)
    """An authorization request of `web`, which asks nobody anything."""
    code: str = field(default="", repr=False)
    verifier: str = field(default="", repr=False)
    pushed: str = field(default="", repr=False)
    """The name of `request`, which `web` has pushed."""
    device: dict[str, Any] = field(default_factory=dict, repr=False)
    """What a device was told whose request has been allowed, so that its code is worth tokens."""
    waiting: dict[str, Any] = field(default_factory=dict, repr=False)
    """What a device was told whose request waits, so that its user code leads on."""
    asked: str = field(default="", repr=False)
    """By what `web` asks after a request for Alice, which she has allowed."""
    asking: str = field(default="", repr=False)
    """The same of one that waits."""
    registered: dict[str, Any] = field(default_factory=dict, repr=False)
    """An application that registered itself, as it was answered."""
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"), repr=False)
    bound: str = field(default="", repr=False)
    """An access token that is bound to `key`."""
    app: str = field(default="", repr=False)
    """Of an authenticator that somebody is about to set up, in base32."""
    recovery: str = field(default="", repr=False)
    """A recovery code of somebody who is asked for a second factor."""
    mailed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Code and link of Alice, of a sign-in by e-mail that waits."""
    passkey: Passkey = field(default_factory=lambda: Passkey(""), repr=False)
    """Of the same person."""
    brief: str = field(default="", repr=False)
    """An access token of a client that soon expires."""
    ends: float = 0.0
    """When it has, on the clock of `clock.elapsed`."""


_filling = Lock()


def party(net: Net, canary: Canary, client_id: str = "web", method: str = "client_secret_basic") -> Party:
    """A client of a canary that has a secret."""
    return Party(net, canary.issuer, client_id, CALLBACK, canary.secrets.get(client_id), method, scope=SCOPE)


def of(net: Net, target: Target, canary: Canary) -> Wallet:
    """The wallet of a canary, filled at the first call. Raises Unexpected."""
    with _filling:
        kept: Wallet | None = target.kept.get(f"wallet of {canary.slug}")
        if kept is None:
            kept = target.kept[f"wallet of {canary.slug}"] = gathered(net, canary)
        return kept


def gathered(net: Net, canary: Canary) -> Wallet:
    """A new wallet. Raises Unexpected."""
    wallet = Wallet(canary)
    stranger, browser = Browser(net, canary.issuer), Browser(net, canary.issuer)
    client = party(net, canary)
    page = client.authorize(stranger)
    known = frozenset(name for _, name in stranger.cookies)
    _open(wallet, stranger, page, "login-form", known)
    _left(wallet, net, stranger, page, known)
    wallet.tokens = client.sign_in(browser, "alice", canary.passwords["alice"])
    brief = party(net, canary, "service").client_credentials("brief.read").json()
    wallet.brief, wallet.ends = brief["access_token"], clock.elapsed() + brief["expires_in"]
    asking = party(net, canary, "asks")
    _open(
        wallet,
        browser,
        asking.authorize(browser, scope=SCOPE.removesuffix(" orders.read"), prompt="consent"),
        "consent-form",
        known,
    )
    _open(wallet, browser, client.authorize(browser, prompt="select_account"), "account-form", known)
    _second_factors(net, wallet, client, known)
    _open(wallet, browser, browser.get(client.metadata["end_session_endpoint"]), "logout-form", known)
    for path, form in ACCOUNT.items():
        _open(wallet, browser, browser.get(f"{canary.issuer}{path}"), form, known)
    _open(wallet, browser, browser.get(f"{canary.issuer}/forgot"), "forgot-form", known)
    _open(wallet, browser, browser.get(f"{canary.issuer}/create"), "register-form", known)
    for path, link in canary.links.items():
        _open(wallet, browser, browser.get(link), f"{path[1:]}-form", known)
    _by_mail(wallet, net, client, browser, known)
    wallet.cookies = {name: value for (_, name), value in browser.cookies.items()}
    wallet.request = client.request(prompt="none")
    wallet.code, wallet.verifier = fresh_code(net, wallet)
    bound = party(net, canary)
    code = bound.code(bound.authorize(signed_in(net, wallet), prompt="none"))
    wallet.bound = bound.redeem_bound(code, wallet.key).json()["access_token"]
    wallet.pushed = client.push(wallet.request).json(201)["request_uri"]
    _devices(net, wallet, client, browser, known)
    _asked(wallet, client, browser, known)
    wallet.registered = client.register(canary.initial).json(201)
    return wallet


def _devices(net: Net, wallet: Wallet, client: Party, browser: Browser, known: frozenset[str]) -> None:
    """Two devices that ask, and the pages on which the signed-in person allows the first."""
    wallet.device, wallet.waiting = (client.device("openid profile").json() for _ in range(2))
    page = browser.get(wallet.device["verification_uri"])
    _open(wallet, browser, page, "device-form", known)
    page = browser.submit(page, "device-form", "device-continue", user_code=wallet.device["user_code"])
    browser.submit(page, "approve-form", "approve-allow")
    page = browser.get(wallet.waiting["verification_uri"])
    page = browser.submit(page, "device-form", "device-continue", user_code=wallet.waiting["user_code"])
    _open(wallet, browser, page, "approve-form", known)


def _by_mail(wallet: Wallet, net: Net, client: Party, browser: Browser, known: frozenset[str]) -> None:
    """The page on which Alice waits for a code, and the one behind its link, opened in her other browser."""
    waiting = Browser(net, wallet.canary.issuer)
    page = waiting.submit(client.authorize(waiting), "login-form", "login-email", username="alice")
    _open(wallet, waiting, page, "email-form", known)
    wallet.mailed = wallet.canary.waits()
    _open(wallet, browser, browser.get(wallet.mailed["link"]), "sign-in-form", known)


def _second_factors(net: Net, wallet: Wallet, client: Party, known: frozenset[str]) -> None:
    """The pages of second factors: of one person who is about to set one up, and of one who has just done so."""
    setting_up = Browser(net, wallet.canary.issuer)
    page = _first_factor(setting_up, client, wallet.canary, _spare(wallet.canary))
    wallet.app = _between(page, 'id="totp-key" dir="ltr">', "<")
    _open(wallet, setting_up, page, "enrol-form", known)
    wallet.pages["/interaction/enrol"].inputs[OPTIONS] = forms(page)["passkey-form"].inputs[OPTIONS]
    browser, name = Browser(net, wallet.canary.issuer), _spare(wallet.canary)
    page = _first_factor(browser, client, wallet.canary, name)
    wallet.passkey = Passkey(f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}")
    made = wallet.passkey.create(forms(page)["passkey-form"].inputs[OPTIONS])
    page = browser.submit(page, "passkey-form", "enrol-passkey", passkey=made)
    wallet.recovery = _between(page, "<li><code>", "</code>")
    _open(wallet, browser, page, "codes-form", known)
    asked = Browser(net, wallet.canary.issuer)
    _open(wallet, asked, _first_factor(asked, client, wallet.canary, name), "mfa-form", known)


def _first_factor(browser: Browser, client: Party, canary: Canary, name: str) -> Answer:
    page = client.authorize(browser, acr_values="2")
    return browser.submit(
        page, "login-form", "login-submit", username=name, password=canary.passwords["alice"]
    )


def _spare(canary: Canary) -> str:
    if not canary.spare:
        raise Unexpected("Everybody without a second factor has been used up by this proof.")
    return canary.spare.pop()


def _between(page: Answer, before: str, after: str) -> str:
    found = page.text.partition(before)[2].partition(after)[0]
    if not found:
        raise page.unexpected("where a page about second factors is due")
    return found


def _asked(wallet: Wallet, client: Party, browser: Browser, known: frozenset[str]) -> None:
    """Two requests for Alice, of which she allows the first, and the page on which the other waits."""
    address = f"{wallet.canary.issuer}/approve"
    wallet.asked = client.ask_for("alice").json()["auth_req_id"]
    page = browser.get(address)
    name = _between(page, 'id="waiting-1" class="choice" type="submit" name="action" value="', '"')
    page = browser.submit(page, "waiting-form", "waiting-1", action=name)
    browser.submit(page, "approve-form", "approve-allow")
    wallet.asking = client.ask_for("alice").json()["auth_req_id"]
    _open(wallet, browser, browser.get(address), "waiting-form", known)


def fresh_code(net: Net, wallet: Wallet) -> tuple[str, str]:
    """A code of the signed-in browser that nobody has redeemed, and its code_verifier. Raises Unexpected."""
    client = party(net, wallet.canary)
    return client.code(client.authorize(signed_in(net, wallet), prompt="none")), client.verifier


def silently(net: Net, wallet: Wallet, client: Party) -> dict[str, Any]:
    """Tokens of the signed-in browser for another client, whose APIs are nobody's. Raises Unexpected."""
    scope = SCOPE.removesuffix(" orders.read")
    return client.redeem(
        client.code(client.authorize(signed_in(net, wallet), prompt="none", scope=scope))
    ).json()


def signed_in(net: Net, wallet: Wallet) -> Browser:
    """The signed-in browser again."""
    host = urlsplit(wallet.canary.issuer).hostname or ""
    cookies = {(host, name): value for name, value in wallet.cookies.items()}
    return Browser(net, wallet.canary.issuer, cookies)


def _open(wallet: Wallet, browser: Browser, answer: Answer, form_id: str, known: frozenset[str]) -> None:
    form: Form | None = forms(answer).get(form_id)
    if form is None:
        raise answer.unexpected(f"where the page with {form_id} is due")
    action = urlsplit(form.action)
    path = f"{action.scheme}://{action.netloc}{action.path}".removeprefix(wallet.canary.issuer)
    cookies = {name: value for (_, name), value in browser.cookies.items()}
    anonymous = {name: value for name, value in cookies.items() if name in known}
    wallet.pages[path] = Page(tuple(parse_qsl(action.query)), form.inputs, cookies, anonymous)


def _left(wallet: Wallet, net: Net, browser: Browser, page: Answer, known: frozenset[str]) -> None:
    """Leave for the upstream, and note how one leaves and what has to come back. Raises Unexpected."""
    leave = "/interaction/upstream"
    found = _LINK.search(page.text)
    if found is None:
        raise page.unexpected("without the way to an upstream")
    address = urlsplit(unescape(found[1]))
    cookies = {name: value for (_, name), value in browser.cookies.items()}
    anonymous = {name: value for name, value in cookies.items() if name in known}
    wallet.pages[leave] = Page(tuple(parse_qsl(address.query)), {}, cookies, anonymous)
    away = net.ask("GET", address.geturl(), {"Cookie": browser.sent(address.geturl())})
    state = dict(parse_qsl(urlsplit(away.header("Location")).query)).get("state")
    if away.status != 303 or not state:
        raise away.unexpected("where the way to an upstream is due")
    back = (("state", state), ("error", "access_denied"))
    wallet.pages["/upstream/{upstream}/callback"] = Page(back, {}, cookies, anonymous, once=True)


_LINK = re.compile(r'href="([^"]+/interaction/upstream\?[^"]+)"')


def shuffled(value: str) -> str:
    """A value of the same shape that is nobody's: the last characters of each part are others.

    Of a JWT the signature alone changes; of anything that has no parts, its end.
    """
    head, dot, last = value.rpartition(".")
    return f"{head}{dot}{_other(last)}"


def _other(text: str) -> str:
    if len(text) < 8:
        return "".join(secrets.choice("abcdefghjk") for _ in text)
    end = "AAAAAA" if text[-7:-1] != "AAAAAA" else "BBBBBB"
    return f"{text[:-7]}{end}{text[-1]}"


def nobodys(canary: Canary) -> Canary:
    """A canary of the same shape that does not exist."""
    head, _, letter = canary.slug.rpartition("-")
    slug = f"{head[:-8]}{secrets.token_hex(4)}-{letter}"
    return replace(canary, slug=slug, issuer=canary.issuer.replace(canary.slug, slug))
