"""The account pages in every state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from idp.speech import say
from idp.web import qr
from idp.web.account_faces import (
    Application,
    Device,
    Happened,
    Key,
    LinkedIdentity,
    ProfileField,
    Row,
    Trusted,
)
from idp.web.pages import TenantFace
from tests.journeys import gallery_upstream

NOW = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)
MAKING = (
    '{"challenge": "AAAA", "rp": {"name": "Acme"}, "user": {"id": "AAAA", "name": "a", "displayName": "A"},'
    ' "pubKeyCredParams": [{"type": "public-key", "alg": -7}]}'
)
"""What a browser makes a passkey with."""
FOREIGN = {
    "account-codes-new": ("de",), "account-data": ("de",), "account-history": ("ar",), "account-passkeys": ("ar", "ja"),
}  # fmt: skip
"""States that are looked at in other languages too: with long words, from the right, without blanks."""
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def _device(name: str, days: float, *, here: bool = False, kind: str = "computer") -> Device:
    seen = NOW - timedelta(days=days)
    return Device(
        id=f"01936f3a-8c1e-7d42-9b0a-{int(days * 1000):012d}",
        name=name,
        address="2001:db8:85a3::8a2e:370:7334" if here else "192.0.2.44",
        since=seen - timedelta(days=3),
        seen=seen,
        here=here,
        kind=kind,
    )


def _application(name: str, *, assured: bool = True, offline: bool = False) -> Application:
    return Application(
        id="01936f3a-8c1e-7d42-9b0a-000000000001",
        name=name,
        host="app.acme.example" if assured else "com.stranger.app",
        logo_uri=None,
        assured=assured,
        scopes=(("openid", ""), ("email", ""), ("orders.read", "Read your orders")),
        since=NOW - timedelta(days=40),
        offline=offline,
    )


def profile_fields(error: str = "") -> tuple[ProfileField, ...]:
    """The fields of a profile, the last one with a mistake."""
    return (
        ProfileField(name="name", label="Name", purpose="name", kind="text", value="Alice Adams"),
        ProfileField(name="given_name", label="First name", purpose="given-name", kind="text", value=""),
        ProfileField(name="phone_number", label="Phone", purpose="tel", kind="tel", value="+49", error=error),
    )


def overview_of(every: dict[str, object]) -> dict[str, object]:
    """What every page of the overview has."""
    return every | {"section": "account"}


def joining(acme: TenantFace) -> dict[str, tuple[str, dict[str, object]]]:
    """The pages by which people come to an account: state name -> (page name, context)."""
    form: dict[str, object] = {"tenant": acme, "csrf": "x"}
    join = form | {"email": "dora@example.com", "least": 15}
    return {
        "register": ("register", form | {"back_url": "/t/acme/account"}),
        "register-wrong": ("register", form | {"email": "dora", "error": "This is not an e-mail address."}),
        "register-sent": ("register", form | {"email": "dora@example.com", "sent": True}),
        "join": ("join", join),
        "join-invited": ("join", join | {"invited": True, "name": "Dora Deer"}),
        "join-weak": (
            "join", join | {"name": "Dora", "error": "Use at least 15 characters.", "where": "new_password"},
        ),
        "keep": ("keep", form | {"user": "alice@example.com"}),
        "confirm": ("confirm", form | {"email": "alice@new.example", "user": "alice@example.com"}),
    }  # fmt: skip


def states(acme: TenantFace, night: TenantFace) -> dict[str, tuple[str, dict[str, object]]]:
    """State name -> (page name, context)."""
    every: dict[str, object] = {"tenant": acme, "user": "alice@acme.example", "csrf": "x"}
    here = _device("Firefox on Windows", 0, here=True)
    devices = (here, _device("Safari on iPhone", 1.2, kind="phone"), _device("Chrome on macOS", 9))
    rows = (
        Row(name=say("Security"), state="Password set 3 months ago", path="account/security"),
        Row(name=say("Sessions"), state="3 browsers signed in", path="account/sessions"),
        Row(name=say("Applications"), state="2 applications with access", path="account/applications"),
        Row(name=say("History"), state=say("What happened to your account"), path="account/history"),
    )
    facts = (
        (say("Name"), "Alice Adams"), (say("E-mail"), "alice@acme.example"), (say("Username"), "alice"),
        (say("Member since"), "14 March 2024"),
    )  # fmt: skip
    overview = every | {"section": "account", "facts": facts, "rows": rows, "own_profile": True}
    data = every | {"section": "account/data", "named": "alice@acme.example", "written_to": True}
    security = every | {"section": "account/security"}
    password = (
        Row(name=say("Password"), state="Set 3 months ago", path="account/password", action=say("Change")),
    )
    form = security | {"username": "alice", "least": 15}
    sessions = every | {"section": "account/sessions", "now": NOW}
    trusted = tuple(
        Trusted(
            id=str(number),
            name=name,
            kind="computer",
            since=NOW - timedelta(days=4),
            ends=NOW + timedelta(days=26),
        )
        for number, name in enumerate(("Firefox on Windows", "Chrome on macOS"))
    )
    apps = every | {"section": "account/applications", "now": NOW}
    history = every | {"section": "account/history", "now": NOW}
    events = (
        Happened(
            sentence=say("You signed in to %(client)s", client="Acme Web"),
            at=NOW - timedelta(seconds=20),
            place="192.0.2.44",
        ),
        Happened(
            sentence=say("A sign-in failed"), at=NOW - timedelta(hours=5), place="198.51.100.7", warn=True
        ),
        Happened(sentence=say("An administrator set your password"), at=NOW - timedelta(days=40)),
    )
    linked = tuple(
        LinkedIdentity(id=str(number), provider=name, mark=mark, name=shown, since=NOW - timedelta(days=90),
                       used=NOW - timedelta(days=2), active=active)
        for number, (name, mark, shown, active) in enumerate((
            ("Google", "google", "alice@gmail.example", True), (LONG, "", "alice.adams@" + "x" * 60, False),
        ))
    )  # fmt: skip
    links = security | {"now": NOW, "providers": gallery_upstream.providers("")[:4]}
    app_key = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"
    address = "otpauth://totp/Acme%20Corporation:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    setting_up = security | {"key": app_key, "address": address, "picture": qr.draw(address)}
    keys = (
        Key(id="01936f3a-8c1e-7d42-9b0a-000000000007", name="Safari on iPhone", since=NOW - timedelta(days=90),
            used=NOW - timedelta(hours=3), synced=True),
        Key(id="01936f3a-8c1e-7d42-9b0a-000000000008", name=LONG[:60], since=NOW, used=None, synced=False,
            elsewhere="old.acme.example"),
    )  # fmt: skip
    kept = security | {"passkey_options": MAKING, "keys": keys}
    ways = (
        *password,
        Row(name=say("Passkeys"), state="2 kept here", path="account/passkeys", action=say("Manage")),
        Row(
            name=say("Authenticator app"),
            state=say("Not set up"),
            path="account/authenticator",
            action=say("Set up"),
        ),
        Row(name=say("Recovery codes"), state="7 left", path="account/recovery-codes", action=say("Renew")),
    )
    codes = tuple(f"{number:04d}-v5kz-8qmt-d3h{number}" for number in range(10))
    both = (_application("Acme Web", offline=True), _application(LONG, assured=False))
    made = {
        "account-overview": ("account/overview", overview),
        "account-overview-fixed": ("account/overview", overview | {"own_profile": False}),
        "account-overview-dark-tenant": ("account/overview", overview | {"tenant": night}),
        "account-overview-rtl": ("account/overview", overview | {"lang": "ar"}),
        "account-data": ("account/data", data | {"days": 14}),
        "account-data-wrong": (
            "account/data",
            data | {"days": 1, "error": "Type alice to confirm."},
        ),
        "account-data-alone": ("account/data", data | {"days": 0}),
        "account-data-no-mail": ("account/data", data | {"days": 14, "written_to": False}),
        "account-profile": ("account/profile", overview_of(every) | {"fields": profile_fields()}),
        "account-profile-wrong": (
            "account/profile", overview_of(every) | {"fields": profile_fields("Check it for a typing mistake.")},
        ),
        "account-email": ("account/email", overview_of(every) | {"now": "alice@acme.example"}),
        "account-email-wrong": (
            "account/email",
            overview_of(every) | {"now": "", "email": "alice", "error": "This is not an e-mail address."},
        ),
        "account-security-factors": ("account/security", security | {"rows": ways}),
        "account-authenticator": ("account/authenticator", setting_up),
        "account-authenticator-wrong": (
            "account/authenticator",
            setting_up | {"present": True, "error": "That code is not right."},
        ),
        "account-passkeys": ("account/passkeys", kept),
        "account-passkeys-none": ("account/passkeys", kept | {"keys": (), "error": "Try again."}),
        "account-codes": ("account/codes", security | {"left": 7}),
        "account-codes-new": (
            "account/codes",
            security | {"left": 10, "codes": codes, "done_said": say("Your former recovery codes are no more.")},
        ),
        "account-approval-code": ("account/approval-code", security | {"least": 6}),
        "account-approval-code-wrong": (
            "account/approval-code",
            security | {"least": 6, "present": True, "error": "Enter a code."},
        ),
        "account-security": ("account/security", security | {"rows": password}),
        "account-security-done": (
            "account/security", security | {"rows": password, "said": "Your password is changed."},
        ),
        "account-security-elsewhere": ("account/security", security | {"rows": ()}),
        "account-identities": ("account/identities", links | {"identities": linked}),
        "account-identities-none": ("account/identities", links | {"identities": ()}),
        "account-identities-last": (
            "account/identities",
            links | {"identities": linked[:1], "error": "This is your only way to sign in."},
        ),
        "account-password-first": ("account/password", form | {"first": True, "email": "alice@acme.example"}),
        "account-password-none": ("account/password", form | {"first": True}),
        "account-password": ("account/password", form | {"others": 2}),
        "account-password-wrong": (
            "account/password",
            form | {"error": "This is not your password. Check it and try again.", "where": "current_password"},
        ),
        "account-password-short": (
            "account/password",
            form | {"error": "Use at least 15 characters.", "where": "new_password"},
        ),
        "account-sessions": ("account/sessions", sessions | {"devices": devices}),
        "account-sessions-rtl": ("account/sessions", sessions | {"devices": devices, "lang": "ar"}),
        "account-sessions-trusted": ("account/sessions", sessions | {"devices": devices, "trusted": trusted}),
        "account-sessions-one": ("account/sessions", sessions | {"devices": (here,)}),
        "account-sessions-done": (
            "account/sessions", sessions | {"devices": (here,), "said": "Every other browser is signed out."},
        ),
        "account-applications": ("account/applications", apps | {"applications": both}),
        "account-applications-none": ("account/applications", apps | {"applications": ()}),
        "account-history": (
            "account/history", history | {"events": events, "older": "/t/acme/account/history?before=x"},
        ),
        "account-history-none": ("account/history", history | {"events": ()}),
    }  # fmt: skip
    for state, languages in FOREIGN.items():
        page, context = made[state]
        made |= {f"{state}-{language}": (page, context | {"lang": language}) for language in languages}
    return made
