"""RFC 7636: Proof Key for Code Exchange."""

from typing import Any

from idp.tenants import Tenant
from tests.attacks.acting import refused
from tests.playing import relying_party


def test_4_2_the_example_of_appendix_b(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    code = rp.authorize(code_challenge=challenge).login("alice").code
    assert rp.redeem(code, code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").status_code == 200


def test_4_4_1_an_unsupported_method_is_invalid_request(app: Any, acme: Tenant) -> None:
    for method in ("plain", "S384", None):
        assert (
            relying_party(app, acme).authorize(code_challenge_method=method).params["error"]
            == "invalid_request"
        )


def test_4_6_another_verifier_is_invalid_grant(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    refused(rp.redeem(rp.authorize().login("alice").code, code_verifier="B" * 43), "invalid_grant")
