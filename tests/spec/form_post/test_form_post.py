"""OAuth 2.0 Form Post Response Mode."""

import re
from typing import Any

import pytest

from idp.tenants import Tenant
from tests.playing import RelyingParty, Visit, inputs, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def posted(visit: Visit) -> dict[str, str]:
    """What the page posts to the client; nothing of it stands in an address."""
    assert (
        visit.answer.status_code == 200
        and visit.location == ""
        and visit.answer.headers["Cache-Control"] == "no-store"
        and visit.answer.headers["Referrer-Policy"] == "no-referrer"
    )
    form = re.search(r'<form[^>]*id="form-post-form"[^>]*>', visit.html)
    assert form and 'method="post"' in form[0] and f'action="{visit.rp.redirect_uri}"' in form[0]
    assert "<button" in visit.html  # and without JavaScript a person can go on
    return inputs(visit.html)


def test_2_a_code_arrives_by_post(rp: RelyingParty) -> None:
    got = posted(rp.authorize(response_mode="form_post", state="s" * 128).login("alice"))
    assert set(got) == {"code", "state", "iss"} and got["state"] == "s" * 128
    assert rp.redeem(got["code"]).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "none"},
        {"response_type": None},
        {"response_type": "x"},
        {"scope": "x"},
        {"claims": "x"},
        {"max_age": "x"},
        {"code_challenge": None},
        {"request": "x"},
        {"resource": "x"},
    ],
)
def test_2_errors_arrive_the_same_way(rp: RelyingParty, changes: dict[str, str | None]) -> None:
    got = posted(rp.authorize(response_mode="form_post", **changes))
    assert set(got) == {"error", "error_description", "state", "iss"} and got["state"] == rp.state


def test_2_a_denial_arrives_the_same_way(rp: RelyingParty) -> None:
    assert posted(rp.authorize(response_mode="form_post").submit(action="cancel"))["error"] == "access_denied"


def test_4_values_are_escaped_and_arrive_as_they_were(rp: RelyingParty) -> None:
    state = "\"><script>alert('x')</script>&amp;\u00e9"
    visit = rp.authorize(response_mode="form_post", prompt="none", state=state)
    assert posted(visit)["state"] == state and "<script>alert" not in visit.html


def test_4_the_policy_lets_the_form_go_to_the_client_alone(rp: RelyingParty) -> None:
    policy = rp.authorize(response_mode="form_post", prompt="none").answer.headers["Content-Security-Policy"]
    assert (
        "form-action 'self' http://localhost:8001" in policy
        and "'nonce-" in policy
        and "unsafe" not in policy
    )
