"""A tenant, its policy and its branding, and the one place that knows which tenant is entered.

Everything below this line of the house asks :func:`current`; nothing takes a tenant from a request,
a header or a global of the web framework.
"""

import datetime as dt
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from idp import urls
from idp.branding import PLAIN
from idp.branding import Branding as Branding
from idp.fields import choice as _choice
from idp.fields import count as _count
from idp.fields import flag as _flag
from idp.fields import parse as _parse
from idp.fields import seconds as _seconds
from idp.fields import several as _list

T = TypeVar("T")
_DAY = 86_400
PLATFORM = "id--platform"
"""The slug of the platform's realm, which no tenant can have (`identifiers.slug`)."""


class NoTenant(RuntimeError):
    """Work that belongs to a tenant was started while none is entered."""


_LONGEST_ADDRESS = 200  # of a client_id, here as everywhere
_ADDRESS = r"(?:https://|http://localhost[:/])[!-~]{1,500}"
_HOST = r"\*|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
LANGUAGES = ("en", "de", "fr", "es", "pt", "ja", "ar")
"""The languages of the pages (BCP 47); the first is that in which they are written."""
_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a tenant decides for itself, each with a default and a platform ceiling."""

    require_pkce: str = _choice(
        "all", ("all", "public"), "Whose authorization requests need PKCE (RFC 7636)."
    )
    code_lifetime: int = _seconds(60, 60, "Lifetime of an authorization code.")
    access_token_lifetime: int = _seconds(600, 3600, "Lifetime of an access token.", 10)
    id_token_lifetime: int = _seconds(600, 3600, "Lifetime of an ID token.", 10)
    refresh_idle: int = _seconds(30 * _DAY, 365 * _DAY, "An offline refresh token unused for this long ends.")
    refresh_absolute: int = _seconds(90 * _DAY, 730 * _DAY, "An offline grant ends at this age.")
    refresh_grace: int = _seconds(
        10, 60, "A rotated refresh token answers the same successor for this long.", 0
    )
    session_idle: int = _seconds(3600, 30 * _DAY, "A session unused for this long ends.")
    session_absolute: int = _seconds(_DAY, 90 * _DAY, "A session ends at this age.")
    sessions_per_user: int = _count(20, 1000, "Sessions of one person; the oldest ends.")
    transaction_lifetime: int = _seconds(1800, 7200, "How long a sign-in may take.")
    account_failures: int = _count(10, 1_000_000, "Failed sign-ins of one account from one address.")
    account_failures_window: int = _seconds(300, _DAY, "Window of account_failures.")
    address_failures: int = _count(100, 1_000_000, "Failed sign-ins from one address.")
    address_failures_window: int = _seconds(300, _DAY, "Window of address_failures.")
    client_failures: int = _count(
        50, 1_000_000, "Failed client authentications of one client from one address."
    )
    client_failures_window: int = _seconds(300, _DAY, "Window of client_failures.")
    unfinished_authorizations: int = _count(
        600, 10_000_000, "Unfinished authorization requests of one address."
    )
    unfinished_authorizations_window: int = _seconds(60, _DAY, "Window of unfinished_authorizations.")
    pushed_requests: int = _count(
        6_000, 10_000_000, "Pushed authorization requests of one client from one address."
    )
    pushed_requests_window: int = _seconds(60, _DAY, "Window of pushed_requests.")
    password_recovery: bool = _flag(
        True, "Whether people who forgot their password, or have none yet, set one by e-mail."
    )
    reset_lifetime: int = _seconds(1800, _DAY, "Lifetime of a link that sets a new password.", 60)
    registration: str = _choice(
        "invitation",
        ("closed", "invitation", "open"),
        "Who comes to an account: nobody, the invited, anybody.",
    )
    invitation_lifetime: int = _seconds(7 * _DAY, 30 * _DAY, "Lifetime of an invitation.", 60)
    confirmation_lifetime: int = _seconds(_DAY, 7 * _DAY, "Lifetime of a link that confirms an address.", 60)
    deletion_grace: int = _seconds(
        14 * _DAY, 90 * _DAY, "Time until an account is deleted that is left; 0: never.", 0
    )
    email_changes: bool = _flag(True, "Whether people change their e-mail address themselves.")
    recoveries: int = _count(20, 1_000_000, "Requests for a new password from one address.")
    recoveries_window: int = _seconds(600, _DAY, "Window of recoveries.")
    breached_passwords_service: bool = _flag(
        False,
        "Whether new passwords are looked up at api.pwnedpasswords.com, by five characters of a digest.",
    )
    mails: int = _count(20, 1_000, "Messages to one e-mail address.")
    mails_window: int = _seconds(_DAY, 7 * _DAY, "Window of mails.")
    tenant_mails: int = _count(
        20_000, 10_000_000, "Messages altogether; what concerns an account's safety goes out beyond it too."
    )
    tenant_mails_window: int = _seconds(_DAY, 7 * _DAY, "Window of tenant_mails.")
    elsewhere_lifetime: int = _seconds(
        600, 1800, "How long a device's or a backchannel request waits for its answer."
    )
    elsewhere_requests: int = _count(
        600, 10_000_000, "Device and backchannel authorization requests of one client from one address."
    )
    elsewhere_requests_window: int = _seconds(60, _DAY, "Window of elsewhere_requests.")
    user_code_failures: int = _count(
        10,
        1_000_000,
        "Unknown user codes typed at one address; everybody together may fail ten times as often.",
    )
    user_code_failures_window: int = _seconds(600, _DAY, "Window of user_code_failures.")
    email_sign_in: str = _choice(
        "off",
        ("off", "code", "code_and_link"),
        "Whether people sign in by a code that is sent to their e-mail address, or by a link beside it as well.",
    )
    email_second_factor: str = _choice(
        "off",
        ("off", "without_another", "always"),
        "Whether such a code is a second factor: never, for whoever has no other, or for everybody.",
    )
    email_code_lifetime: int = _seconds(600, 3600, "Lifetime of such a code, and of the link beside it.", 60)
    email_code_confirms: bool = _flag(False, "Whether it goes to unconfirmed addresses, which it confirms.")
    email_code_failures: int = _count(5, 1_000_000, "Wrong codes of one sign-in by e-mail, which end it.")
    email_codes: int = _count(20, 1_000_000, "Codes asked for at one address, a quarter for one name.")
    email_codes_window: int = _seconds(600, _DAY, "Window of email_codes.")
    passkeys: bool = _flag(True, "Whether people may sign in with passkeys, and have them as second factors.")
    second_factor: str = _choice(
        "offered",
        ("off", "offered", "required"),
        "Whether people may have a second factor, which is then asked for, or must have one.",
    )
    second_factor_roles: tuple[str, ...] = _list(
        r"\S(?:[^\r\n\t]{0,126}\S)?",
        "names of roles",
        "Roles whose holders must have a second factor where it is otherwise offered.",
    )
    second_factor_failures: int = _count(5, 1_000_000, "Wrong second factors of one person from one address.")
    second_factor_failures_window: int = _seconds(900, _DAY, "Window of second_factor_failures.")
    second_factor_failures_daily: int = _count(50, 1_000_000, "Wrong second factors of one person in a day.")
    remembered_device: int = _seconds(
        30 * _DAY,
        365 * _DAY,
        "How long a device asks for no second factor again, where the person wishes that.",
        0,
    )
    sign_ins_per_minute: int = _count(6_000, 10_000_000, "Budget of sign-ins.")
    email_codes_per_minute: int = _count(600, 1_000_000, "Budget of codes by e-mail.")
    tokens_per_minute: int = _count(600_000, 100_000_000, "Budget of token requests.")
    hash_seconds_per_minute: int = _count(
        60, 100_000, "Budget of processor seconds spent on password hashing."
    )
    upstream_by_login_hint: bool = _flag(
        False,
        "Whether a login_hint whose domain leads to an upstream goes there at once, without the sign-in page.",
    )
    profile_fields: tuple[str, ...] = _list(
        "name|given_name|middle_name|family_name|nickname|phone_number|website|birthdate|zoneinfo",
        "claims of a profile: name, given_name, middle_name, family_name, nickname, phone_number, website, "
        "birthdate, zoneinfo; none: nobody",
        "What people change of their own profile.",
        ("name", "given_name", "family_name"),
    )
    languages: tuple[str, ...] = _list(
        "|".join(LANGUAGES),
        f"languages of {', '.join(LANGUAGES)}; none: each of them",
        "Languages of the pages.",
    )
    claims_locales: tuple[str, ...] = _list(
        r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?",
        "language tags as they are usually spelled, such as de or ja-Kana-JP",
        "Languages and scripts in which people may have names and addresses beside the plain ones.",
    )
    client_registration: str = _choice(
        "closed",
        ("closed", "token", "open"),
        "Whether applications register themselves (RFC 7591): never, with an initial access token, or anybody.",
    )
    client_id_metadata_hosts: tuple[str, ...] = _list(
        _HOST,
        "hosts, or * for any",
        "Hosts whose addresses may be the client_id of an application that describes itself there.",
    )
    software_statement_issuers: tuple[str, ...] = _list(
        rf"{_ADDRESS} {_ADDRESS}",
        "an issuer and its jwks_uri, with a blank between",
        "Issuers whose software statements are taken when an application registers (RFC 7591).",
    )
    assertion_issuers: tuple[str, ...] = _list(
        rf"{_ADDRESS} {_ADDRESS}",
        "an issuer and its jwks_uri, with a blank between",
        "Issuers whose assertions of people are taken for tokens (RFC 7523), from clients that may bring them.",
    )
    registered_clients: int = _count(
        1_000, 100_000, "Applications that registered themselves, or describe themselves and were allowed."
    )
    registered_clients_of_one: int = _count(
        100,
        100_000,
        "Of these, those from one address; one that never got a token makes room for the next.",
    )
    remember_strangers_consent: bool = _flag(
        False,
        "Whether consent to an application that nobody vouches for is remembered; else people are asked each time.",
    )
    unused_client_lifetime: int = _seconds(
        30 * _DAY,
        80 * _DAY,
        "An application that registered or describes itself and never got a token ends at this age.",
    )
    registrations: int = _count(
        20, 1_000_000, "Registrations, and first readings of metadata documents, from one address."
    )
    registrations_window: int = _seconds(60, _DAY, "Window of registrations.")
    implicit_flow: bool = _flag(
        False,
        "Whether clients may have tokens given to the browser instead of a code (id_token, id_token token).",
    )
    hybrid_flow: bool = _flag(
        False,
        "Whether clients may have tokens given to the browser beside a code (code id_token and the like).",
    )
    assertion_for_token_endpoint: bool = _flag(
        False,
        "Whether client assertions may be addressed to the token endpoint instead of the issuer.",
    )
    encryption_keys: bool = _flag(
        False,
        "Whether keys are published with which applications encrypt what they send (requests, hints).",
    )
    require_pushed_authorization_requests: bool = _flag(
        False,
        "Whether every authorization request must have been pushed (RFC 9126).",
    )
    client_certificate_authorities: tuple[str, ...] = _list(
        r"[A-Za-z0-9+/]{100,12000}={0,2}",
        "certificates of authorities, each the base64 of its DER in one line",
        "Authorities whose certificates applications may authenticate with (tls_client_auth, RFC 8705).",
    )
    security_profile: str = _choice(
        "none",
        ("none", "fapi2"),
        "Whether every application keeps a security profile, whatever else is set: FAPI 2.0, or none.",
    )
    resource_acr: str = _choice(
        "1",
        ("1", "2"),
        "Class of sign-in that userinfo asks for: 1 for any, 2 for two factors (RFC 9470).",
    )
    resource_max_age: int = _seconds(
        0, 90 * _DAY, "How old a sign-in may be for userinfo; 0 for as old as it is (RFC 9470).", 0
    )
    require_dpop_nonce: bool = _flag(
        False,
        "Whether DPoP proofs must hold a nonce that the issuer has handed out in the last minutes (RFC 9449).",
    )
    request_uri_parameter: bool = _flag(
        False,
        "Whether applications may send the address of a signed request, which is then fetched (request_uri).",
    )
    tenant_claims_in_id_token: bool = _flag(True, "Whether ID tokens carry tenant and tenant_id.")
    session_management: bool = _flag(
        False,
        "Whether applications may watch the session in a frame (OpenID Connect Session Management 1.0).",
    )
    id_token_signing_alg: str = _choice(
        "RS256", _ALGORITHMS, "Algorithm of ID tokens of clients that name none."
    )
    access_token_signing_alg: str = _choice(
        "RS256", _ALGORITHMS, "Algorithm of the default API's access tokens."
    )
    key_rotation_days: int = _count(90, 400, "Days that a signing key is active.")

    @property
    def ui_locales(self) -> tuple[str, ...]:
        """The languages in which its pages speak, the first where nobody asks for another it has."""
        return self.languages or LANGUAGES

    def reads(self, client_id: str) -> bool:
        """Whether `client_id` may be the address of a metadata document that describes its client.

        draft-ietf-oauth-client-id-metadata-document section 3; http only on this machine, for a tenant that lives
        there itself (development).
        """
        hosts = self.client_id_metadata_hosts
        if not hosts or len(client_id) > _LONGEST_ADDRESS:
            return False
        try:
            address = urls.web_url(client_id, loopback=current().local)
        except urls.BadUrl:
            return False
        return bool(address.path) and address.query is None and ("*" in hosts or address.host in hosts)

    @classmethod
    def parse(cls, given: dict[str, Any]) -> "Policy":
        """The policy that `given` describes, defaults for the rest. Raises Invalid naming the field."""
        policy: Policy = _parse(cls, "policy", given)
        return policy


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer of the team that runs this provider: an issuer and everything that hangs off it."""

    id: UUID
    slug: str
    name: str
    status: str
    issuer: str
    hosts: tuple[str, ...] = ()
    policy: Policy = Policy()
    branding: Branding = PLAIN
    version: int = 0
    also: str | None = None
    """The other issuer while the tenant moves from one address to another; `issuer` is that of the request."""
    moving_since: dt.datetime | None = None
    not_before: dt.datetime | None = None
    """Nothing counts that was issued, and nobody who signed in, before this instant."""
    realm: "Tenant | None" = None
    """Whose name and keys stand for its own, where the platform speaks for it (`idp.platform`)."""

    @property
    def signer(self) -> "Tenant":
        """Whose keys sign what it says."""
        return self.realm or self

    @property
    def platform(self) -> bool:
        """Whether it is seen as applications of the platform issuer see it, or is the platform's realm itself."""
        return self.realm is not None or self.slug == PLATFORM

    @property
    def issuers(self) -> tuple[str, ...]:
        """Every address that is an issuer now, the one by which the request came first."""
        return (self.issuer,) if self.also is None else (self.issuer, self.also)

    @property
    def local(self) -> bool:
        """Whether it lives on this machine over plain http (development), so that its applications may too.

        One under https is held to https as in production, on this machine as well.
        """
        return self.issuer.startswith("http://")

    def at(self, issuer: str) -> "Tenant":
        """The tenant as it is by the address `issuer`, which is one of `issuers`."""
        return self if issuer == self.issuer else replace(self, issuer=issuer, also=self.issuer)

    @property
    def active(self) -> bool:
        """Whether its endpoints answer at all."""
        return self.status == "active"


_current: ContextVar[Tenant | None] = ContextVar("idp_tenant", default=None)


def current() -> Tenant:
    """The tenant that is entered. Raises NoTenant when none is."""
    tenant = _current.get()
    if tenant is None:
        raise NoTenant("no tenant is entered")
    return tenant


def maybe_current() -> Tenant | None:
    """The tenant that is entered, or None."""
    return _current.get()


def apart(work: Callable[[], T]) -> T:
    """What `work` gives, done where no tenant is entered; in a transaction of the present one it must not begin any."""
    context = copy_context()
    context.run(_current.set, None)
    return context.run(work)


class entered:
    """Enter a tenant for the duration of the block; another tenant cannot be entered inside it."""

    __slots__ = ("_tenant", "_token")

    def __init__(self, tenant: Tenant) -> None:
        """`tenant`: whose rows, keys and policies the block is about."""
        self._tenant = tenant

    def __enter__(self) -> Tenant:
        before = _current.get()
        if before is not None and before.id != self._tenant.id:
            raise RuntimeError("a tenant is entered already; leave it first")
        self._token = _current.set(self._tenant)
        return self._tenant

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
