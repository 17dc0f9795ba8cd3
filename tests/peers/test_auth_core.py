"""@auth/core (Auth.js) with the very files that `idp client create --for authjs` prints."""

from typing import Any

from idp.control import integrations
from idp.tenants import Tenant, entered
from tests.peers.person import Person

URL = "http://localhost:3000"


def test_people_sign_in_with_the_configuration_as_it_is_printed(
    node: Any, issuer: str, tenant: Tenant, person: Person
) -> None:
    with entered(tenant):
        made = integrations.create("authjs", URL)
    files = {each.name: each.text.replace(tenant.issuer, issuer) for each in made.configuration}
    told = node("auth-core").run(person, scenario="whole", env=files["auth.env"], file=files["auth.ts"])
    assert told["thrown"] == []
    assert told["back"].startswith(f"{URL}/api/auth/callback/idp?")
    assert told["landed"] == URL
    assert told["session"]["user"] == {"name": "Alice Adams", "email": "alice@example.com"}
    assert person.seen == ["login"]
