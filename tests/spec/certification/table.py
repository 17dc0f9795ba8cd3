"""Every module of the OpenID Foundation's conformance suite that a provider's plans have, and the test that plays it.

The modules of sections 2.2 to 2.7 (Basic, Implicit, Hybrid, Config, Dynamic, Form Post, third-party-initiated login,
sign-out and session), by the names of release 5.2.3, without `oidcc-`; those of FAPI 2.0 and FAPI-CIBA. A house test
holds each to exist.
"""

_M = "modules.py::Modules.test_oidcc_"
_D = "dynamic/test_dynamic.py::test_oidcc_"
_L = "rp_initiated_logout/test_rp_initiated_logout.py::test_oidcc_"

COMMON: dict[str, str] = {
    "server": _M + "server",
    "response-type-missing": _M + "response_type_missing",
    "userinfo-get": _M + "userinfo_get_post_header_post_body",
    "userinfo-post-header": _M + "userinfo_get_post_header_post_body",
    "userinfo-post-body": _M + "userinfo_get_post_header_post_body",
    "ensure-request-without-nonce-succeeds-for-code-flow": _M + "ensure_request_without_nonce",
    "ensure-request-without-nonce-fails": _M + "ensure_request_without_nonce",
    **{f"scope-{name}": _M + "scope" for name in ("profile", "email", "address", "phone", "all")},
    "alternate-happy-flow": _M + "alternate_happy_flow",
    "display-page": _M + "display",
    "display-popup": _M + "display",
    "prompt-login": _M + "prompt_login",
    "prompt-none-not-logged-in": _M + "prompt_none_not_logged_in",
    "prompt-none-logged-in": _M + "prompt_none_logged_in",
    "max-age-1": _M + "max_age_1",
    "max-age-10000": _M + "max_age_10000",
    "ensure-request-with-unknown-parameter-succeeds": _M + "ensure_request_with_unknown_parameter_succeeds",
    "id-token-hint": _M + "id_token_hint",
    "login-hint": _M + "login_hint_ui_locales_claims_locales",
    "ui-locales": _M + "login_hint_ui_locales_claims_locales",
    "claims-locales": _M + "login_hint_ui_locales_claims_locales",
    "ensure-request-with-acr-values-succeeds": _M + "ensure_request_with_acr_values_succeeds",
    "codereuse": _M + "codereuse_and_codereuse_30seconds",
    "codereuse-30seconds": _M + "codereuse_and_codereuse_30seconds",
    "ensure-registered-redirect-uri": _M + "ensure_registered_redirect_uri",
    "ensure-post-request-succeeds": _M + "ensure_post_request_succeeds",
    "server-client-secret-post": _M + "server_client_secret_post",
    "unsigned-request-object-supported-correctly-or-rejected-as-unsupported": _M
    + "unsigned_request_object_supported_correctly_or_rejected_as_unsupported",
    "request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": _D + "request_uri_unsigned",
    "claims-essential": _M + "claims_essential",
    "ensure-request-object-with-redirect-uri": _M + "ensure_request_object_with_redirect_uri",
    "refresh-token": _M + "refresh_token",
    "ensure-request-with-valid-pkce-succeeds": _M + "ensure_request_with_valid_pkce_succeeds",
    "idtoken-signature": _D + "idtoken_rs256",
    "idtoken-unsigned": _D + "idtoken_unsigned",
}
"""Sections 2.2: played once for each response type and response mode of the plans."""

