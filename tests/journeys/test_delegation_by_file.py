"""What an operator's file says of grants beyond the browser: taken as it stands, and twice is once."""

from pathlib import Path
from typing import Any

import yaml

from idp import directory
from idp.audit import SYSTEM
from idp.control import blueprints
from idp.tenants import Tenant, entered

FILE: dict[str, Any] = {
    "tenants": [
        {
            "slug": "acme",
            "name": "Acme Corporation",
            "policy": {"assertion_issuers": ["https://id.corp.example https://id.corp.example/keys"]},
            "clients": [
                {
                    "client_id": "gateway",
                    "client_secret": "g" * 43,
                    "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"],
                    "token_exchange": {
                        "subject_clients": ["web"],
                        "audiences": ["https://payments.example.com"],
                    },
                },
                {
                    "client_id": "pod",
                    "grant_types": ["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
                    "token_endpoint_auth_method": "private_key_jwt",
                    "assertion_issuers": ["https://id.corp.example"],
                    "workload_identity": {
                        "issuer": "https://kubernetes.corp.example",
                        "subject": "system:serviceaccount:shop:orders",
                        "jwks_uri": "https://kubernetes.corp.example/openid/v1/jwks",
                    },
                },
                {
                    "client_id": "bank",
                    "client_secret": "b" * 43,
                    "grant_types": ["urn:openid:params:grant-type:ciba"],
                    "backchannel_token_delivery_mode": "ping",
                    "backchannel_client_notification_endpoint": "https://bank.example.com/ping",
                    "authorization_details_types": ["payment"],
                    "may_act": "gateway",
                },
            ],
            "apis": [
                {
                    "identifier": "https://payments.example.com",
                    "name": "Payments",
                    "scopes": {"pay": "Make payments for you"},
                    "authorization_details_types": {
                        "payment": {"name": "Payment", "schema": {"type": "object", "required": ["amount"]}}
                    },
                }
            ],
        }
    ]
}


def test_a_file_says_it_all_and_twice_is_once(acme: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(yaml.safe_dump(FILE), encoding="utf-8")
    blueprints.apply_files([path], SYSTEM)
    directory.forget_all()
    with entered(directory.resolve("acme") or acme):
        made = {name: directory.client(name) for name in ("gateway", "pod", "bank")}
        (api,) = (each for each in directory.apis() if each.name == "Payments")
    said = {each["client_id"]: each for each in FILE["tenants"][0]["clients"]}
    for name, client in made.items():
        assert client is not None
        for setting in ("token_exchange", "workload_identity", "assertion_issuers", "may_act"):
            if setting in said[name]:
                assert client.setting(setting) == said[name][setting]
    assert api.setting("authorization_details_types")["payment"]["name"] == "Payment"
    assert blueprints.apply_files([path], SYSTEM).changes == []
