"""Passkeys (Web Authentication Level 3): made for one host, and for one person of one tenant.

The relying party is the host of the issuer that the request came by. Tenants below one host share it, and with it the
list that a browser shows; what keeps them apart is the user handle, which names tenant and person, and that a tenant
finds no other's rows. A challenge is ours, young, made for the very sign-in or page that it comes back to, and good
once: it is signed, so that showing a page writes nothing, and leaves its mark when it is used.

What the library leaves to its caller is done here: who the handle names, frames of other sites, the counter, and that
a key which could not leave its device has not left it.
"""

import hmac
import ipaddress
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from idp import audit, clock
from idp.accounts import assurance
from idp.audit import Event
from idp.errors import Conflict, Refusal
from idp.ids import digest, same, unb64, unique, uuid7
from idp.logs import log
from idp.signing.ring import ring
from idp.speech import say
from idp.store.database import Kept, transaction
from idp.store.durable import marks, passkeys, users
from idp.store.durable.passkeys import Passkey
from idp.store.durable.users import User
from idp.tenants import current

MOST = 20
"""Passkeys of one person."""
ANSWERED_WITHIN = 900
"""Seconds for which a challenge may be answered: as long as a page may stand open before it is used."""
NAME_LONGEST = 60
_LONGEST = 20_000  # characters of an answer that are looked at
_PURPOSE = b"passkey challenge"
_MARK = "passkey_challenge"
_TRANSPORTS = {"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"}


class PasskeyRefused(Refusal):
    """The passkey is not known here, or its answer is not good: one sentence for every reason."""

    code = "passkey_refused"
    status = 401
    description = "This passkey did not work here."


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey that has proved itself: whose, and what happened (RFC 8176 §2)."""

    user: User
    amr: tuple[str, ...]


def available() -> bool:
    """Whether passkeys work at this issuer: where the policy has them, and the host has a name (§5.1.2)."""
    if not current().policy.passkeys:
        return False
    try:
        ipaddress.ip_address(rp_id().strip("[]"))
    except ValueError:
        return True
    return False


def rp_id() -> str:
    """The relying party: the host of the issuer by which the request came."""
    return urlsplit(current().issuer).hostname or ""


def _origin() -> str:
    parts = urlsplit(current().issuer)
    return f"{parts.scheme}://{parts.netloc}"


def handle(user: User) -> bytes:
    """The user handle: tenant and person, and nothing that says anything about them (§14.6.1)."""
    return current().id.bytes + user.id.bytes


def creation_options(user: User, scope: str) -> str:
    """What a browser makes a passkey with, as JSON. `scope`: the sign-in or the session on whose page that is."""
    known = passkeys.of_user(user.id)
    name = user.email or user.username
    made = generate_registration_options(
        rp_id=rp_id(),
        rp_name=current().name,
        user_id=handle(user),
        user_name=name,
        user_display_name=str(user.claims.get("name") or name),
        challenge=_challenge(scope),
        timeout=ANSWERED_WITHIN * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[_described(each) for each in known if each.rp_id == rp_id()],
    )
    return options_to_json(made)


def request_options(scope: str, user: User | None = None) -> str:
    """What a browser asks a passkey with, as JSON; `user`: of this person alone, else of whoever has one here."""
    known = passkeys.of_user(user.id) if user is not None else ()
    made = generate_authentication_options(
        rp_id=rp_id(),
        challenge=_challenge(scope),
        timeout=ANSWERED_WITHIN * 1000,
        allow_credentials=[_described(each) for each in known if each.rp_id == rp_id()],
        user_verification=UserVerificationRequirement.REQUIRED
        if user is None
        else UserVerificationRequirement.PREFERRED,
    )
    return options_to_json(made)


def _described(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(id=passkey.credential_id)


def register(user: User, answer: str, scope: str, name: str) -> Passkey:
    """Keep the passkey that a browser has made for this person. Whether they may have one is the caller's to judge.

    Raises PasskeyRefused, Conflict when it is known here already or there are too many.
    """
    with transaction():
        try:
            given = parse_registration_credential_json(_bounded(answer))
            challenge = _answered(given.response.client_data_json, scope)
            verified = verify_registration_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=rp_id(),
                expected_origin=_origin(),
                require_user_verification=True,
            )
        except Refusal:
            raise
        except Exception as problem:  # whatever a stranger's bytes make the library raise
            raise _refused("register", problem) from problem
        if users.held(user.id) is None or len(passkeys.of_user(user.id)) >= MOST:
            raise Conflict(say("There are %(most)s passkeys already.", most=MOST), rule="passkeys.most")
        at = clock.now()
        new = Passkey(
            id=uuid7(), user_id=user.id, credential_id=verified.credential_id,
            public_key=verified.credential_public_key, sign_count=verified.sign_count, rp_id=rp_id(),
            aaguid=verified.aaguid, transports=_transports(given),
            backup_eligible=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            backed_up=verified.credential_backed_up, name=named(name), created_at=at, used_at=None,
        )  # fmt: skip
        passkeys.add(new)
        audit.record(
            Event.PASSKEY_ADDED, audit.Actor("user", str(user.id)), passkey_id=new.id, aaguid=new.aaguid
        )
    return new


def show(answer: str, scope: str, user: User | None = None) -> Shown:
    """Judge what a browser's passkey has answered; `user`: whose it must be, after a first factor.

    Without a first factor the person must have been verified by the device, by a finger or a PIN, so that it stands
    for two. Raises PasskeyRefused.
    """
    with transaction():
        try:
            return _shown(answer, scope, user)
        except (Refusal, Kept):
            raise
        except Exception as problem:  # whatever a stranger's bytes make the library raise
            raise _refused("show", problem) from problem


def _shown(answer: str, scope: str, user: User | None) -> Shown:
    given = parse_authentication_credential_json(_bounded(answer))
    challenge = _answered(given.response.client_data_json, scope)
    kept = passkeys.by_credential(given.raw_id)
    if kept is None or kept.rp_id != rp_id():
        raise PasskeyRefused(rule="passkeys.known")
    owner = users.by_id(kept.user_id)
    if owner is None or not owner.active or (user is not None and user.id != owner.id):
        raise PasskeyRefused(rule="passkeys.owner")
    told = given.response.user_handle
    if (told is None and user is None) or (told is not None and not same(told, handle(owner))):
        raise PasskeyRefused(rule="passkeys.handle")
    verified = verify_authentication_response(
        credential=given,
        expected_challenge=challenge,
        expected_rp_id=rp_id(),
        expected_origin=_origin(),
        credential_public_key=kept.public_key,
        credential_current_sign_count=0,  # compared below, in one step with its use
        require_user_verification=user is None,
    )
    eligible = verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE
    if eligible != kept.backup_eligible:
        raise PasskeyRefused(rule="passkeys.backup_eligible")
    if not passkeys.use(kept.id, verified.new_sign_count, backed_up=verified.credential_backed_up):
        audit.record(Event.PASSKEY_COPIED, audit.Actor("user", str(owner.id)), passkey_id=kept.id)
        raise Kept(PasskeyRefused(rule="passkeys.counter", expected=f"more than {kept.sign_count}"))
    return Shown(owner, happened(eligible, verified=verified.user_verified))


def happened(eligible: bool, *, verified: bool) -> tuple[str, ...]:
    """What the use of a passkey is (RFC 8176 §2): a key, somebody's presence, and, where they were `verified`, two."""
    held = assurance.SOFTWARE_KEY if eligible else assurance.HARDWARE_KEY
    return (held, assurance.PRESENT, *((assurance.MULTIPLE,) if verified else ()))