OWN: dict[str, str] = {
    "discovery-endpoint-verification": "config/test_config.py::test_oidcc_discovery_endpoint_verification",
    "idtoken-rs256": _D + "idtoken_rs256",
    "userinfo-rs256": "test_userinfo_signed.py::test_oidcc_userinfo_rs256_and_another",
    "ensure-redirect-uri-in-authorization-request": _D + "ensure_redirect_uri_in_authorization_request",
    "redirect-uri-query-OK": _D + "redirect_uri_query_ok",
    "redirect-uri-query-mismatch": _D + "redirect_uri_query_mismatch_and_added",
    "redirect-uri-query-added": _D + "redirect_uri_query_mismatch_and_added",
    "redirect-uri-regfrag": _D + "redirect_uri_regfrag",
    **{f"registration-{name}-uri": _D + "registration_logo_policy_tos" for name in ("logo", "policy", "tos")},
    "registration-jwks-uri": _D + "registration_jwks_uri_and_ensure_client_assertion_with_iss_aud",
    "registration-sector-uri": _D + "registration_sector_uri_and_sector_bad",
    "registration-sector-bad": _D + "registration_sector_uri_and_sector_bad",
    "server-rotate-keys": _D + "server_rotate_keys",
    "refresh-token-rp-key-rotation": _D + "refresh_token_rp_key_rotation",
    "request-uri-unsigned": _D + "request_uri_unsigned",
    "request-uri-signed-rs256": _D + "request_uri_signed_rs256",
    "ensure-client-assertion-with-iss-aud-succeeds": _D
    + "registration_jwks_uri_and_ensure_client_assertion_with_iss_aud",
    "3rd_party-init-login": "third_party/test_third_party.py::test_oidcc_3rd_party_init_login",
    "3rd_party-init-login-nohttps": "third_party/test_third_party.py::test_oidcc_3rd_party_init_login_nohttps",
    **{
        f"rp-initiated-logout{name}": f"{_L}rp_initiated_logout{name.replace('-', '_')}"
        for name in (
            "", "-discovery-endpoint-verification", "-no-state", "-bad-post-logout-redirect-uri",
            "-query-added-to-post-logout-redirect-uri", "-modified-id-token-hint", "-bad-id-token-hint",
            "-no-id-token-hint", "-no-params", "-no-post-logout-redirect-uri", "-only-state",
        )
    },
    **{
        f"{kind}-{module}": f"{kind.replace('-', '')}/test_{kind.replace('-', '')}.py::test_oidcc_"
        f"{kind}_{module.replace('-', '_')}"
        for kind in ("backchannel", "frontchannel")
        for module in ("logout-discovery-endpoint-verification", "rp-initiated-logout")
    },
    **{
        f"session-management-{module}": "session_management/test_session_management.py::test_oidcc_"
        f"session_management_{module.replace('-', '_')}"
        for module in ("discovery-endpoint-verification", "rp-initiated-logout")
    },
}  # fmt: skip
"""Sections 2.3 to 2.7."""

_C = "fapi_ciba/test_fapi_ciba.py::test_fapi_ciba_id1"
_HAS_OWN = (
    "discovery-end-point-verification", "user-rejects-authentication", "multiple-call-to-token-endpoint",
    "auth-req-id-expired", "ensure-authorization-request-with-binding-message-succeeds",
    "ensure-other-scope-order-succeeds", "ensure-requested-expiry-as-string-succeeds",
    "ensure-authorization-request-with-potentially-bad-binding-message",
    "ensure-request-object-signature-algorithm-is-none-fails", "ensure-request-object-signature-algorithm-is-bad-fails",
    "ensure-request-object-signature-algorithm-is-RS256-fails", "ensure-request-object-signed-by-other-client-fails",
    "ensure-authorization-request-with-multiple-hints-fails", "ensure-wrong-auth-req-id-in-token-endpoint-request",
    "ensure-different-client-id-and-issuer-in-backchannel-authorization-request",
    "ensure-wrong-client-id-in-token-endpoint-request", "ensure-wrong-client-id-in-backchannel-authorization-request",
    "ensure-without-client-assertion-in-token-endpoint-request",
    "ensure-without-client-assertion-in-backchannel-authorization-request",
    "ensure-client-assertion-with-iss-aud-to-token-endpoint-succeeds",
    "ensure-backchannel-authorization-request-without-request-fails", "refresh-token",
    "ensure-mtls-holder-of-key-required",
)  # fmt: skip

