"""Attacks from outside: they hold on the product, they are no blanks, and what nobody thought of breaks them."""

from dataclasses import replace

import pytest

from idp.prove import likeness, outside
from idp.prove.likeness import unlike, unlike_at_rest
from idp.prove.promises import Promise, Tally
from idp.prove.target import Route, Target
from idp.prove.wire import Answer

pytestmark = pytest.mark.slow


def _tried(promise: Promise, target: Target) -> Tally:
    tally = Tally()
    promise.probe(target, tally)
    return tally


@pytest.mark.parametrize("promise", outside.PROMISES, ids=lambda each: each.code)
def test_no_credential_reaches_another_tenant(target: Target, promise: Promise) -> None:
    tally = _tried(promise, target)
    assert tally.found == []
    least = {"outside_credentials": 1500, "outside_addresses": 800, "outside_real": 30}
    assert tally.tried >= least.get(promise.code, 10)


@pytest.mark.parametrize(("route", "said"), [
    (Route("/t/{slug}/grow", ("POST",), "tenant", ("charm",), "none", "x"), "kind charm cannot be obtained"),
    (Route("/t/{slug}/x/{thing}", ("GET",), "tenant", (), "none", "x"), "what stands for thing"),
    (Route("/t/{slug}/page", ("POST",), "tenant", ("csrf",), "none", "x"), "no page is known whose form goes there"),
])  # fmt: skip
def test_what_a_new_route_brings_is_tried_or_breaks_the_promise(
    target: Target, route: Route, said: str
) -> None:
    found = _tried(outside.PROMISES[0], replace(target, routes=(route,))).found
    assert len(found) == 1 and said in found[0]


def test_a_blank_is_noticed(target: Target) -> None:
    route = Route("/t/{slug}/nothing", ("GET",), "tenant", ("access_token",), "none", "x")
    real = next(each for each in outside.PROMISES if each.code == "outside_real")
    assert "takes no access_token" in _tried(real, replace(target, routes=(route,))).found[0]


def _answer(body: str, status: int = 404, **headers: str) -> Answer:
    return Answer("http://localhost/x", status, tuple(headers.items()), body.encode())


def test_two_answers_are_alike_but_for_what_differs_anyway() -> None:
    numbers = iter(range(100))

    def said(text: str, status: int = 404, **headers: str) -> Answer:
        return _answer(f"{text} nonce-{next(numbers)}", status, **headers)

    assert unlike(lambda: said("no"), lambda: said("no"), (), ()) is None
    assert unlike(lambda: said("no mine-1"), lambda: said("no mine-2"), ("mine-1",), ("mine-2",)) is None
    assert unlike(lambda: said("a&amp;b=12345"), lambda: said("x"), ("a&b=12345",), ("x",)) is not None
    ends = (f"x=; Expires=Wed, 26 May 2027 14:15:{at} GMT" for at in range(10, 20))

    def until() -> Answer:
        return said("no", **{"Set-Cookie": next(ends)})

    assert unlike(until, until, (), ()) is None
    for different in (said("yes"), said("no", 403), said("no", Extra="1"), said("no no"), said("")):
        assert unlike(lambda answer=different: answer, lambda: said("no"), (), ()) is not None


def test_a_page_that_grows_meanwhile_is_compared_once_it_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "PAUSE", 0.0)
    grown = iter(["one", "one", "two", "two", "two", "two"])

    def grows() -> Answer:
        return _answer(f"messages {next(grown, 'three')}")

    assert unlike_at_rest(grows, grows, (), ()) is None


def test_a_page_at_rest_that_differs_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(likeness, "PAUSE", 0.0)

    def foreign() -> Answer:
        asked.append(1)
        return _answer("theirs")

    assert unlike_at_rest(foreign, lambda: _answer("nobodys"), (), ()) is not None
    assert len(asked) == 1
    turns = iter(range(1000))
    assert unlike_at_rest(foreign, lambda: _answer("x " * next(turns)), (), ()) is not None
    assert len(asked) == 1 + likeness.SETTLES
