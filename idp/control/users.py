"""Operators' verbs for the people of the entered tenant, each with one event in the same transaction.

Fields are `username`, `email`, `email_verified`, `status`, `password` or `password_hash`, the standard claims by
their OpenID Connect names, some of them once more for a language (`name#de`), and `attributes`. Passwords that
operators set are checked for length alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from idp import audit, clock, identifiers
from idp.accounts import addresses, attributes, leaving, mailed, passwords, recovery, sessions
from idp.accounts.links import Kind
from idp.audit import Actor, Event
from idp.errors import Conflict, Invalid, NotFound
from idp.store.database import transaction
from idp.store.durable import credentials, grants, groups, users
from idp.store.durable import links as link_rows
from idp.store.durable.users import ACTIVE, DISABLED, User

OWN = ("username", "email", "email_verified", "status")
SECRET = ("password", "password_hash")
FIELDS = (*OWN, *SECRET, *attributes.STANDARD, "attributes")


def create(
    fields: Mapping[str, Any], actor: Actor | None = None, *, source_digest: bytes | None = None
) -> User:
    """A new person. `source_digest`: keyed digest of the blueprint's own password.

    Raises Invalid naming the field, Conflict when username or e-mail address is taken.
    """
    own, claims = checked(fields)
    if "username" not in own:
        raise Invalid("username is missing.", rule="username")
    secret = _secret(fields)
    with transaction():
        _nobody_elses(own, None)
        user = users.add(
            own["username"],
            email=own.get("email"),
            email_verified=own.get("email_verified", False),
            claims={name: value for name, value in claims.items() if value is not None},
            status=own.get("status", ACTIVE),
        )
        if secret is not None:
            credentials.put_password(user.id, secret, source_digest)
        audit.record(Event.USER_CREATED, actor, user_id=user.id)
    return user


def checked(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns and the claims that `fields` set, checked. Raises Invalid naming the field."""
    for name in fields:
        if name not in FIELDS and attributes.check_of(name) is None:
            raise Invalid(f"{name} is not known here.", rule=str(name))
    own = {name: fields[name] for name in OWN if name in fields}
    for name, check in (("username", identifiers.username), ("email", identifiers.email)):
        if own.get(name) is not None:
            try:
                own[name] = own[name] if check(own[name]) and name == "username" else check(own[name])
            except ValueError as problem:
                raise Invalid(f"{name} {problem}.", rule=name) from None
    if not isinstance(own.get("email_verified", False), bool):
        raise Invalid("email_verified must be true or false.", rule="email_verified")
    if own.get("status", ACTIVE) not in (ACTIVE, DISABLED):
        raise Invalid(f"status must be {ACTIVE} or {DISABLED}.", rule="status")
    claims = attributes.standard(fields)
    if "attributes" in fields:
        claims |= attributes.own(fields["attributes"])
    return own, claims


def _secret(fields: Mapping[str, Any]) -> str | None:
    given = [name for name in SECRET if fields.get(name) is not None]
    if len(given) > 1:
        raise Invalid("password_hash must not stand beside password.", rule="password_hash")
    for name in given:
        if not isinstance(fields[name], str):
            raise Invalid(f"{name} must be a string.", rule=name)
        return passwords.hash(fields[name]) if name == "password" else passwords.accepted(fields[name])
    return None


def _nobody_elses(own: Mapping[str, Any], user: User | None) -> None:
    """A username that is an e-mail address must be one's own: people sign in with either."""
    username = own.get("username")
    key = identifiers.email_key(username)
    if username is None or key is None:
        return
    address = own.get("email", user.email if user else None)
    found = users.for_sign_in("", key)
    if (
        identifiers.email_key(address) != key
        and found is not None
        and (user is None or found[0].id != user.id)
    ):
        raise Conflict("This username is the e-mail address of somebody else.", rule="username")


