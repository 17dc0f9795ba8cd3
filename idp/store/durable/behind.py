"""What stands behind an access token of a person, in one look: the grant, the person, the session, a revocation.

Whoever presents a token waits for it, and four questions cost four times as much as one.
"""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from idp.ids import digest
from idp.store.database import transaction
from idp.store.durable import grants, sessions, users
from idp.store.durable.clients import clients
from idp.store.durable.columns import home
from idp.store.durable.grants import Grant
from idp.store.durable.sessions import Session
from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Behind:
    """As each of the questions would have answered: `session` is the grant's, if it is live."""

    grant: Grant | None
    user: User | None
    session: Session | None
    revoked: bool


_U, _S, _G, _R = users.users, sessions.sessions, grants.grants, grants.revoked_tokens
_PERSON = sa.and_(_U.c.tenant_id == _G.c.tenant_id, _U.c.id == _G.c.user_id)
_SESSION = sa.and_(
    _S.c.tenant_id == _G.c.tenant_id, _S.c.id == _G.c.session_id, _S.c.user_id == _U.c.id, sessions.LIVE
)
_REVOCATION = sa.and_(_R.c.tenant_id == _G.c.tenant_id, _R.c.jti_digest == sa.bindparam("jti"))
_PARTS = (grants.GRANT, users.COLUMNS, sessions.COLUMNS)
_ONE, _TWO = len(grants.GRANT), len(grants.GRANT) + len(users.COLUMNS)
_LOOK = (
    sa.select(*(column for part in _PARTS for column in part), _R.c.id)
    .select_from(_G)
    .join(clients, grants.OF_ACTIVE_CLIENT)
    .outerjoin(_U, _PERSON)
    .outerjoin(_S, _SESSION)
    .outerjoin(_R, _REVOCATION)
    .where(_G.c.tenant_id == sa.bindparam("tenant"), _G.c.id == sa.bindparam("wanted"))
)


def of(grant_id: UUID, jti: str) -> Behind:
    """What stands behind the token `jti` of a grant. Without the grant, or with its client off, there is nothing."""
    with transaction(readonly=True) as tx:
        row = tx.execute(_LOOK, {"tenant": home(), "wanted": grant_id, "jti": digest(jti)}).one_or_none()
    if row is None:
        return Behind(None, None, None, False)
    person, session = row[_ONE:_TWO], row[_TWO:-1]
    return Behind(
        grants.made(row[:_ONE]),
        User(*person) if person[0] is not None else None,
        sessions.made(session) if session[0] is not None else None,
        row[-1] is not None,
    )
