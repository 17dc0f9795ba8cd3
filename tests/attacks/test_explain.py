"""Every refusal can be explained by its id: outside a tenant's gate, before it is read, and by the right rule."""

import base64
from typing import Any

import pytest

from idp import journal
from idp.control import record
from idp.store.durable.refusals import Refused
from idp.store.ephemeral import outside
from idp.tenants import Tenant


def told(answer: Any) -> dict[str, Any]:
    """The one refusal of an answer."""
    journal.flush()
    found = record.refusals(answer.headers["X-Request-Id"])
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("method", "path", "headers", "rule", "tenant"),
    [
        ("GET", "/t/nobody/jwks.json", {}, "address.known", None),
        ("GET", "/t/acme/nothing", {}, "address.known", "acme"),
        ("GET", "/t/acme/token", {}, "request.method", "acme"),
        ("GET", "/t/acme/authorize?state=" + "x" * 9_000, {}, "request.target", "acme"),
        ("GET", "/livez", {"X-Large": "x" * 17_000}, "request.headers", None),
    ],
)
def test_what_no_gate_let_in_is_explained(
    app: Any, acme: Tenant, method: str, path: str, headers: dict[str, str], rule: str, tenant: str | None
) -> None:
    found = told(app.test_client().open(path, method=method, headers=headers))
    assert (found["rule"], found["tenant"]) == (rule, tenant)
    assert found["expected"]


@pytest.mark.parametrize(
    ("name", "secret", "rule"),
    [("web", "wrong", "client_auth.secret"), ("nobody", "wrong", "client_auth.client")],
)
def test_a_wrong_secret_and_an_unknown_client_differ_inside_alone(
    app: Any, acme: Tenant, name: str, secret: str, rule: str
) -> None:
    pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    found = told(
        app.test_client().post("/t/acme/token", data=form, headers={"Authorization": f"Basic {pair}"})
    )
    assert found["rule"] == rule and found["expected"] and found["got"] and secret not in str(found["got"])
    assert found["path"] == "/t/{slug}/token"


def test_a_body_that_is_too_large_is_explained(app: Any, acme: Tenant) -> None:
    found = told(app.test_client().post("/t/acme/token", data=b"x" * 70_000))
    assert (found["rule"], found["got"], found["tenant"]) == ("request.body", "70000", "acme")


@pytest.mark.parametrize(
    "path", ["userinfo", "authorize?a=%zz", "authorize?a=%ff", "authorize?a=1&a=2", "logout?id_token_hint=x"]
)
def test_the_rule_says_what_it_expected(app: Any, acme: Tenant, path: str) -> None:
    found = told(app.test_client().get(f"/t/acme/{path}"))
    assert found["expected"] and found["got"]


def test_what_strangers_cause_is_bounded(vault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from idp import clock, ids

    monkeypatch.setattr(outside, "MOST", 3)
    rows = [Refused(ids.uuid7(), f"r{n}", clock.now(), "x", "y", None, None, None, "") for n in range(5)]
    outside.keep(rows)
    found = [bool(outside.find(f"r{n}", clock.from_instant(0))) for n in range(5)]
    assert found == [False, False, True, True, True]