def show(username: str) -> User:
    """The person of that username, or of that id. Raises NotFound."""
    user = users.by_username(username) or _by_id(username)
    if user is None:
        raise NotFound("There is no such user.", rule="username")
    return user


def _by_id(text: str) -> User | None:
    try:
        return users.by_id(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def list_(limit: int = 100, after: str = "") -> tuple[User, ...]:
    """At most `limit` people (100 at most), by username, those behind the username `after`."""
    return users.listed(identifiers.username_key(after) or "", min(max(limit, 1), 100))


def update(
    username: str,
    fields: Mapping[str, Any],
    actor: Actor | None = None,
    *,
    source_digest: bytes | None = None,
) -> User:
    """Change what is given; None takes a claim away. A new password, and disabling, end sessions and grants.

    Raises NotFound, Invalid naming the field, Conflict.
    """
    own, claims = checked(fields)
    secret = _secret(fields)
    with transaction():
        user = show(username)
        if own.get("email") not in (None, user.email):
            own.setdefault("email_verified", False)  # a proof is of one address
        changed = differences(user, own, claims)
        if own.get("status") == DISABLED and link_rows.drop_of(user.id, Kind.KEEP):
            changed = [
                *changed,
                "status",
            ]  # who had left is suspended now, and no link of theirs changes that
        if not changed and secret is None:
            return user
        _nobody_elses(own, user)
        whole = {name: value for name, value in {**user.claims, **claims}.items() if value is not None}
        ends = secret is not None or (own.get("status") == DISABLED and user.active)
        done = users.change(user.id, claims=whole, not_before=clock.now() if ends else None, **own)
        if done is None:
            raise NotFound("There is no such user.", rule="username")
        if secret is not None:
            credentials.put_password(user.id, secret, source_digest)
            audit.record(Event.PASSWORD_SET, actor, user_id=user.id)
        if own.get("status") == ACTIVE and not user.active:
            link_rows.drop_of(user.id)  # who had left stays
        if changed:
            audit.record(_event(own, changed), actor, user_id=user.id, changed=changed)
        if ends:
            _end(user, "password_set" if secret is not None else "user_disabled")
    return done


def differences(user: User, own: Mapping[str, Any], claims: Mapping[str, Any]) -> list[str]:
    """Which of the given fields differ from what the person has."""
    different = [name for name, value in own.items() if value is not None and value != getattr(user, name)]
    return different + [name for name, value in claims.items() if value != user.claims.get(name)]


def _event(own: Mapping[str, Any], changed: Sequence[str]) -> Event:
    if "status" not in changed:
        return Event.USER_UPDATED
    return Event.USER_DISABLED if own["status"] == DISABLED else Event.USER_ENABLED


def _end(user: User, reason: str) -> None:
    sessions.end_all(user, reason)
    grants.revoke_of_user(user.id, reason)


def sign_out(username: str, actor: Actor | None = None, *, offline: bool = False) -> int:
    """Sign a person out everywhere: every session ends, with the grants that live on it; how many sessions.

    Clients with a back channel are told. `offline`: grants that outlive a sign-out end too. Raises NotFound.
    """
    with transaction(), audit.acting(actor or audit.actor()):
        user = show(username)
        ended = sessions.end_all(user, "signed_out_everywhere")
        revoked = (
            grants.revoke_of_user(user.id, "signed_out_everywhere")
            if offline
            else grants.revoke_in_sessions(user.id, "signed_out_everywhere")
        )
        if revoked:
            audit.record(Event.GRANT_REVOKED, user_id=user.id, why="signed_out_everywhere", count=revoked)
    return ended


def send_reset(username: str, actor: Actor | None = None, *, reveal: bool = False) -> str | None:
    """Write a link that sets a new password to a person's confirmed address.

    `reveal`: nothing is written, and the link is answered, for whoever can be reached in no other way; the person is
    told when the password was set. Raises NotFound, and Invalid where nobody can be written to.
    """
    with transaction():
        user = show(username)
        if not user.active:
            raise Invalid("The person is suspended.", rule="status")
        if reveal:
            audit.record(Event.RECOVERY_SHOWN, actor, user_id=user.id)
            return recovery.made(user)
        if not recovery.send(user, actor=actor):
            raise Invalid(
                "There is no confirmed e-mail address to write to, or no mail server.", rule="email"
            )
    return None


def send_code(username: str, actor: Actor | None = None, *, reveal: bool = False) -> tuple[str, str] | None:
    """Write a new code to a person whose sign-in by e-mail waits for one.

    `reveal`: nothing is written, and code and link are answered. Raises NotFound, and Invalid where nobody waits or
    nothing can be sent.
    """
    with transaction():
        user = show(username)
        if not user.active:
            raise Invalid("The person is suspended.", rule="status")
        if not reveal:
            if not mailed.send_again(user):
                raise Invalid("No sign-in of this person waits for a code by e-mail.", rule="email_code")
            return None
        shown = mailed.renewed(user)
        if shown is None:
            raise Invalid("No sign-in of this person waits for a code by e-mail.", rule="email_code")
        audit.record(Event.EMAIL_CODE_SHOWN, actor, user_id=user.id)
        return mailed.spoken(shown[0]), shown[1]


def set_address(username: str, email: str, actor: Actor | None = None, *, reveal: bool = False) -> str | None:
    """Write to an address that is to be a person's; it counts once they have confirmed it there.

    `reveal`: nothing is written, and the link is answered. Raises NotFound, Invalid.
    """
    try:
        new = identifiers.email(email)
    except ValueError as problem:
        raise Invalid(f"email {problem}.", rule="email") from None
    with transaction():
        user = show(username)
        if reveal:
            audit.record(Event.ADDRESS_ASKED, actor, user_id=user.id, email=new, shown=True)
            return addresses.made(user, new)
        if not addresses.send(user, new, actor):
            raise Invalid("No message can be sent to this address.", rule="email")
    return None


def leave(username: str, actor: Actor | None = None) -> str:
    """Close a person's account now and delete it after the days of grace; the link that keeps it.

    Raises NotFound, and Conflict where there are no such days, or the person is not active.
    """
    return leaving.leave(show(username), actor or audit.actor())


def suspend(username: str, actor: Actor | None = None) -> User:
    """Disable a person: no sign-in, no refresh, sessions ended, at once."""
    return update(username, {"status": DISABLED}, actor)


def resume(username: str, actor: Actor | None = None) -> User:
    """Let a disabled person sign in again; what was ended stays ended."""
    return update(username, {"status": ACTIVE}, actor)


def delete(username: str, actor: Actor | None = None) -> User:
    """Delete a person and all that hangs off them; the `sub` is never used again."""
    with transaction():
        user = show(username)
        _end(user, "user_deleted")
        users.remove(user.id)
        audit.record(Event.USER_DELETED, actor, user_id=user.id)
    return user


def shown(people: Sequence[User], actor: Actor | None = None) -> list[dict[str, Any]]:
    """People as an answer shows them; that they were shown is recorded, with the actor's reason."""
    answer = []
    with transaction():
        for user in people:
            answer.append(described(user))
        audit.record(Event.USER_SHOWN, actor, user_ids=[user.id for user in people])
    return answer


def described(user: User) -> dict[str, Any]:
    """A person as an answer shows them, never a credential."""
    return {
        "username": user.username,
        "sub": str(user.id),
        "status": user.status,
        "email": user.email,
        "email_verified": user.email_verified,
        "claims": dict(user.claims),
        "groups": [group.name for group in groups.direct(user.id)],
        "roles": [role.name for role in groups.direct_roles(user=user.id)],
        "created_at": user.created_at.isoformat(),
        "updated_at": user.updated_at.isoformat(),
    }
