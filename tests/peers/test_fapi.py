"""npm's openid-client and oauth4webapi as clients of FAPI 2.0, against the running provider over TLS."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from idp.config import Settings
from idp.registration import CIBA, DEVICE_CODE
from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.peers.clients import SCOPE, registered_key
from tests.peers.person import Person
from tests.serving import environment, free, until
from tests.spec.rfc8705.certifying import certificate, names

CALLBACK = "https://rp.example/callback"
LIBRARIES = ("openidClient", "oauth4webapi")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the server, which its clients trust, and beside it the key."""
    folder = tmp_path_factory.mktemp("fapi")
    made = certificate("CN=localhost", names=names("dns", "localhost"), use=None, ca=True)
    (folder / "server.crt").write_text(made.pem)
    (folder / "server.key").write_bytes(made.key_pem)
    return folder / "server.crt"


@pytest.fixture(scope="module")
def issuer(tenant: Tenant, vault: Settings, authority: Path) -> Iterator[str]:
    """The issuer under https, on a server of its own."""
    port, management, log = free(), free(), authority.with_name("serve.log")
    base = f"https://localhost:{port}"
    command = [
        sys.executable, "-m", "idp.cli", "serve", "--workers", "1", "--bind", f"127.0.0.1:{port}",
        "--certificate", str(authority), "--certificate-key", str(authority.with_suffix(".key")),
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment(vault, port, management, IDP_BASE_URL=base), stdout=output, stderr=output
        )
        try:
            until(
                lambda: (
                    process.poll() is not None
                    or requests.get(f"{base}/livez", verify=authority, timeout=5).ok
                )
            )
            assert process.poll() is None, log.read_text()
            yield f"{base}/t/{tenant.slug}"
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture
def fapi(node: Any, issuer: str, authority: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`fapi(library, client_id, jwk, messages)`: what the program tells of a whole visit."""
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(authority))

    def run(
        library: str, client_id: str, jwk: dict[str, Any], program: str = "fapi", **more: Any
    ) -> dict[str, Any]:
        person = Person(issuer)
        person.session.verify, person.session.trust_env = str(authority), False
        return dict(
            node(program).run(
                person, scenario=library, issuer=issuer, client_id=client_id, jwk=jwk, redirect_uri=CALLBACK,
                scope=SCOPE, **more,
            )
        )  # fmt: skip

    return run


def kept(told: dict[str, Any], client_id: str, *, messages: bool = False) -> None:
    """What a visit told is what the profile promises."""
    assert set(told["asked"]) == {"client_id", "request_uri"}
    expected = (
        {"response"} if messages else {"code", "state", "iss", "session_state"}
    )  # a policy of the tenant
    assert set(told["back"]) == expected
    assert told["type"].lower() == "dpop" and told["stolen"] == 401
    assert told["told"]["cnf"] == {"jkt": told["jkt"]} and told["told"]["client_id"] == client_id
    assert told["told"]["token_type"].lower() == "dpop" and told["userinfo"]["name"] == "Alice Adams"
    assert told["again"] == told["first"]  # nothing was rotated


@pytest.mark.parametrize("library", LIBRARIES)
def test_security_profile(fapi: Any, tenant: Tenant, library: str) -> None:
    name = f"fapi-{library}".lower()
    jwk = registered_key(
        tenant, name, profile="fapi2", redirect_uris=[CALLBACK], post_logout_redirect_uris=None
    )
    kept(fapi(library, name, jwk), name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_message_signing(fapi: Any, tenant: Tenant, library: str) -> None:
    """JAR at PAR, JARM back."""
    name = f"signs-{library}".lower()
    jwk = registered_key(
        tenant, name, profile="fapi2", redirect_uris=[CALLBACK], post_logout_redirect_uris=None,
        require_signed_request_object=True, dpop_bound_access_tokens=True,
    )  # fmt: skip
    kept(fapi(library, name, jwk, messages=True), name, messages=True)


@pytest.mark.parametrize("library", LIBRARIES)
def test_where_the_tenant_wants_nonces(fapi: Any, tenant: Tenant, library: str) -> None:
    name = f"nonces-{library}".lower()
    jwk = registered_key(
        tenant, name, profile="fapi2", redirect_uris=[CALLBACK], post_logout_redirect_uris=None
    )
    policy(tenant, require_dpop_nonce=True)
    told = fapi(library, name, jwk)
    kept(told, name)
    assert told.get("tries", ["use_dpop_nonce"]) == ["use_dpop_nonce"]


def elsewhere(tenant: Tenant, name: str, grant: str, **more: Any) -> dict[str, Any]:
    """The key of a client that asks for somebody who is not in its browser, its tokens bound to another one."""
    return registered_key(
        tenant, name, redirect_uris=[], post_logout_redirect_uris=None, grant_types=[grant, "refresh_token"],
        dpop_bound_access_tokens=True, id_token_signed_response_alg="ES256", **more,
    )  # fmt: skip


def allowed(told: dict[str, Any], issuer: str, client_id: str) -> None:
    """What such a program got is Alice's, and worth nothing without its key."""
    assert told["page"].endswith("interaction/done?how=allowed")
    assert (told["claims"]["iss"], told["claims"]["aud"]) == (issuer, client_id)
    assert told["userinfo"]["name"] == "Alice Adams" and told["userinfo"]["sub"] == told["claims"]["sub"]
    assert told["type"].lower() == "dpop" and told["stolen"] == 401


@pytest.mark.parametrize(("scenario", "grant"), [("device", DEVICE_CODE), ("ciba", CIBA)])
def test_openid_client_asks_for_somebody_elsewhere(
    fapi: Any, tenant: Tenant, issuer: str, scenario: str, grant: str
) -> None:
    name = f"elsewhere-{scenario}"
    jwk = elsewhere(tenant, name, grant, **({"profile": "fapi2"} if scenario == "device" else {}))
    told = fapi(scenario, name, jwk, "elsewhere")
    allowed(told, issuer, name)
    assert told["refreshed"] is True


@pytest.mark.parametrize("signs", [False, True])
def test_oauth4webapi_asks_over_the_back_channel(fapi: Any, tenant: Tenant, issuer: str, signs: bool) -> None:
    name = f"by-hand-{signs}".lower()
    jwk = elsewhere(tenant, name, CIBA, **({"profile": "fapi2"} if signs else {}))
    told = fapi("cibaByHand", name, jwk, "elsewhere", signs=signs)
    allowed(told, issuer, name)
    assert (told["early"], told["again"]) == ("authorization_pending", "invalid_grant")
    assert told["ended"] == 401, "a second redemption ends what the first became"