def named(name: str) -> str:
    """A name as it is kept: bounded, in one line, never empty."""
    return (
        " ".join("".join(each if each.isprintable() else " " for each in name).split())[:NAME_LONGEST]
        or "Passkey"
    )


def _bounded(answer: str) -> dict[str, Any]:
    if not available():
        raise PasskeyRefused(rule="passkeys.available", setting="policy.passkeys")
    found = json.loads(answer) if len(answer) <= _LONGEST else None
    if not isinstance(found, dict):
        raise PasskeyRefused(rule="passkeys.shape")
    return found


def _transports(given: Any) -> tuple[str, ...]:
    named_ = {str(getattr(each, "value", each)) for each in given.response.transports or ()}
    return tuple(sorted(named_ & _TRANSPORTS))


def _refused(where: str, problem: Exception) -> PasskeyRefused:
    log(__name__).info("passkey_refused", where=where, reason=f"{type(problem).__name__}: {problem}"[:200])
    return PasskeyRefused(rule=f"passkeys.{where}", got=type(problem).__name__)


def _challenge(scope: str) -> bytes:
    """16 random bytes, the second, and a MAC over both, the tenant and `scope`."""
    body = unb64(unique()) + clock.epoch().to_bytes(8, "big")
    return body + _mac(ring().derive(_PURPOSE), body, scope)


def _mac(key: bytes, body: bytes, scope: str) -> bytes:
    return hmac.digest(key, body + current().id.bytes + scope.encode(), "sha256")[:16]


def _answered(client_data: bytes, scope: str) -> bytes:
    """The challenge that was answered, used up by it. Raises PasskeyRefused unless it is ours, young and unused."""
    told = json.loads(client_data)
    if told.get("crossOrigin") is True or "topOrigin" in told:
        raise PasskeyRefused(rule="passkeys.frame")
    challenge = unb64(str(told.get("challenge", "")))
    body, mac = challenge[:24], challenge[24:]
    ours = any(same(mac, _mac(key, body, scope)) for _, key in ring().derive_all(_PURPOSE))
    age = clock.epoch() - int.from_bytes(body[16:], "big")
    if len(challenge) != 40 or not ours or not 0 <= age < ANSWERED_WITHIN:
        raise PasskeyRefused(rule="passkeys.challenge")
    ends = clock.now() + timedelta(seconds=ANSWERED_WITHIN)
    if not marks.leave(_MARK, digest(challenge), ends):
        raise PasskeyRefused(rule="passkeys.replay")
    return challenge


def of_user(user_id: UUID) -> tuple[Passkey, ...]:
    """The passkeys of a person, the oldest first."""
    return passkeys.of_user(user_id)


def rename(user: User, passkey_id: UUID, name: str) -> bool:
    """Call a passkey something else; False when the person has no such one."""
    with transaction():
        done = passkeys.rename(user.id, passkey_id, named(name))
        if done:
            audit.record(Event.PASSKEY_RENAMED, audit.Actor("user", str(user.id)), passkey_id=passkey_id)
    return done
