"""Every hosted page in every state, written as files to look at: `python -m tests.journeys.gallery FOLDER`.

The journeys that look at pages take their states from here, so that a new state is seen once and then held.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from idp import paths
from idp.tenants import Branding, Tenant
from idp.web import qr
from idp.web.elsewhere_faces import ENDS, Asked
from idp.web.faces import Detail, Letter
from idp.web.pages import (
    ApiFace,
    ClientFace,
    DemoTenant,
    DemoUser,
    Scope,
    face,
    form_target,
    render,
)
from tests.journeys import gallery_account, gallery_upstream

BASE = "http://localhost:8000"
LOGO = "https://logo.example/mark.svg"


def tenant(name: str = "Acme Corporation", slug: str = "acme", **look: Any) -> Tenant:
    """A tenant that exists in memory only."""
    return Tenant(
        id=UUID(int=1),
        slug=slug,
        name=name,
        status="active",
        issuer=f"{BASE}/t/{slug}",
        branding=Branding(**look),
    )


ACME = face(tenant(primary_color="#0b5fff"))
GLOBEX = face(tenant("Globex", "globex", primary_color="#ffd400", radius=2, font="serif"))
NIGHT = face(tenant("Nocturne", "nocturne", primary_color="#00a86b", radius=20, appearance="dark"))
BROKEN_LOGO = face(tenant(primary_color="#7c3aed", logo_uri="https://logo.invalid/mark.png"))
WEB = ClientFace(
    "Acme Web",
    "app.acme.example",
    policy_uri="https://acme.example/privacy",
    tos_uri="https://acme.example/terms",
)
STRANGER = ClientFace("Totally Acme \u202egnilliB", "com.stranger.app", assured=False)
LONG = ClientFace(
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft für Fahrgäste und Fracht",
    "a-very-long-subdomain.of-some.department.of-a-large-organisation.example",
)
REQUEST_ID = "01936f3a-8c1e-7d42-9b0a-5f2f6f0c7d11"
STANDARD = ApiFace("Acme Corporation", tuple(Scope(name) for name in ("openid", "profile", "email")))
OFFLINE = replace(STANDARD, scopes=(*STANDARD.scopes, Scope("offline_access")))
ORDERS = ApiFace(
    "Orders",
    (Scope("orders.read", "Read your orders"), Scope("orders.write", "Place and cancel orders for you")),
    "https://api.acme.example",
)
DETAILS = (
    ("Rule", "redirect_uri.exact"),
    ("Expected", "http://localhost:8001/callback"),
    ("Got", "http://localhost:8001/callback/../evil"),
    ("Setting", "client.redirect_uris"),
)
DISCOVERY = (
    ("OpenID configuration", f"{BASE}/t/acme/.well-known/openid-configuration"),
    ("Signing keys", f"{BASE}/t/acme/jwks.json"),
)


PROVIDERS = gallery_upstream.providers(BASE)


def login_states() -> dict[str, dict[str, object]]:
    """The sign-in page in its states."""
    plain = {"tenant": ACME, "client": WEB, "csrf": "x"}
    return {
        "login": plain,
        "login-failed": plain | {"username": "alice", "error": "failed"},
        "login-nothing": plain | {"error": "nothing"},
        "login-stale": plain | {"username": "alice", "error": "stale"},
        "login-busy": plain | {"username": "alice", "error": "busy"},
        "login-passkey": plain | {"passkey_options": '{"challenge": "AAAA"}'},
        "login-passkey-failed": plain | {"passkey_options": '{"challenge": "AAAA"}', "error": "passkey"},
        "login-again": plain | {"username": "alice", "again": True},
        "login-stranger": plain | {"client": STRANGER},
        "login-logo": plain | {"client": replace(WEB, logo_uri=LOGO), "tenant": replace(ACME, logo_uri=LOGO)},
        "login-broken-logo": plain
        | {"tenant": BROKEN_LOGO, "client": replace(WEB, logo_uri="https://logo.invalid/c")},
        "login-long": plain | {"client": LONG},
        "login-serif-yellow": plain | {"tenant": GLOBEX},
        "login-dark-tenant": plain | {"tenant": NIGHT},
        "login-providers": plain | {"providers": PROVIDERS, "by_domain": True},
        "login-no-lead": plain
        | {"providers": PROVIDERS[:1], "by_domain": True, "username": "a@b.example", "error": "no_lead"},
        "login-providers-rtl": plain | {"lang": "ar", "providers": PROVIDERS, "tenant": NIGHT},
        "login-popup": plain
        | {"display": "popup", "username": "alice", "error": "failed", "providers": PROVIDERS},
        "login-popup-plain": plain | {"display": "popup"},
        "login-popup-dark": plain | {"display": "popup", "tenant": NIGHT, "client": LONG},
        "login-touch": plain | {"display": "touch", "providers": PROVIDERS, "by_domain": True},
        "login-rtl": plain | {"lang": "ar", "username": "alice", "error": "failed", "client": STRANGER},
    }


def factor_states() -> dict[str, tuple[str, dict[str, object]]]:
    """The pages of second factors in their states."""
    options = '{"challenge": "AAAA"}'
    key = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"
    address = (
        f"otpauth://totp/Acme%20Corporation:alice?secret={key.replace(' ', '')}&issuer=Acme%20Corporation"
    )
    way = {"tenant": ACME, "client": WEB, "csrf": "x", "user": "alice@acme.example", "remember_days": 30}
    mfa = way | {"way": "totp", "others": (("recovery", "?way=recovery"),)}
    paper = way | {"way": "recovery", "others": (("totp", "?way=totp"),)}
    enrol = {"tenant": ACME, "client": WEB, "csrf": "x", "user": "alice@acme.example", "key": key,
             "address": address, "picture": qr.draw(address)}  # fmt: skip
    codes = tuple(f"{number:04d}-v5kz-8qmt-d3h{number}" for number in range(10))
    return {
        "mfa": ("mfa", mfa),
        "mfa-wrong": ("mfa", mfa | {"error": "wrong"}),
        "mfa-nothing": ("mfa", mfa | {"error": "nothing"}),
        "mfa-alone": ("mfa", mfa | {"others": (), "remember_days": 0}),
        "mfa-recovery": ("mfa", paper),
        "mfa-recovery-wrong": ("mfa", paper | {"error": "wrong"}),
        "mfa-rtl": ("mfa", mfa | {"lang": "ar", "tenant": GLOBEX}),
        "mfa-email": ("mfa", mfa | {"way": "email", "remember_days": 0}),
        "mfa-email-sent": ("mfa", mfa | {"way": "email", "sent": "alice@acme.example", "remember_days": 0}),
        "mfa-email-wrong": ("mfa", mfa | {"way": "email", "sent": "alice@acme.example", "error": "wrong"}),
        "mfa-email-not-sent": ("mfa", mfa | {"way": "email", "error": "not_sent"}),
        "mfa-passkey": ("mfa", mfa | {"way": "passkey", "passkey_options": options}),
        "mfa-passkey-wrong": (
            "mfa",
            mfa | {"way": "passkey", "passkey_options": options, "error": "passkey"},
        ),
        "enrol": ("enrol", enrol),
        "enrol-passkey": ("enrol", enrol | {"passkey_options": gallery_account.MAKING}),
        "enrol-wrong": ("enrol", enrol | {"error": "wrong"}),
        "enrol-anew": ("enrol", enrol | {"error": "wrong", "anew": True}),
        "enrol-dark-tenant": ("enrol", enrol | {"tenant": NIGHT}),
        "codes": ("codes", {"tenant": ACME, "client": WEB, "csrf": "x", "user": "alice", "codes": codes}),
    }


def _by_mail() -> dict[str, tuple[str, dict[str, Any]]]:
    """The page that waits for a message, and the one behind its link."""
    wait = {"tenant": ACME, "client": WEB, "csrf": "x", "user": "alice@acme.example", "link": True}
    look = {
        "tenant": ACME, "client": WEB, "csrf": "x", "user": "alice@acme.example", "address": "192.0.2.7", "ago": 95,
        "agent": "Firefox on Linux",
    }  # fmt: skip
    return {
        "email": ("email", wait),
        "email-code-alone": ("email", wait | {"link": False, "tenant": NIGHT, "client": None}),
        **{
            f"email-{error}": ("email", wait | {"error": error})
            for error in ("wrong", "nothing", "stale", "not_yet")
        },
        "email-over": ("email", wait | {"state": "over", "tenant": GLOBEX}),
        "email-confirmed": ("email", wait | {"state": "confirmed"}),
        "email-rtl": ("email", wait | {"lang": "ar"}),
        "sign-in-link-here": ("sign_in", look | {"here": True}),
        "sign-in-link-elsewhere": ("sign_in", look),
        "sign-in-link-same-place": ("sign_in", look | {"same_place": True, "tenant": NIGHT, "client": None}),
        "sign-in-link-confirmed": ("sign_in", {"tenant": ACME, "csrf": "", "how": "confirmed"}),
        "sign-in-link-denied": ("sign_in", {"tenant": GLOBEX, "csrf": "", "how": "denied"}),
        "sign-in-link-rtl": ("sign_in", look | {"lang": "ar"}),
    }


def states() -> dict[str, tuple[str, dict[str, object]]]:
    """State name -> (page name, context)."""
    consent = {"tenant": ACME, "client": WEB, "csrf": "x", "apis": (STANDARD, ORDERS), "access_seconds": 600}
    approve: dict[str, object] = consent | {
        "client": ClientFace("Acme Television"),
        "kind": "device",
        "apis": (STANDARD,),
        "user": "alice@acme.example",
        "address": "203.0.113.7",
        "agent": "Television/4.1 (Linux; living room)",
        "same_place": True,
        "ago": 95,
    }
    offline = {"offline_seconds": 90 * 86_400, "apis": (OFFLINE, ORDERS)}
    demo = tuple(
        DemoTenant(
            name,
            slug,
            f"{BASE}/t/{slug}",
            (DemoUser("alice", "Alice Adams", "correct horse battery staple"),),
            DISCOVERY,
        )
        for name, slug in (("Acme Corporation", "acme"), ("Globex", "globex"))
    )
    trouble = {"tenant": ACME, "client": WEB, "request_id": REQUEST_ID}
    made: dict[str, tuple[str, dict[str, object]]] = {
        name: ("login", context) for name, context in login_states().items()
    }
    made |= factor_states()
    made |= {
        "account": ("account", {"tenant": ACME, "client": WEB, "csrf": "x", "user": "alice@acme.example"}),
        "account-long": ("account", {"tenant": GLOBEX, "client": LONG, "csrf": "x", "user": "a" * 90}),
        "consent": ("consent", consent | {"user": "alice@acme.example", "switch_url": "?switch=1"}),
        "consent-offline": ("consent", consent | offline),
        "consent-stranger": ("consent", consent | {"client": STRANGER, "user": "alice"}),
        "consent-detail": (
            "consent",
            consent
            | {
                "user": "alice@acme.example",
                "in_detail": (
                    Detail(
                        "Payment",
                        "Payments",
                        (
                            ("Amount › of", "123.50"),
                            ("Amount › in", "EUR"),
                            ("To", "Merchant A"),
                            ("Actions", "initiate, status"),
                        ),
                    ),
                ),
            },
        ),
        "consent-rtl": ("consent", consent | {"lang": "ar", "user": "alice"}),
        "login-by-mail": ("login", {"tenant": ACME, "client": WEB, "csrf": "x", "by_mail": True}),
        **_by_mail(),
        "device": ("device", {"tenant": ACME, "csrf": "x"}),
        "device-filled": (
            "device",
            {"tenant": ACME, "csrf": "x", "user_code": "WDJ-BMJ-HTX", "filled": True},
        ),
        "device-unknown": (
            "device",
            {"tenant": GLOBEX, "csrf": "x", "user_code": "WDJBMJHT", "error": "unknown"},
        ),
        "device-nothing": ("device", {"tenant": NIGHT, "csrf": "x", "error": "nothing"}),
        "organization": ("organization", {"tenant": ACME, "client": WEB, "csrf": ""}),
        "organization-unknown": (
            "organization",
            {"tenant": NIGHT, "client": WEB, "csrf": "", "said": "acmee"},
        ),
        "approve-device": ("approve", approve),
        "approve-stranger": ("approve", approve | {"client": STRANGER, "same_place": False}),
        "approve-service": (
            "approve",
            approve | {"kind": "service", "message": "W4SC", "agent": "", "client": WEB, "tenant": NIGHT},
        ),
        "waiting": (
            "waiting",
            {
                "tenant": ACME,
                "csrf": "x",
                "user": "alice@acme.example",
                "requests": (Asked("a", "Acme Bank", "W4SC", 25), Asked("b", "Acme Insurance", "", 190)),
            },
        ),
        "waiting-nothing": ("waiting", {"tenant": NIGHT, "csrf": "x", "user": "alice"}),
        "approve-rtl": ("approve", approve | {"lang": "ar"}),
        **{f"done-{how}": ("done", {"tenant": ACME, "how": how}) for how in ENDS},
        "oauth-error": ("authorization_error", trouble | {"code": "invalid_redirect_uri"}),
        "oauth-error-development": (
            "authorization_error",
            trouble
            | {
                "code": "invalid_redirect_uri",
                "description": "redirect_uri is not registered",
                "details": DETAILS,
            },
        ),
        "logout": (
            "logout",
            {"tenant": ACME, "client": WEB, "csrf": "x", "user": "alice", "keeps_access": ("Acme Mail",)},
        ),
        "logout-plain": ("logout", {"tenant": ACME, "csrf": "x"}),
        "logout-error": (
            "logout_error",
            {
                "tenant": ACME,
                "code": "invalid_request",
                "description": "post_logout_redirect_uri is not registered",
                "request_id": REQUEST_ID,
                "logout_url": f"{BASE}/t/acme/logout",
            },
        ),
        "signed-out": ("signed_out", {"tenant": ACME}),
        "signed-out-keeps": (
            "signed_out",
            {
                "tenant": ACME,
                "client": WEB,
                "keeps_access": ("Acme Mail", "Backup"),
                "continue_url": "https://acme.example",
            },
        ),
        "stale-old": ("stale", {"tenant": ACME, "kind": "old", "continue_url": "/t/acme/again"}),
        "stale-twice": ("stale", {"tenant": ACME, "kind": "twice", "continue_url": "/t/acme/again"}),
        "stale-done": ("stale", {"tenant": ACME, "kind": "done"}),
        "too-many": (
            "too_many",
            {
                "tenant": ACME,
                "seconds": 245,
                "ends_at": datetime(2026, 11, 23, 14, 5, tzinfo=UTC),
                "request_id": REQUEST_ID,
            },
        ),
        "error-500": ("error", {"status": 500, "code": "server_error", "request_id": REQUEST_ID}),
        "error-503": ("error", {"status": 503, "code": "temporarily_unavailable", "request_id": REQUEST_ID}),
        "error-403": (
            "error",
            {"tenant": ACME, "status": 403, "code": "forbidden", "request_id": REQUEST_ID},
        ),
        "not-found": ("not_found", {}),
        "home": ("home", {}),
        "home-development": (
            "home",
            {
                "development": True,
                "tenants": demo,
                "links": (("Open the demo application", "http://localhost:8001/"),),
            },
        ),
        "home-empty": ("home", {"development": True}),
        "tenant-home": ("tenant_home", {"tenant": ACME}),
        "tenant-home-development": ("tenant_home", {"tenant": ACME, "links": DISCOVERY}),
        "form-post": (
            "form_post",
            {
                "tenant": ACME,
                "client": WEB,
                "redirect_uri": "http://localhost:8001/callback",
                "parameters": (("code", "c0de"), ("state", 'a b+{"<%')),
            },
        ),
    }
    letter = Letter(
        "0-acme-x", "acme", "alice@example.com", "Your Acme Corporation password was changed", "Mon, 30 Nov 2026",
        "Your password was changed\n\nLook:\n\nhttp://localhost:8000/t/acme/account\n\n<b>ok</b>",
    )  # fmt: skip
    made |= {
        "login-forgot": (
            "login",
            {"tenant": ACME, "client": WEB, "csrf": "x", "forgot_url": "/t/acme/forgot"},
        ),
        "forgot": ("forgot", {"tenant": ACME, "csrf": "x", "back_url": "/t/acme/interaction/login"}),
        "forgot-nothing": ("forgot", {"tenant": ACME, "csrf": "x", "error": "nothing"}),
        "forgot-sent": (
            "forgot",
            {"tenant": ACME, "csrf": "x", "sent": True, "back_url": "/t/acme/interaction/login"},
        ),
        "recover": ("recover", {"tenant": ACME, "csrf": "x", "username": "alice", "least": 15}),
        "recover-weak": (
            "recover",
            {
                "tenant": ACME,
                "csrf": "x",
                "username": "alice",
                "least": 15,
                "error": "Use at least 15 characters.",
            },
        ),
        "recovered": (
            "message",
            {
                "tenant": ACME,
                "called": "recovered",
                "heading": "Your password is set",
                "sentence": "Every browser that was signed in has been signed out. Sign in with the new password.",
                "continue_url": "/t/acme/account",
                "continue_label": "Sign in",
            },
        ),
        "link-gone": (
            "message",
            {
                "tenant": ACME,
                "called": "link-gone",
                "heading": "This link does not work any more",
                "sentence": "It was used, or is too old, or another one was sent after it.",
                "good": False,
                "continue_url": "/t/acme/forgot",
                "continue_label": "Ask for a new one",
                "request_id": REQUEST_ID,
            },
        ),
        "mailbox": ("mailbox", {"letters": (letter, letter)}),
        "mailbox-empty": ("mailbox", {}),
        "mailbox-open": ("mailbox", {"letter": letter}),
    }
    return (
        made
        | gallery_account.states(ACME, NIGHT)
        | gallery_account.joining(ACME)
        | gallery_upstream.states(ACME, BASE, REQUEST_ID)
    )


def rendered() -> Iterator[tuple[str, str, str]]:
    """(state, html, csp) of every state."""
    for state, (page, context) in states().items():
        allowed = (
            (form_target("https://app.acme.example/callback"),)
            if page in ("login", "account", "consent")
            else ()
        )
        yield state, *render(page, form_action=allowed, **context)


def standalone(html: str) -> str:
    """The page with its static files reached from the disk, and without what would leave it at once."""
    html = re.sub(r"/static/([a-z.]+)\?v=[0-9a-f]+", lambda found: (paths.static() / found[1]).as_uri(), html)
    html = html.replace(LOGO, (paths.static() / "favicon.svg").as_uri())
    return html.replace("HTMLFormElement.prototype.submit.call", "void")


def main() -> None:
    """Write one file a state, and an index."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for state, html, _ in rendered():
        (folder / f"{state}.html").write_text(standalone(html), encoding="utf-8")
        names.append(state)
    rows = "".join(f'<li><a href="{name}.html">{name}</a></li>' for name in names)
    (folder / "index.html").write_text(
        f"<!doctype html><title>Pages</title><ul>{rows}</ul>", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
