"""People of a tenant. `id` is their `sub`: never reused, never an e-mail address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock, identifiers
from idp.errors import Conflict, Invalid
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable.columns import here, home, instant, json, tenant_table, text, unique
from idp.store.durable.credentials import PASSWORD, credentials

users = tenant_table(
    "users",
    text("username"),
    text("username_norm"),
    text("username_skeleton"),
    text("email", null=True),
    text("email_norm", null=True),
    Column("email_verified", Boolean, nullable=False),
    json("claims"),
    text("status"),
    instant("not_before", null=True),
    instant("created_at"),
    instant("updated_at"),
    unique("username_norm"),
    unique("username_skeleton"),
    unique("email_norm"),
)

ACTIVE, DISABLED = "active", "disabled"


@dataclass(frozen=True, slots=True)
class User:
    """A person of the tenant; `claims` holds attributes by their OpenID Connect claim names."""

    id: UUID
    username: str
    email: str | None
    email_verified: bool
    claims: Mapping[str, Any]
    status: str
    not_before: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def active(self) -> bool:
        """Whether the person may sign in and be spoken for."""
        return self.status == ACTIVE


COLUMNS = (users.c.id, users.c.username, users.c.email, users.c.email_verified, users.c.claims, users.c.status,
            users.c.not_before, users.c.created_at, users.c.updated_at)  # fmt: skip


# Built once: building a statement costs more than running it, and these two stand in the path of sign-ins.
_BY_ID = select(*COLUMNS).where(users.c.tenant_id == bindparam("tenant"), users.c.id == bindparam("user"))
_HELD = _BY_ID.with_for_update(key_share=True)
_FOR_SIGN_IN = (
    select(*COLUMNS, credentials.c.secret)
    .select_from(
        users.outerjoin(
            credentials,
            and_(
                credentials.c.tenant_id == users.c.tenant_id,
                credentials.c.user_id == users.c.id,
                credentials.c.kind == PASSWORD,
            ),
        )
    )
    .where(
        users.c.tenant_id == bindparam("tenant"),
        or_(
            users.c.username_norm == bindparam("username"),
            and_(users.c.email_norm == bindparam("email"), users.c.email_verified),
        ),
    )
    .order_by((users.c.username_norm == bindparam("username")).desc())
    .limit(1)
)


def _user(row: Row[Any] | None) -> User | None:
    return None if row is None else User(*row)


def _names(username: str | None, email: str | None) -> dict[str, str | None]:
    """The columns that a username and an e-mail address become. Raises Invalid naming the field."""
    columns: dict[str, str | None] = {}
    try:
        if username is not None:
            prepared = identifiers.username(username)
            columns |= {"username": username, "username_norm": prepared,
                        "username_skeleton": identifiers.skeleton(prepared)}  # fmt: skip
    except ValueError as error:
        raise Invalid(f"username {error}.", rule="username") from error
    try:
        if email is not None:
            columns |= {"email": identifiers.email(email), "email_norm": identifiers.email_key(email)}
    except ValueError as error:
        raise Invalid(f"email {error}.", rule="email") from error
    return columns


def add(
    username: str,
    *,
    email: str | None = None,
    email_verified: bool = False,
    claims: Mapping[str, Any] | None = None,
    status: str = ACTIVE,
) -> User:
    """A new user. Raises Invalid for a name or address of the wrong shape, Conflict when either is taken here."""
    at = clock.now()
    row = {"tenant_id": home(), "id": uuid7(), "email_verified": email_verified, "claims": dict(claims or {}),
           "status": status, "created_at": at, "updated_at": at, **_names(username, email)}  # fmt: skip
    try:
        with transaction() as tx:
            made = tx.execute(insert(users).values(row).returning(*COLUMNS)).one()
    except IntegrityError as error:
        raise Conflict("This username or e-mail address is taken.", rule="users.unique") from error
    return User(*made)


def change(
    user_id: UUID,
    *,
    username: str | None = None,
    email: str | None = None,
    email_verified: bool | None = None,
    claims: Mapping[str, Any] | None = None,
    status: str | None = None,
    not_before: datetime | None = None,
) -> User | None:
    """The user after the change of what is given (`claims` as a whole); None when there is no such user.

    Raises Invalid and Conflict as `add` does.
    """
    given: dict[str, Any] = {"email_verified": email_verified, "status": status, "not_before": not_before,
                             "claims": None if claims is None else dict(claims)}  # fmt: skip
    values = {name: value for name, value in given.items() if value is not None} | _names(username, email)
    statement = update(users).where(here(users), users.c.id == user_id)
    try:
        with transaction() as tx:
            made = tx.execute(
                statement.values(**values, updated_at=clock.now()).returning(*COLUMNS)
            ).one_or_none()
    except IntegrityError as error:
        raise Conflict("This username or e-mail address is taken.", rule="users.unique") from error
    return _user(made)


def remove(user_id: UUID) -> bool:
    """Delete a user and all that hangs off them; False when there is none."""
    with transaction() as tx:
        removed = delete(users).where(here(users), users.c.id == user_id).returning(users.c.id)
        return tx.execute(removed).first() is not None


def by_id(user_id: UUID) -> User | None:
    """The user of this `sub`, or None."""
    with transaction(readonly=True) as tx:
        return _user(tx.execute(_BY_ID, {"tenant": home(), "user": user_id}).one_or_none())


def held(user_id: UUID) -> User | None:
    """The user, their row locked until the transaction ends, so that disabling them waits or has happened."""
    with transaction() as tx:
        return _user(tx.execute(_HELD, {"tenant": home(), "user": user_id}).one_or_none())


def by_username(username: str) -> User | None:
    """The user whose prepared name equals this one's (RFC 8265 §3.3), or None, also for what is no name."""
    try:
        prepared = identifiers.username(username)
    except ValueError:
        return None
    with transaction(readonly=True) as tx:
        return _user(
            tx.execute(select(*COLUMNS).where(here(users), users.c.username_norm == prepared)).one_or_none()
        )


