"""An issuer that says who people are, and what a tenant and its people have to do with it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt as pyjwt

from idp import ids
from idp.control import upstreams
from idp.oauth import client_keys
from idp.registration import JWT_BEARER
from idp.store.durable import identities, users
from idp.tenants import Tenant, entered
from tests.attacks.acting import policy
from tests.attacks.assertions import EC, public
from tests.playing import RelyingParty
from tests.receiving import Serving, document_server

ISSUER = "https://id.corp.example"
SUBJECT = "corp-4711"


@contextmanager
def issuing() -> Iterator[Serving]:
    """The issuer's keys, served."""
    with document_server() as server:
        server.keys(public(EC, "e"))
        client_keys.forget()
        yield server
    client_keys.forget()


def trusting(tenant: Tenant, server: Serving) -> Tenant:
    """The tenant, which trusts the issuer."""
    return policy(tenant, assertion_issuers=[f"{ISSUER} {server.uri}"])


def linked(tenant: Tenant, username: str, subject: str = SUBJECT) -> None:
    """Link a person with the subject of the issuer, as a sign-in by it does."""
    with entered(tenant):
        known = {each.name: each for each in upstreams.list_()}
        corp = known.get("corp") or upstreams.create(
            "corp", {"issuer": ISSUER, "client_id": "us", "display_name": "Corp"}
        )
        user = users.by_username(username)
        assert user is not None
        assert identities.link(corp.id, user.id, ISSUER, subject, username) is not None


def asserted(
    tenant: Tenant, key: Any = EC, alg: str = "ES256", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A good assertion about the linked person, but for `changes`; `...` leaves a claim out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER, "sub": SUBJECT, "aud": tenant.issuer, "iat": now, "exp": now + 300, "jti": ids.secret(),
        **changes,
    }  # fmt: skip
    kept = {name: value for name, value in claims.items() if value is not ...}
    return pyjwt.api_jws.encode(
        json.dumps(kept).encode(), key, algorithm=alg, headers={"kid": "e", **(headers or {})}
    )


def brings(rp: RelyingParty, assertion: str, **changes: str) -> Any:
    """The answer to a client that brings an assertion."""
    return rp.post("token", {"grant_type": JWT_BEARER, "assertion": assertion, **changes})
