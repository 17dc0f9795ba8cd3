"""What a token is bound to, and whom a bound grant goes on for."""

from dataclasses import replace

import pytest

from idp import clock
from idp.errors import InvalidGrant, InvalidRequest
from idp.ids import uuid7
from idp.oauth import binding
from idp.oauth.binding import Binding
from idp.store.durable.clients import Client
from idp.tenants import Tenant, entered

ONE, OTHER = Binding("jkt", "a" * 43), Binding("jkt", "b" * 43)


def client(method: str, **metadata: object) -> Client:
    made = {"token_endpoint_auth_method": method, **metadata}
    return Client(uuid7(), "c", made, {}, "active", clock.now(), clock.now())


PUBLIC, CONFIDENTIAL = client("none"), client("private_key_jwt")


@pytest.mark.parametrize("who", [PUBLIC, CONFIDENTIAL])
@pytest.mark.parametrize("shown", [None, ONE])
def test_what_is_bound_to_nothing_goes_on_with_anything(who: Client, shown: Binding | None) -> None:
    binding.kept(who, None, shown)


def test_rt03_dp09_a_public_client_has_its_key_and_no_other() -> None:
    binding.kept(PUBLIC, ONE.cnf, ONE)
    for shown in (None, OTHER):
        with pytest.raises(InvalidGrant):
            binding.kept(PUBLIC, ONE.cnf, shown)


def test_a_client_that_authenticates_may_have_a_new_key_and_never_none() -> None:
    for shown in (ONE, OTHER):
        binding.kept(CONFIDENTIAL, ONE.cnf, shown)
    with pytest.raises(InvalidGrant):
        binding.kept(CONFIDENTIAL, ONE.cnf, None)


@pytest.mark.parametrize("cnf", [{}, {"kid": "x"}, {"jkt": 1}, {"jkt": "a", "kid": "b"}, [], "jkt"])
@pytest.mark.parametrize("who", [PUBLIC, CONFIDENTIAL])
def test_a_grant_that_is_bound_to_what_nobody_knows_goes_on_for_nobody(who: Client, cnf: object) -> None:
    assert binding.of(cnf) is None
    for shown in (None, ONE):
        with pytest.raises(InvalidGrant):
            binding.kept(who, cnf, shown)


def test_who_wants_bound_tokens_gets_no_others() -> None:
    wants = client("private_key_jwt", dpop_bound_access_tokens=True)
    fapi = replace(CONFIDENTIAL, settings={"profile": "fapi2"})
    with entered(Tenant(uuid7(), "acme", "Acme", "active", "https://id.test")):
        for one in (wants, fapi):
            binding.asked_for(one, ONE)
            with pytest.raises(InvalidRequest):
                binding.asked_for(one, None)
        binding.asked_for(CONFIDENTIAL, None)


def test_a_binding_is_read_as_it_was_written() -> None:
    assert binding.of(ONE.cnf) == ONE and ONE.token_type == "DPoP"