def for_sign_in(username_norm: str, email_norm: str) -> tuple[User, str | None] | None:
    """The user with this prepared name or this verified address, and the password hash, in one statement.

    Both are "" when the text can be nobody's. A username wins over another's address. None for nobody.
    """
    names = {"tenant": home(), "username": username_norm, "email": email_norm}
    with transaction(readonly=True) as tx:
        row = tx.execute(_FOR_SIGN_IN, names).one_or_none()
    return None if row is None else (User(*row[:-1]), row[-1])


def without_proof(email: str) -> tuple[UUID, ...]:
    """Whose address this is without having been confirmed."""
    key = identifiers.email_key(email)
    mine = (here(users), users.c.email_norm == key, users.c.email_verified.is_(False))
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(select(users.c.id).where(*mine)).scalars())


def take_address(user_id: UUID) -> bool:
    """Take an address that was not confirmed from a person; False when they have none such any more."""
    mine = (here(users), users.c.id == user_id, users.c.email_verified.is_(False))
    gone = update(users).where(*mine).values(email=None, email_norm=None, updated_at=clock.now())
    with transaction() as tx:
        return tx.execute(gone.returning(users.c.id)).first() is not None


def listed(after: str = "", limit: int = 100) -> tuple[User, ...]:
    """Users in the order of their prepared names, those after `after` (a prepared name), at most `limit`."""
    statement = select(*COLUMNS).where(here(users), users.c.username_norm > after)
    with transaction(readonly=True) as tx:
        rows = tx.execute(statement.order_by(users.c.username_norm).limit(min(limit, 1000)))
        return tuple(User(*row) for row in rows)


def count() -> int:
    """How many users the tenant has."""
    with transaction(readonly=True) as tx:
        return tx.scalar(select(func.count()).select_from(users).where(here(users))) or 0
