"""Every plan of Core, Dynamic and the sign-outs against a provider that runs as people run it: `idp up --tls`.

The modules are those that are played in process too, by the same functions; here each request is one of HTTP over TLS,
time passes by itself, the worker delivers, and the applications' own servers speak TLS as well. Basic has its one
response type, the other plans of `Modules` one round each: every response type of theirs is played in process.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party
from tests.receiving import Receiver, receiver
from tests.running import Up, within
from tests.spec.certification import test_userinfo_signed
from tests.spec.certification.backchannel import test_backchannel as backchannel
from tests.spec.certification.config import test_config as config
from tests.spec.certification.dynamic import test_dynamic as dynamic
from tests.spec.certification.frontchannel import test_frontchannel as frontchannel
from tests.spec.certification.leaving import BACK, STATE, leave, only_state, out, signed_in
from tests.spec.certification.modules import Modules, Plan
from tests.spec.certification.over_tls.speaking import Provider, web
from tests.spec.certification.rp_initiated_logout import test_rp_initiated_logout as leaving
from tests.spec.certification.session_management import test_frames_in_a_browser as frames
from tests.spec.certification.session_management import test_session_management as session
from tests.spec.certification.third_party import test_third_party as third_party

OTHERWISE = {"test_oidcc_refresh_token_rp_key_rotation", "test_oidcc_backchannel_rp_initiated_logout"}
"""Modules that wait for something, and are played below."""


def modules_of(*files: ModuleType) -> type:
    """A class of the suite's modules that a plan's own files have."""
    found = {
        name: staticmethod(value)
        for file in files
        for name, value in vars(file).items()
        if name.startswith("test_oidcc_") and name not in OTHERWISE
    }
    return type("Played", (), found)


@pytest.fixture(scope="module", autouse=True)
def rotating(app: Provider, op: Tenant, documents: Any, later: Any) -> Iterator[Future[None]]:
    """The module in which a client changes its key and waits for a minute, beside all others."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(dynamic.test_oidcc_refresh_token_rp_key_rotation, app, op, documents, later)


@pytest.fixture(scope="module")
def chromium(trusting: Path) -> Iterator[Any]:
    """Of somebody who trusts both authorities."""
    playwright = pytest.importorskip("playwright.sync_api")
    environment = {**os.environ, "HOME": str(trusting)}
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(
            executable_path=str(frames.CHROMIUM), args=frames.ARGUMENTS, env=environment
        )
        yield launched
        launched.close()


class TestBasicOverTls(Modules):
    """response_type=code."""

    PLANS = (Plan("code", "query"),)


class TestImplicitOverTls(Modules):
    """One round, in the fragment."""

    PLANS = (Plan("id_token token", "fragment"),)


class TestHybridOverTls(Modules):
    """One round, in the fragment."""

    PLANS = (Plan("code id_token token", "fragment"),)


class TestFormPostOverTls(Modules):
    """One round of each of the three plans."""

    PLANS = tuple(Plan(each, "form_post") for each in ("code", "id_token", "code id_token"))


class TestConfigOverTls(modules_of(config)):  # type: ignore[misc]
    """Discovery and keys."""

    def test_every_address_is_https(self, app: Provider, certification: Tenant) -> None:
        answer = app.test_client().get("/t/certification/.well-known/openid-configuration")
        told = answer.get_json()
        assert told["issuer"] == certification.issuer and certification.issuer.startswith("https://")
        addresses = [value for name, value in told.items() if name.endswith(("_endpoint", "_uri", "_iframe"))]
        assert len(addresses) > 8 and all(each.startswith("https://") for each in addresses)


class TestThirdPartyOverTls(modules_of(third_party)):  # type: ignore[misc]
    """Sign-ins that somebody else begins."""


class TestDynamicOverTls(modules_of(dynamic, test_userinfo_signed)):  # type: ignore[misc]
    """Clients that register themselves; what they serve is fetched over TLS."""


