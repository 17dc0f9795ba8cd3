"""F27: the DNS fails. What needs it fails with a word for operators; everything else goes on."""

import socket
from typing import Any

import pytest

from idp import outbound
from idp.tenants import Tenant, entered
from tests.playing import relying_party


def test_f27_without_a_dns_people_sign_in_and_only_what_is_outside_fails(
    app: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def fails(host: Any, *given: Any, **named: Any) -> Any:
        if host in ("127.0.0.1", "localhost"):  # the servers of ours have addresses, not names
            return real(host, *given, **named)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    rp = relying_party(app, acme)
    tokens = rp.sign_in()
    assert rp.userinfo(tokens["access_token"]).status_code == 200
    assert rp.refresh(tokens["refresh_token"]).status_code == 200
    with entered(acme), pytest.raises(outbound.NotSent, match="no address"):
        outbound.get("https://app.example.com/keys", ("application/json",), 100)
