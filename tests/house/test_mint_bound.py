"""The mint's table once more, for clients whose tokens are bound: no grant forgets the key, whichever kind it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from idp import config, directory
from idp.app import create_app
from idp.config import Settings
from idp.control import clients
from idp.tenants import Tenant, entered
from tests.house import test_mint as mint
from tests.playing import RelyingParty
from tests.spec.rfc7523.asserting import issuing
from tests.spec.rfc8705.certifying import PEER, PROXY, SECRET, Shown, certificate
from tests.spec.rfc9449.proving import Key

KINDS = {"jkt": "dpop_bound_access_tokens", "x5t#S256": "tls_client_certificate_bound_access_tokens"}


@dataclass
class Holding(RelyingParty):
    """A client that proves its key with each request for a token."""

    member: str = "jkt"
    key: Key = field(default_factory=Key)
    shown: Shown = field(default_factory=certificate)

    @property
    def cnf(self) -> dict[str, str]:
        """What its tokens are bound to."""
        return {self.member: self.key.thumbprint if self.member == "jkt" else self.shown.thumbprint}

    def post(self, endpoint: str, form: dict[str, str], **options: Any) -> Any:
        proof = {"DPoP": self.key.proof(f"{self.tenant.issuer}/{endpoint}")} if endpoint == "token" else {}
        headers = proof if self.member == "jkt" else self.shown.headers
        return super().post(endpoint, form, headers={**options.pop("headers", {}), **headers},
                            environ_base=PEER, **options)  # fmt: skip


@pytest.fixture
def app(vault: Settings, twins: tuple[Tenant, Tenant]) -> Iterator[Any]:
    """The application of a deployment whose proxy hands on certificates."""
    mine = vault.with_(trusted_proxies=(PROXY,), client_certificate_secret=SECRET)
    config.use(mine)
    try:
        yield create_app(mine)
    finally:
        config.use(vault)


@pytest.fixture(params=KINDS)
def scene(request: pytest.FixtureRequest, app: Any, twins: tuple[Tenant, Tenant]) -> Iterator[mint.Scene]:
    made = mint._made(app, twins[0], mint.SECRET)
    with entered(twins[0]):
        clients.update(mint.CLIENT, {KINDS[request.param]: True})
    directory.forget_all()
    holder = Holding(app, twins[0], mint.CLIENT, mint.SECRET, made.redirect_uri, made.method, extra=made.extra,
                     member=request.param)  # fmt: skip
    with issuing() as server:
        yield mint.Scene(app, twins[0], holder, mint._made(app, twins[1], mint.OTHERS_SECRET), server)


@pytest.mark.parametrize("grant", mint.ROWS)
def test_whatever_it_mints_is_bound_and_nothing_is_minted_without_the_key(
    scene: mint.Scene, grant: str
) -> None:
    present, holder = mint.ROWS[grant](scene), scene.rp
    assert isinstance(holder, Holding)
    bare = RelyingParty(scene.app, scene.tenant, mint.CLIENT, mint.SECRET, holder.redirect_uri, holder.method)
    answer = present(bare)
    assert answer.status_code == 400 and answer.get_json()["error"] == "invalid_request", answer.get_json()
    body = present(holder).get_json()
    assert "access_token" in body, body
    assert body["token_type"] == ("DPoP" if holder.member == "jkt" else "Bearer")
    assert holder.introspect(body["access_token"])["cnf"] == holder.cnf
