"""What people do about their own identities: link one more, and take one away that is not their last way in.

A link rests on two proofs at once: a session that is fresh where it begins and still there where it ends, and an
answer of the upstream that was asked for by this session, for this person, once (PW11).
"""

from dataclasses import dataclass
from uuid import UUID

from idp import audit
from idp.accounts import telling, ways_in
from idp.audit import Actor, Event
from idp.errors import Conflict
from idp.federation import fields, people
from idp.federation.profile import Profile
from idp.federation.refusals import Linked
from idp.mail import What
from idp.store.database import again, transaction
from idp.store.durable import identities, upstreams, users
from idp.store.durable.identities import Identity
from idp.store.durable.upstreams import Upstream
from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Known:
    """An identity of a person, how its upstream is called, and whether it opens anything now."""

    identity: Identity
    provider: str
    preset: str
    active: bool


def of(user: User) -> tuple[Known, ...]:
    """The identities of a person, the oldest first."""
    found = {each.id: each for each in upstreams.every()}
    return tuple(_known(each, found[each.upstream_id]) for each in identities.of_user(user.id))


def _known(identity: Identity, upstream: Upstream) -> Known:
    how = fields.settings(upstream)
    return Known(identity, how.display_name, how.preset, upstream.active)


def link(upstream: Upstream, user_id: UUID, profile: Profile, address: str) -> Identity:
    """Give a person who is signed in this identity; again is no mistake.

    Raises Linked when it is another's, NoAccount, Failed.
    """
    try:
        with transaction():
            user = users.held(user_id)
            if user is None or not user.active:
                raise people.nobody("disabled")
            people.still(upstream)
            found = identities.find(profile.issuer, profile.subject)
            if found is not None and found.user_id == user.id:
                return found
            telling.factors_changed(user, What.IDENTITY_LINKED)
            return people.linked(upstream, user, profile, Actor("user", str(user.id), address))
    except Conflict:
        raise Linked(rule="identities.unique", expected="nobody's", got="another person's") from None


@again
def unlink(user: User, identity_id: UUID, address: str) -> Known | None:
    """Take an identity away; None when the person has no such one. Raises LastWayIn."""
    with transaction():
        users.held(user.id)
        mine = of(user)
        gone = next((each for each in mine if each.identity.id == identity_id), None)
        if gone is None:
            return None
        ways_in.spare(user, identity_id)
        identities.unlink(identity_id, user.id)
        telling.factors_changed(user, What.IDENTITY_UNLINKED)
        actor = Actor("user", str(user.id), address)
        audit.record(Event.IDENTITY_UNLINKED, actor, user_id=user.id, provider=gone.provider)
    return gone