FAPI_CIBA: dict[str, str] = {
    "": _C,
    **{name: f"{_C}_{name.lower().replace('-', '_')}" for name in _HAS_OWN},
    **{
        f"ensure-request-object-{name}-fails": f"{_C}_ensure_request_object_claims_fail"
        for name in (
            "missing-aud", "bad-aud", "missing-iss", "bad-iss", "missing-exp", "expired-exp",
            "exp-is-70-minutes-in-future", "missing-iat", "missing-nbf", "nbf-is-10-minutes-in-future",
            "nbf-is-70-minutes-in-past", "missing-jti",
        )
    },
    **{
        f"ensure-client-assertion-signature-algorithm-in-{where}-request-is-RS256-fails": f"{_C}_ensure_client_"
        "assertion_signature_algorithm_is_rs256_fails"
        for where in ("backchannel-authorization", "token-endpoint")
    },
    **{
        f"ping-{name}": f"{_C}_ping_backchannel_notification_endpoint_response"
        for name in (
            "backchannel-notification-endpoint-response-has-body", "backchannel-notification-endpoint-response-401",
            "backchannel-notification-endpoint-response-403",
            "with-mtls-ciba-notification-endpoint-response-401-and-require-server-does-not-retry",
            "backchannel-notification-endpoint-return-redirect-request",
        )
    },
}  # fmt: skip
"""Section 2.10, profile plain_fapi, without `fapi-ciba-id1-`: each for both ways to authenticate and both modes."""

_S, _G = "../fapi2/test_security_profile.py::test_", "../fapi2/test_message_signing.py::test_"
_GOOD = _S + "ensure_requests_that_are_good_succeed"
_ASSERTED = _S + "ensure_client_assertion_is_there_and_good"

FAPI2: dict[str, str] = {
    **{
        name: f"{_S}{name.replace('-', '_')}"
        for name in (
            "discovery-end-point-verification", "happy-flow", "user-rejects-authentication",
            "test-claims-parameter-identity-claims", "access-token-type-header-case-sensitivity",
            "check-dpop-proof-nbf-exp", "ensure-mismatched-dpop-jkt-fails",
            "ensure-redirect-uri-in-authorization-request",
            "ensure-unsigned-authorization-request-without-using-par-fails", "ensure-holder-of-key-required",
            "attempt-reuse-authorization-code-after-one-second", "ensure-token-endpoint-fails-with-expired-auth-code",
            "refresh-token", "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
            "par-attempt-invalid-http-method", "par-without-duplicate-parameters",
        )
    },
    "ensure-authorization-request-without-state-success": _GOOD,
    "ensure-authorization-request-without-nonce-success": _GOOD,
    "ensure-authorization-request-with-64-char-nonce-success": _GOOD,
    "ensure-authorization-request-with-long-nonce": _GOOD,
    "ensure-authorization-request-with-long-state": _GOOD,
    "ensure-other-scope-order-succeeds": _GOOD,
    **{
        f"ensure-dpopproof-with-iat-10seconds-{name}-succeeds": _S
        + "ensure_dpopproof_with_iat_10seconds_before_and_after_succeeds"
        for name in ("before", "after")
    },
    **{
        f"ensure-token-endpoint-fails-with-mismatched-{name}": _S
        + "ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt_and_dpop_jkt"
        for name in ("dpop-proof-jkt", "dpop-jkt")
    },
    **dict.fromkeys(
        ("ensure-dpopproof-at-par-endpoint-binding-success", "ensure-dpop-auth-code-binding-success"),
        _S + "ensure_dpopproof_at_par_endpoint_binding_and_dpop_auth_code_binding_success",
    ),
    **dict.fromkeys(
        (
            "ensure-different-nonce-inside-and-outside-request-object",
            "ensure-different-state-inside-and-outside-request-object", "state-only-outside-request-object-not-used",
        ),
        _S + "state_only_outside_request_object_not_used_and_what_differs_outside_is_ignored",
    ),
    "ensure-request-object-without-redirect-uri-fails": _G + "ensure_request_object_without_redirect_uri_fails",
    "plain-fapi-tolerate-unregistered-redirect-uri": _S + "ensure_redirect_uri_in_authorization_request",
    **{
        f"ensure-response-type-{name}-fails": _S + "ensure_response_type_code_idtoken_and_token_fails"
        for name in ("code-idtoken", "token")
    },
    **dict.fromkeys(
        ("ensure-client-id-in-token-endpoint", "ensure-authorization-code-is-bound-to-client"),
        _S + "ensure_client_id_in_token_endpoint_and_code_is_bound_to_client",
    ),
    "ensure-signed-client-assertion-with-RS256-fails": _S + "ensure_signed_client_assertion_with_rs256_fails",
    **dict.fromkeys(
        (
            "ensure-client-assertion-in-token-endpoint", "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails",
            "ensure-client-assertion-with-wrong-aud-fails", "ensure-client-assertion-with-no-sub-fails",
            "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
            "par-test-array-as-audience-fails", "par-test-par-endpoint-url-as-audience-fails",
            "par-test-token-endpoint-url-as-audience-fails",
        ),
        _ASSERTED,
    ),
    "dpop-negative-tests": "../fapi2/test_dpop_negative.py::test_dpop_negative_tests",
    **dict.fromkeys(
        ("par-ensure-reused-request-uri-prior-to-auth-completion-succeeds", "par-attempt-reuse-request_uri",),
        _S + "par_ensure_reused_request_uri_prior_to_auth_completion_succeeds_and_attempt_reuse",
    ),
    **{
        name: f"{_S}{name.replace('-', '_')}"
        for name in (
            "par-attempt-to-use-expired-request_uri", "par-attempt-to-use-request_uri-for-different-client",
            "par-authorization-request-containing-request_uri-form-param",
        )
    },
    **dict.fromkeys(
        ("par-ensure-pkce-required", "par-plain-pkce-rejected"),
        _S + "par_ensure_pkce_required_and_plain_pkce_rejected",
    ),
    **dict.fromkeys(
        ("ensure-pkce-code-verifier-required", "incorrect-pkce-code-verifier-rejected"),
        _S + "ensure_pkce_code_verifier_required_and_incorrect_rejected",
    ),
}  # fmt: skip
"""Section 2.8, profile plain_fapi, without `fapi2-security-profile-final-`; mTLS: `../fapi2/test_mutual_tls.py`."""

