"""Refresh tokens: 256 random bits behind a prefix that secret scanners know, with a checksum.

A successor is derived from the token that was presented, by HMAC under a key of the ring, so that within the
grace it can be given again without ever having been stored.
"""

import hmac
import re
import zlib
from dataclasses import dataclass

from idp import clock
from idp.ids import b64, digest, secret
from idp.oauth.tokens import access
from idp.signing import ring
from idp.signing.checks import Check, Table, no
from idp.store.durable import grants, users
from idp.store.durable.grants import Grant, RefreshToken

PREFIX = "idp_rt_"
_INFO = b"refresh-successor"
_SHAPE = re.compile(r"idp_rt_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


def _finished(body: str) -> str:
    return f"{PREFIX}{body}{zlib.crc32(body.encode()):08x}"


def new() -> str:
    """A new refresh token."""
    return _finished(secret())


def wellformed(token: str) -> bool:
    """Whether it could be one of ours: prefix, length, checksum."""
    return bool(_SHAPE.fullmatch(token)) and token == _finished(token[len(PREFIX) : -8])


def successors(token: str) -> list[str]:
    """What may follow `token`, derived under each key of the ring, the newest first."""
    return [
        _finished(b64(hmac.digest(key, token.encode(), "sha256"))) for _, key in ring.ring().derive_all(_INFO)
    ]


def known_successor(token: str, wanted: bytes) -> str | None:
    """The successor whose digest is `wanted`, or None when it was made under a key that has left the ring."""
    return next((each for each in successors(token) if digest(each) == wanted), None)


@dataclass(slots=True)
class Read:
    """A refresh token of the entered tenant, and what the checks have found behind it."""

    token: str
    found: tuple[RefreshToken, Grant] | None = None

    @property
    def row(self) -> RefreshToken:
        """The token's row."""
        return self._both()[0]

    @property
    def grant(self) -> Grant:
        """The grant that it refreshes."""
        return self._both()[1]

    def _both(self) -> tuple[RefreshToken, Grant]:
        if self.found is None:
            raise AssertionError("known comes first")
        return self.found


def _form(read: Read) -> None:
    if not wellformed(read.token):
        raise no("refresh_token.form", expected="the prefix, 43 characters and their checksum")


def _known(read: Read) -> None:
    read.found = grants.by_refresh(digest(read.token), held=False)
    if read.found is None:
        raise no("refresh_token.known", expected="a token of an active client", got="none")


def _unused(read: Read) -> None:
    at = read.row.consumed_at
    if at is not None:
        got = f"used at {at.isoformat(timespec='seconds')}"
        raise no("refresh_token.used", expected="the latest of its grant", got=got)


def _exp(read: Read) -> None:
    if clock.now() >= read.row.expires_at:
        got = read.row.expires_at.isoformat(timespec="seconds")
        raise no("refresh_token.exp", expected=f"after {clock.now().isoformat(timespec='seconds')}", got=got)


def _grant(read: Read) -> None:
    why = access.ended(read.grant)
    if why:
        raise no("refresh_token.grant", expected="a grant that stands", got=why)


def _subject(read: Read) -> None:
    why = access.barred(read.grant, users.by_id(read.grant.user_id))
    if why:
        raise no("refresh_token.subject", expected="an active person", got=why)


def _session(read: Read) -> None:
    if not access.in_session(read.grant):
        raise no("refresh_token.session", expected="a session that goes on", got="ended")


CHECKS = Table[Read](
    Check("form", _form),
    Check("known", _known, ("form",)),
    Check("used", _unused, ("known",)),
    Check("exp", _exp, ("known",)),
    Check("grant", _grant, ("known",)),
    Check("subject", _subject, ("known",)),
    Check("session", _session, ("known",)),
)


def read(token: str) -> Read:
    """The refresh token behind `token`, which would be taken now. Raises InvalidToken, Unavailable."""
    found = Read(token)
    CHECKS.hold(found)
    return found