class TestRpInitiatedOverTls(modules_of(leaving)):  # type: ignore[misc]
    """Sign-outs that an application begins."""

    @pytest.fixture
    def rp(self, app: Provider, acme: Tenant) -> RelyingParty:
        return relying_party(app, acme)


class TestSessionOverTls(modules_of(session)):  # type: ignore[misc]
    """Sessions that an application watches."""

    @pytest.fixture
    def rp(self, app: Provider, acme: Tenant) -> RelyingParty:
        return relying_party(app, acme)

    def test_the_cookie_can_be_read_in_anothers_frame(self, rp: RelyingParty) -> None:
        visit = rp.authorize().login("alice")
        lines = visit.answer.got.raw.headers.getlist("Set-Cookie")
        (line,) = [each for each in lines if each.startswith(f"__Host-{session.STATE}=")]
        assert {"Secure", "SameSite=None", "Path=/"} <= set(line.split("; ")) and "HttpOnly" not in line


class TestBackChannelOverTls(modules_of(backchannel)):  # type: ignore[misc]
    """Logout tokens that the worker delivers."""

    @pytest.fixture
    def listening(self, running: Up, tls: Any) -> Iterator[Receiver]:
        with receiver(tls) as made:
            uri = f"{made.base}/backchannel?keep=1"
            web(running, backchannel_logout_uri=uri, backchannel_logout_session_required=True)
            yield made

    def test_oidcc_backchannel_rp_initiated_logout(
        self, app: Provider, acme: Tenant, listening: Receiver
    ) -> None:
        rp = relying_party(app, acme)
        browser, claims = signed_in(rp)
        answer = leave(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK, state=STATE)
        assert only_state(answer.headers["Location"]) and out(rp, browser)
        assert within(10, lambda: bool(listening.posts)), "the worker of the deployment delivers it"
        backchannel.told_as_it_must_be(rp, listening, claims)
        assert listening.versions == ["TLSv1.3"]


class TestFrontChannelOverTls(modules_of(frontchannel)):  # type: ignore[misc]
    """Frames on the signed-out page."""

    @pytest.fixture
    def frame_uri(self, running: Up) -> str:
        uri = "https://localhost:8001/frontchannel_logout"
        web(running, frontchannel_logout_uri=uri, frontchannel_logout_session_required=True)
        return uri

    @pytest.fixture
    def rp(self, app: Provider, acme: Tenant, frame_uri: str) -> RelyingParty:
        return relying_party(app, acme)


@pytest.fixture(scope="module")
def application(running: Up, tls: Any) -> Iterator[frames.Application]:
    """Acme's application, over https and of the same site, as the suite is to be set up."""
    with frames.application(tls) as made:
        web(
            running, redirect_uris=[f"{made.base}/callback"], post_logout_redirect_uris=[f"{made.base}/bye"],
            frontchannel_logout_uri=f"{made.base}/frontchannel", frontchannel_logout_session_required=True,
        )  # fmt: skip
        yield made


@pytest.mark.browser
@pytest.mark.skipif(
    not frames.CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium; no frame was loaded"
)
class TestFramesOverTls:
    """The frame that watches the session, and that of a sign-out, in a Chromium that trusts both authorities."""

    @pytest.fixture
    def issuer(self, acme: Tenant) -> str:
        return acme.issuer

    @pytest.fixture
    def rp(self, application: frames.Application) -> frames.Application:
        application.asked.clear()
        return application

    test_oidcc_session_in_a_browser = staticmethod(
        frames.test_oidcc_session_management_rp_initiated_logout_in_a_browser
    )
    test_oidcc_frontchannel_in_a_browser = staticmethod(
        frames.test_oidcc_frontchannel_rp_initiated_logout_in_a_browser
    )


def test_oidcc_refresh_token_rp_key_rotation(rotating: Future[None]) -> None:
    rotating.result(timeout=120)
