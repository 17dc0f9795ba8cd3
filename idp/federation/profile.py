"""Whom an upstream speaks of: what it said, and what of it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp import identifiers
from idp.accounts.assurance import MULTIPLE
from idp.federation import fields
from idp.federation.fields import Settings
from idp.federation.refusals import Failed
from idp.tenants import current

FEDERATED = "fed"
"""What `amr` says of a sign-in that another provider vouched for: RFC 8176 has no word for it, Microsoft has this."""
_METHODS = frozenset({
    "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "rba", "retina", "sc", "sms",
    "swk", "tel", "user", "vbm", "wia",
})  # fmt: skip
"""Methods of RFC 8176 §2."""
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0 §2


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as an upstream tells of them. `issuer` and `subject` name them; all else may change.

    `auth_time`: when they signed in there, where it says so. `email`: theirs where `email_proved` holds by the
    upstream's setting, else what it merely says.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    email: str | None
    email_proved: bool
    amr: tuple[str, ...]
    auth_time: datetime | None = None

    @property
    def shown(self) -> str:
        """What the person recognises the identity by."""
        for name in (self.email, self.claims.get("preferred_username"), self.claims.get("login")):
            if isinstance(name, str) and 0 < len(name) <= 254 and name.isprintable():
                return name
        return self.subject[:64]


def made(
    how: Settings, issuer: str, subject: object, claims: Mapping[str, Any], auth_time: datetime | None = None
) -> Profile:
    """The profile that an upstream's claims make. Raises Failed for a subject that is none."""
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise Failed(rule="upstream.sub", expected=f"1 to {_LONGEST_SUBJECT} characters")
    email = _address(claims.get("email"))
    told = claims.get("amr")
    known = _METHODS if how.second_factor == fields.THEIRS else _METHODS - {MULTIPLE}
    methods = sorted({one for one in told if one in known}) if isinstance(told, list) and _texts(told) else []
    proved = email is not None and _proved(how, email, claims.get("email_verified"))
    return Profile(issuer, subject, claims, email, proved, (FEDERATED, *methods), auth_time)


def _texts(value: list[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


def _address(value: object) -> str | None:
    try:
        return identifiers.email(value)
    except ValueError:
        return None


def _proved(how: Settings, email: str, told: object) -> bool:
    """Whether an address is believed to be the person's, by the upstream's setting `email_verified`."""
    if how.email_verified == fields.AS_SENT:
        return told is True
    if how.email_verified == fields.PROVED:
        # The tenant has proved the domain and trusts this upstream with it; an explicit no still counts.
        return email.rpartition("@")[2] in current().hosts and told is not False
    return False