_FAIL = _G + "request_objects_that_fail"
_SIGNATURE = _G + "ensure_request_object_with_invalid_signature_fails_and_matching_key"

FAPI2_SIGNING: dict[str, str] = {
    "ensure-request-object-with-multiple-aud-succeeds": _G + "ensure_request_object_with_multiple_aud_succeeds",
    "ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted": _G
    + "ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted",
    **dict.fromkeys(
        (
            "ensure-request-object-without-exp-fails", "ensure-request-object-without-nbf-fails",
            "ensure-expired-request-object-fails", "ensure-request-object-with-bad-aud-fails",
            "ensure-request-object-with-exp-over-60-fails", "ensure-request-object-with-nbf-over-60-fails",
        ),
        _FAIL,
    ),
    "ensure-signed-request-object-with-RS256-fails": _G + "ensure_signed_request_object_with_rs256_fails",
    "ensure-request-object-signature-algorithm-is-not-none": _G
    + "ensure_request_object_signature_algorithm_is_not_none",
    "ensure-request-object-with-invalid-signature-fails": _SIGNATURE,
    "ensure-matching-key-in-authorization-request": _SIGNATURE,
    "ensure-unsigned-request-at-par-endpoint-fails": _G + "ensure_unsigned_request_at_par_endpoint_fails",
    "par-authorization-request-containing-request_uri": _G
    + "par_authorization_request_containing_request_uri_in_the_object",
}  # fmt: skip
"""Section 2.9: the modules of Message Signing beyond those of the Security Profile."""

PLAYED = {
    "basic": "basic/test_basic.py", "implicit": "implicit/test_implicit.py", "hybrid": "hybrid/test_hybrid.py",
    "formpost": "form_post/test_form_post.py", "over TLS": "over_tls/test_plans_over_tls.py",
}  # fmt: skip
"""The plans that play COMMON, each with its classes of response types."""

OVER_TLS = {
    "Basic": "TestBasicOverTls", "Implicit": "TestImplicitOverTls", "Hybrid": "TestHybridOverTls",
    "Form Post": "TestFormPostOverTls", "Config": "TestConfigOverTls", "Dynamic": "TestDynamicOverTls",
    "3rd-party-initiated login": "TestThirdPartyOverTls", "RP-initiated logout": "TestRpInitiatedOverTls",
    "Session management": "TestSessionOverTls", "Front-channel logout": "TestFrontChannelOverTls",
    "Back-channel logout": "TestBackChannelOverTls",
}  # fmt: skip
"""Each plan as docs/specs.md names it, and the class that plays a round of it against `idp up --tls`."""
