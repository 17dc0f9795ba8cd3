"""Client authentication (RFC 6749 §2.3, OpenID Connect Core 1.0 §9): one method a file, one answer for every failure.

The method is exactly the registered one, at every endpoint; credentials of two methods in one request are
refused; failures are counted per client and address. An unknown client, another tenant's and a wrong secret
give the same bytes after the same work.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from idp import audit, clock, directory, platform, throttle
from idp.audit import Actor, Event
from idp.errors import InvalidClient, InvalidRequest, TooMany
from idp.memory import Recent
from idp.oauth import encryption, metadata_documents
from idp.oauth.binding import shown
from idp.oauth.client_auth import certificate, none, private_key_jwt, secret
from idp.oauth.request import ProtocolRequest
from idp.registration import fapi
from idp.store.database import transaction
from idp.store.durable.clients import Client
from idp.tenants import current

Method = Callable[[ProtocolRequest, Client | None], bool]

METHODS: dict[str, Method] = {
    "client_secret_basic": secret.basic,
    "client_secret_post": secret.post,
    "private_key_jwt": private_key_jwt.assertion,
    "tls_client_auth": certificate.vouched_for,
    "self_signed_tls_client_auth": certificate.registered,
    "none": none.public,
}
"""Every method that is known here."""


def spoken() -> tuple[str, ...]:
    """Every method that this deployment speaks, as discovery lists them."""
    return tuple(name for name in METHODS if name not in certificate.METHODS or certificate.spoken())


_RECORD_EVERY = 60
"""Seconds for which one record of the failures from one address does, in each process."""
_recorded: Recent[tuple[UUID, str], int] = Recent(10_000)

_SECRET = ("client_secret_basic", "client_secret_post")


class ClientDisabled(InvalidClient):
    """The credentials are right and the client is not active; outside it reads like every other failure."""

    def __init__(self, client: Client, failed: InvalidClient) -> None:
        """`client`: who it is; `failed`: the answer."""
        super().__init__(
            rule="client_auth.status",
            expected="active",
            got=client.status,
            setting="client.status",
            headers=failed.headers,
        )
        self.client = client


def authenticate(request: ProtocolRequest, *, public: bool = True) -> Client:
    """The client that sent `request`. `public`: whether one without credentials will do.

    Where tokens are asked for, the key that they are to be bound to is shown with it (`binding.shown`).

    Raises InvalidClient, TooMany, InvalidRequest for credentials of two kinds in one request, and what `shown.held`
    raises.
    """
    method = _presented(request)
    client_id = _client_id(request, method)
    retry = throttle.blocked("client", client_id, request.address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.client", setting="policy.client_failures")
    client = directory.client(client_id) if 0 < len(client_id) <= 2048 else None
    if client is not None and client.setting("metadata_document"):
        client = metadata_documents.latest(client_id, client)  # None: what it says of itself now is not good
    if method == "none" and client is not None and client.auth_method in certificate.METHODS:
        method = client.auth_method  # which credential a certificate is, only its client says
    candidate = client if client is not None and may_use(client, method) else None
    proved = METHODS[method](request, candidate)
    if not proved or candidate is None or not candidate.active or not platform.fits(candidate):
        retry = throttle.failed("client", client_id, request.address)
        _record_failed(client, method, request)
        if retry is not None:
            raise TooMany(retry_after=retry, rule="throttle.client", setting="policy.client_failures")
        if proved and candidate is not None and platform.fits(candidate):
            raise ClientDisabled(candidate, _failed(request, client, method))
        raise _failed(request, client, method)
    if candidate.public and not public:
        raise _failed(request, client, method)
    if request.endpoint == "token":
        encryption.ready(candidate, encryption.ID_TOKEN)
    request.client, request.auth_method = candidate, method
    request.binding = shown.held(request, candidate)
    return candidate


def _record_failed(client: Client | None, method: str, request: ProtocolRequest) -> None:
    """Record the failure, once an address and minute: a stranger must not be able to fill the audit.

    Whether it is recorded never depends on whether the client exists, since writing takes its time.
    """
    now, key = clock.epoch(), (current().id, request.address)
    if now < (_recorded.get(key) or 0):
        return
    _recorded.put(key, now + _RECORD_EVERY)
    with transaction():
        actor = Actor("client", client.client_id if client is not None else None, request.address)
        audit.record(Event.CLIENT_AUTHENTICATION_FAILED, actor, method=method)


def _presented(request: ProtocolRequest) -> str:
    """The one method whose credentials the request holds."""
    form = request.form
    found = [
        name
        for name, held in (
            ("client_secret_basic", request.basic is not None),
            ("client_secret_post", "client_secret" in form),
            ("private_key_jwt", "client_assertion" in form or "client_assertion_type" in form),
        )
        if held
    ]
    if len(found) > 1:
        raise InvalidRequest(
            "The request authenticates in more than one way.", rule="client_auth.single", got=found
        )
    return found[0] if found else "none"


def _client_id(request: ProtocolRequest, method: str) -> str:
    given = request.form.get("client_id", "")
    if method == "client_secret_basic" and request.basic is not None:
        named = request.basic[0]
    elif method == "private_key_jwt":
        if given and _workload(given):
            return given  # its token names it by the platform's name, which is no client_id
        named = private_key_jwt.claimed_client(request.form.get("client_assertion", ""))
    else:
        named = given
    if given and given != named:
        raise InvalidRequest("client_id differs from the authenticated client.", rule="client_auth.client_id")
    return named


def _workload(client_id: str) -> bool:
    found = directory.client(client_id) if len(client_id) <= 2048 else None
    return found is not None and found.setting("workload_identity") is not None


def may_use(client: Client, method: str) -> bool:
    """Whether a client may authenticate so: exactly as it is registered."""
    if fapi.of(client) and method not in fapi.METHODS:
        return False
    if method == client.auth_method:
        return True
    return method in _SECRET and client.auth_method in _SECRET and bool(client.setting("client_secret_any"))


def _challenge(request: ProtocolRequest) -> dict[str, str]:
    return {"WWW-Authenticate": 'Basic realm="token"'} if request.basic is not None else {}


def _failed(request: ProtocolRequest, client: Client | None, method: str) -> InvalidClient:
    """The refusal; its private half alone tells an unknown client from a wrong method, key or secret."""
    told: dict[str, Any]
    if client is None:
        told = {"rule": "client_auth.client", "expected": "a registered client", "got": "an unknown one"}
    elif not may_use(client, method):
        setting = "client.token_endpoint_auth_method"
        told = {
            "rule": "client_auth.method",
            "expected": client.auth_method,
            "got": method,
            "setting": setting,
        }
    elif method == "none":
        told = {
            "rule": "client_auth.public",
            "expected": "a client that authenticates",
            "got": "a public one",
        }
    elif method in certificate.METHODS:
        told = {
            "rule": "client_auth.certificate",
            "expected": "the registered certificate, good now, through the proxy that is trusted",
            "got": "none" if request.certificate is None else "another",
            "setting": "IDP_CLIENT_CERTIFICATE_SECRET",
        }
    elif method == "private_key_jwt":
        told = {"rule": "client_auth.assertion", "expected": "a good assertion, used once", "got": "another"}
    elif client.secrets and not any(secret.good(clock.now()) for secret in client.secrets):
        told = {
            "rule": "client_auth.secret",
            "expected": "the registered secret",
            "got": "every secret has expired",
        }
    else:
        told = {"rule": "client_auth.secret", "expected": "the registered secret", "got": "another"}
    return InvalidClient(headers=_challenge(request), **told)
