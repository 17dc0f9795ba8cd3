"""Forged tokens: none is taken, the corpus is large and holds no token twice, and a lax verifier is noticed."""

import json

import pytest

from idp.prove import forgeries
from idp.prove.forge import Genuine, Strangers, signer
from idp.prove.promises import Promise, Tally, Unexpected
from idp.prove.service import parts, unb64
from idp.prove.target import Canary, Target
from idp.prove.visitor import assertion


@pytest.mark.slow
@pytest.mark.parametrize("promise", forgeries.PROMISES, ids=lambda each: each.code)
def test_no_forged_token_is_taken(target: Target, promise: Promise) -> None:
    tally = Tally()
    promise.probe(target, tally)
    assert tally.found == []
    endpoints = 1 if promise.code == "tokens_request_object" else 3
    assert tally.tried > endpoints * forgeries.LEAST


def _canary(letter: str) -> Canary:
    issuer = f"http://localhost/t/canary-0123abcd-{letter}"
    key = Strangers().keys["ES256"].as_dict(private=True)
    return Canary(
        f"canary-0123abcd-{letter}", f"id-{letter}", issuer, {}, {}, {"signer": {**key, "kid": "canary-key"}}
    )


@pytest.fixture(scope="module")
def base() -> Genuine:
    """An assertion of a canary's client."""
    a, b = _canary("a"), _canary("b")
    key = a.keys["signer"]
    others = {"the other's": assertion("signer", a.issuer, b.keys["signer"])}
    public = {name: value for name, value in key.items() if name != "d"}
    return Genuine(
        "private_key_jwt",
        assertion("signer", a.issuer, key),
        public,
        a,
        b,
        others,
        Strangers(),
        (),
        signer(key),
    )


def test_the_corpus_is_large_and_no_token_is_in_it_twice(base: Genuine) -> None:
    found = list(forgeries.corpus(base))
    assert len(found) >= forgeries.LEAST
    assert len({token for _, token in found}) == len(found) and base.token not in {
        token for _, token in found
    }


def _decodes(token: str) -> bool:
    """A verifier that reads a token and never looks at its signature."""
    try:
        header, claims, _, _ = parts(token)
    except (Unexpected, UnicodeError, RecursionError):
        return False
    return header.get("alg") == "ES256" and claims.get("iss") == "signer"


def test_who_only_decodes_takes_many_of_them(base: Genuine) -> None:
    assert sum(_decodes(token) for _, token in forgeries.corpus(base)) > 100


def test_forgeries_are_what_they_say(base: Genuine) -> None:
    known = dict(forgeries.corpus(base))
    assert parts(known["iss None, signed by the client"])[1]["iss"] is None
    head, _, end = known["alg 'none', nothing"].split(".")
    assert json.loads(unb64(head))["alg"] == "none" and end == ""
