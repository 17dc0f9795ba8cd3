"""What the account pages are told: one frozen dataclass a page. Imports no Flask.

Fields are plain text; times are instants, which the templates put into words.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from idp.speech import Sentence, say
from idp.web.faces import Form, Page, TenantFace
from idp.web.qr import Picture
from idp.web.upstream_faces import ProviderFace

SECTIONS: Final = (
    ("account", say("Overview")),
    ("account/security", say("Security")),
    ("account/sessions", say("Sessions")),
    ("account/applications", say("Applications")),
    ("account/history", say("History")),
    ("account/data", say("Your data")),
)
"""The pages of the navigation, by their path below the issuer."""


@dataclass(frozen=True, kw_only=True)
class AccountPage(Form):
    """What every account page has. `csrf`: of its form, where it has one."""

    tenant: TenantFace
    user: str
    """How the person is called."""
    section: str
    """Which page of the navigation it is or belongs to."""
    sections: tuple[tuple[str, Sentence], ...] = SECTIONS
    said: str = ""
    """What has just been done, in a sentence; announced."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Something that can be looked at or changed: its name, how it stands, and where it is changed."""

    name: str
    state: str
    path: str = ""
    """Below the issuer; empty: nothing can be done about it here."""
    action: str = ""
    good: bool | None = None
    """True: well protected; False: worth doing something about; None: neither."""


@dataclass(frozen=True, kw_only=True)
class Overview(AccountPage):
    """Who somebody is here, and a line about each of the other pages."""

    facts: tuple[tuple[str, str], ...]
    """(what, value) of what is known of them."""
    rows: tuple[Row, ...]
    own_profile: bool = False
    """Whether they change some of it themselves."""


@dataclass(frozen=True, kw_only=True)
class Security(AccountPage):
    """The ways in which the person proves who they are."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Password(AccountPage):
    """The change of a password. `error` names what is wrong with which field."""

    username: str
    least: int
    """Characters that a new password must have."""
    error: str = ""
    where: str = ""
    """The field that the error is about: `current_password` or `new_password`; empty: none of them."""
    others: int = 0
    """Other sessions, which end with the change."""
    first: bool = False
    """Whether there is none yet; then a link to `email` sets it."""
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A session as its person knows it."""

    id: str
    name: str
    """Browser and system in words."""
    address: str
    since: datetime
    seen: datetime
    here: bool
    kind: str = "computer"
    """computer or phone: which picture stands beside it."""


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """A device on which no second factor is asked for until it ends."""

    id: str
    name: str
    kind: str
    since: datetime
    ends: datetime


@dataclass(frozen=True, kw_only=True)
class Sessions(AccountPage):
    """Where the person is signed in, and where no second factor is asked for."""

    devices: tuple[Device, ...]
    now: datetime
    trusted: tuple[Trusted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application that has something of the person's."""

    id: str
    name: str
    host: str
    logo_uri: str | None
    assured: bool
    scopes: tuple[tuple[str, str], ...]
    """(scope, its sentence; empty: the standard one)."""
    since: datetime
    offline: bool
    """Whether it keeps access while the person is signed out."""


@dataclass(frozen=True, kw_only=True)
class Applications(AccountPage):
    """What the person has allowed, and who has access."""

    applications: tuple[Application, ...]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class LinkedIdentity:
    """An account elsewhere with which the person signs in. `mark`: whose sign it bears."""

    id: str
    provider: str
    mark: str
    name: str
    since: datetime
    used: datetime
    active: bool


@dataclass(frozen=True, kw_only=True)
class Identities(AccountPage):
    """The accounts elsewhere that open this one, and the providers where one more can be linked."""

    identities: tuple[LinkedIdentity, ...]
    providers: tuple[ProviderFace, ...]
    now: datetime
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One thing that happened to the account."""

    sentence: str
    at: datetime
    place: str = ""
    warn: bool = False


@dataclass(frozen=True, kw_only=True)
class History(AccountPage):
    """What happened, the newest first."""

    events: tuple[Happened, ...]
    now: datetime
    older: str = ""
    """Where the ones before these are; empty: there are none."""


@dataclass(frozen=True, kw_only=True)
class ProfileField:
    """One claim of a profile. `purpose`: what a browser fills in; `kind`: of the input."""

    name: str
    label: str
    purpose: str
    kind: str
    value: str
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Profile(AccountPage):
    """The claims that the person changes themselves."""

    fields: tuple[ProfileField, ...]


@dataclass(frozen=True, kw_only=True)
class Email(AccountPage):
    """The change of an e-mail address."""

    now: str
    email: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Data(AccountPage):
    """The copy of one's data, and the end of the account."""

    named: str
    days: int
    """Days of grace; 0: people do not delete their account themselves."""
    written_to: bool
    """Whether the link that keeps the account reaches the person."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Authenticator(AccountPage):
    """An authenticator app is set up; `present`: in place of another one."""

    picture: Picture
    key: str
    address: str
    present: bool = False
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A passkey as its person knows it; `elsewhere`: the host at which alone it works, where that is not this one."""

    id: str
    name: str
    since: datetime
    used: datetime | None
    synced: bool
    elsewhere: str = ""


@dataclass(frozen=True, kw_only=True)
class Passkeys(AccountPage):
    """The person's passkeys; without `passkey_options` none can be made here."""

    keys: tuple[Key, ...]
    passkey_options: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class RecoveryCodes(AccountPage):
    """How many recovery codes are left, or, once, the new ones."""

    left: int
    codes: tuple[str, ...] = ()
    done_said: str = ""


@dataclass(frozen=True, kw_only=True)
class ApprovalCode(AccountPage):
    """The code without which no application may ask the person; `present`: there is one."""

    least: int
    present: bool = False
    error: str = ""


PAGES: Final[dict[str, type[Page]]] = {
    "account/overview": Overview,
    "account/security": Security,
    "account/password": Password,
    "account/email": Email,
    "account/profile": Profile,
    "account/data": Data,
    "account/sessions": Sessions,
    "account/identities": Identities,
    "account/authenticator": Authenticator,
    "account/passkeys": Passkeys,
    "account/codes": RecoveryCodes,
    "account/approval-code": ApprovalCode,
    "account/applications": Applications,
    "account/history": History,
}
