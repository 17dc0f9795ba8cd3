"""Which person of the tenant an identity is: the one it is linked with, or somebody new where the tenant wants that.

An address links nobody. Whoever is new and has an address that somebody here has is told to sign in as them and link
the identity at their account (PW12). An address that the upstream does not prove is not kept: it would stand in the
way of whose it is. Groups and roles that an upstream's setting names follow it at each sign-in.
"""

from collections.abc import Mapping
from typing import Any

from idp import audit, ids
from idp.accounts import attributes
from idp.audit import Actor, Event
from idp.errors import Conflict, Invalid
from idp.federation import fields
from idp.federation.fields import Membership, Settings
from idp.federation.profile import Profile
from idp.federation.refusals import Failed, NoAccount, Taken
from idp.store.database import again, transaction
from idp.store.durable import groups, identities, upstreams, users
from idp.store.durable.identities import Identity
from idp.store.durable.upstreams import Upstream
from idp.store.durable.users import User

MOST_VALUES = 1_000
"""Members of a claim about groups or roles that are looked at."""


def settled(upstream: Upstream, profile: Profile, address: str | None) -> User:
    """The active person whose identity this is. Raises NoAccount, Taken, Failed.

    `address`: of the browser, for the record.
    """
    user = _known(upstream, profile, address)
    if user is None:
        user = _new(upstream, profile, address)
    if user is None:  # somebody else was a moment faster with the very same identity
        user = _known(upstream, profile, address)
    if user is None:
        raise _taken()
    return user


@again
def _known(upstream: Upstream, profile: Profile, address: str | None) -> User | None:
    with transaction():
        found = identities.find(profile.issuer, profile.subject)
        if found is None:
            return None
        user = users.held(found.user_id)
        if user is None or not user.active:
            raise nobody("disabled")
        still(upstream)
        identities.used(found.id, profile.shown)
        _follow(fields.settings(upstream), profile, user, address)
    return user


def _new(upstream: Upstream, profile: Profile, address: str | None) -> User | None:
    """Somebody new; None where address or identity is somebody's. Raises NoAccount."""
    how = fields.settings(upstream)
    if not how.creation:
        raise nobody("not linked, and creation is off")
    email = profile.email if profile.email_proved else None
    try:
        with transaction():
            still(upstream)
            # Without a proved address the name is nobody's: one that is told could be taken, or look as if.
            name = email or f"{upstream.name}-{ids.secret(96).lower().replace('_', '0').replace('-', '1')}"
            user = users.add(
                name, email=email, email_verified=email is not None, claims=_claims(how, profile.claims)
            )
            actor = Actor("user", str(user.id), address)
            audit.record(Event.USER_CREATED, actor, user_id=user.id, upstream=upstream.name)
            linked(upstream, user, profile, actor)
            _follow(how, profile, user, address)
    except Conflict:
        return None
    return user


def linked(upstream: Upstream, user: User, profile: Profile, actor: Actor) -> Identity:
    """Give a person an identity, in the caller's transaction. Raises Conflict when it is somebody's."""
    made = identities.link(upstream.id, user.id, profile.issuer, profile.subject, profile.shown)
    if made is None:
        raise Conflict(rule="identities.unique")
    audit.record(Event.IDENTITY_LINKED, actor, user_id=user.id, upstream=upstream.name, identity_id=made.id)
    return made


def still(upstream: Upstream) -> None:
    """That the upstream is there as it was when the answer was asked for. Raises Failed."""
    held = upstreams.held(upstream.id)
    if held is None or not held.active or held.issuer != upstream.issuer:
        raise Failed(rule="upstream.there", got="removed, suspended or changed meanwhile")


def nobody(why: str) -> NoAccount:
    """The refusal of whoever has no account that this opens; `why` is for operators."""
    return NoAccount(rule="identity.known", expected="a linked person who is active", got=why,
                     setting="upstream.creation")  # fmt: skip


def _taken() -> Taken:
    return Taken(rule="identity.address", got="the address or name of somebody here")


def _claims(how: Settings, told: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that somebody new gets: what can be kept of what is told, and nothing that cannot."""
    kept: dict[str, Any] = {}
    for ours, theirs in how.claims.items():
        value = told.get(theirs)
        if value is None:
            continue
        try:
            if ours in attributes.STANDARD:
                kept |= attributes.standard({ours: value})
            else:
                kept |= attributes.own({ours: value})
        except Invalid:
            continue
    return kept


def _follow(how: Settings, profile: Profile, user: User, address: str | None) -> None:
    """Put the person into the groups that the upstream names, and out of those it does not; roles alike."""
    actor = Actor("user", str(user.id), address)
    if how.groups is not None:
        there = {group.name: group.id for group in groups.every()}
        held = {group.name for group in groups.direct(user.id)}
        for name, wanted in _wanted(how.groups, profile.claims).items():
            if name not in there or wanted == (name in held):
                continue
            (groups.add if wanted else groups.remove)(there[name], user.id)
            event = Event.GROUP_MEMBER_ADDED if wanted else Event.GROUP_MEMBER_REMOVED
            audit.record(event, actor, group=name, user_id=user.id)
    if how.roles is not None:
        own = {role.name: role.id for role in groups.every_role() if role.client_id is role.api_id is None}
        held = {role.name for role in groups.direct_roles(user=user.id) if role.id in own.values()}
        for name, wanted in _wanted(how.roles, profile.claims).items():
            if name not in own or wanted == (name in held):
                continue
            (groups.give if wanted else groups.take)(own[name], user=user.id)
            event = Event.ROLE_MEMBER_ADDED if wanted else Event.ROLE_MEMBER_REMOVED
            audit.record(event, actor, role=name, user_id=user.id, group_id=None)


def _wanted(membership: Membership, told: Mapping[str, Any]) -> dict[str, bool]:
    """Each of our names that the upstream decides about, and whether it says so of this person."""
    value = told.get(membership.claim)
    members = value if isinstance(value, list) else [value]
    said = {one for one in members[:MOST_VALUES] if isinstance(one, str)}
    wanted: dict[str, bool] = {}
    for theirs, ours in membership.names.items():
        wanted[ours] = wanted.get(ours, False) or theirs in said
    return wanted
