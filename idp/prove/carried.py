"""How each kind of credential travels, and the request around it without which nobody would look at it.

`KINDS` is the table: a kind that a route declares and that stands not in it breaks the promise, so that whoever
adds a kind of credential says here how it is obtained.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace

from joserfc.jwk import ECKey

from idp.prove.authenticator import Passkey
from idp.prove.canaries import CALLBACK, CIBA, DEVICE, KEY_CLIENT
from idp.prove.carrying import Part as Part
from idp.prove.carrying import Place as Place
from idp.prove.carrying import Use as Use
from idp.prove.carrying import Uses as Uses
from idp.prove.visitor import (
    ASSERTION_TYPE,
    assertion,
    basic,
    dpop_proof,
    one_time_code,
    request_object,
)
from idp.prove.wallet import OPTIONS, Page, shuffled

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Of user codes (RFC 8628 §6.1)."""
AUTHENTICATION = frozenset({"client_id", "client_secret", "private_key_jwt"})


def _altered(values: Mapping[str, str]) -> dict[str, str]:
    return {name: shuffled(value) for name, value in values.items()}


def _cookie(place: Place) -> Iterator[Use]:
    own, page = place.renamed(place.own.cookies), place.victim.pages.get(place.path)
    rest = _request(place) | _before(page)
    yield Use("every cookie", Part(cookies=own), Part(cookies=_altered(own)), rest)
    for name, value in own.items():
        one = {name: value}
        yield Use(
            f"one cookie ({name.rpartition('_')[2]})", Part(cookies=one), Part(cookies=_altered(one)), rest
        )
    as_named = place.own.cookies
    yield Use("every cookie, as it is named", Part(cookies=as_named), Part(cookies=_altered(as_named)), rest)
    mine = place.own.pages.get(place.path)
    for name, shown in (("one's own page", mine), ("the other's page", page)):
        if shown is not None and shown.query:
            yield _paged(place, name, shown)


def _before(page: Page | None) -> Part:
    """A page of the victim's as it is before anybody has signed in, with its own way on pressed."""
    if page is None or page.once:
        return Part()
    return Part({**page.inputs, "action": "allow"}, page.query, {}, page.anonymous)


def _paged(place: Place, name: str, page: Page) -> Use:
    """A page that is open elsewhere, with the cookies of one's own browser."""
    nobodys = tuple((key, shuffled(value)) for key, value in page.query)
    cookies = place.renamed(page.cookies if page is place.own.pages.get(place.path) else place.own.cookies)
    here = Part({**page.inputs, "action": "allow"}, (), {}, cookies)
    return Use(f"the address of {name}", Part(query=page.query), Part(query=nobodys), here)


def _csrf(place: Place) -> Iterator[Use]:
    page, theirs = place.own.pages[place.path], place.victim.pages[place.path]
    hidden = {
        name: value
        for name, value in page.inputs.items()
        if page is theirs or theirs.inputs.get(name) != value
    }
    pressed = Part({"action": "confirm", "username": "alice"})
    rest = Part(theirs.inputs, theirs.query, {}, theirs.cookies) | pressed
    yield Use("in the other's page", Part(hidden), Part(_altered(hidden)), rest)
    bound = rest | Part(cookies=place.renamed(page.cookies))
    yield Use("with one's own browser", Part(hidden), Part(_altered(hidden)), bound)
    moved = bound | Part(query=page.query)
    yield Use("with one's own browser and page", Part(hidden), Part(_altered(hidden)), moved)


def _password(place: Place) -> Iterator[Use]:
    theirs = place.victim.pages[place.path]
    if "username" in theirs.inputs and place.path.startswith("/account/"):
        yield _confirmed(place, theirs)
        return
    rest = Part({**theirs.inputs, "action": "login"}, theirs.query, {}, theirs.cookies)
    password = place.own.canary.passwords["alice"]
    alice = Part({"username": "alice"})
    yield Use(
        "of a namesake", Part({"password": password}), Part({"password": shuffled(password)}), rest | alice
    )
    slug = place.own.canary.slug
    yield Use(
        "of somebody who is not here",
        Part({"username": slug, "password": password}),
        Part({"username": shuffled(slug), "password": password}),
        rest,
    )


def _confirmed(place: Place, theirs: Page) -> Use:
    """One's own password at the other's account, before a new one that nobody may have: nothing is changed."""
    password = place.own.canary.passwords["alice"]
    rest = Part({**theirs.inputs, "new_password": "short"}, theirs.query, {}, theirs.cookies)
    return Use(
        "of a namesake, signed in",
        Part({"current_password": password}),
        Part({"current_password": shuffled(password)}),
        rest,
    )


def _second_factor(place: Place) -> Iterator[Use]:
    """A code at the page that asks for it, and at the one on which an app is set up, where it proves the app."""
    theirs = place.victim.pages[place.path]
    code, beside = one_time_code(place.own.app), {"action": "keep"}
    if "way" in theirs.inputs:
        code, beside = place.own.recovery, {"action": "verify", "way": "recovery"}
    rest = Part({**theirs.inputs, **beside}, theirs.query, {}, theirs.cookies)
    yield Use("of a namesake", Part({"code": code}), Part({"code": shuffled(code)}), rest)


def _passkey(place: Place) -> Iterator[Use]:
    """A passkey that answers the other's page, in the name of its own person: browsers offer it to a whole host."""
    theirs = place.victim.pages[place.path]
    own, given = place.own.passkey, theirs.inputs.get(OPTIONS, "")
    rest = Part({**theirs.inputs, "action": "passkey"}, theirs.query, {}, theirs.cookies)
    if not given:
        return
    if place.path == "/interaction/enrol":
        fresh = Passkey(own.origin)
        good, bad = (
            fresh.create(given),
            fresh.create(place.own.pages[place.path].inputs[OPTIONS], type="none"),
        )
        if place.own is not place.victim:
            good = fresh.create(place.own.pages[place.path].inputs[OPTIONS])
    else:
        good, bad = own.get(given), replace(own, identifier=secrets.token_bytes(32)).get(given)
    yield Use("that was made elsewhere", Part({"passkey": good}), Part({"passkey": bad}), rest)


def _client_id(place: Place) -> Iterator[Use]:
    slug = place.own.canary.slug
    request = {**place.own.request, "redirect_uri": CALLBACK, "post_logout_redirect_uri": CALLBACK}
    rest = Part(request) if not place.takes("client_secret") else _asked(place)
    yield Use(
        "of a client that is not here", Part({"client_id": slug}), Part({"client_id": shuffled(slug)}), rest
    )


def _client_secret(place: Place) -> Iterator[Use]:
    own, rest = place.own.canary, _asked(place)
    for client_id in ("web", "reader", "post"):
        secret = own.secrets[client_id]
        yield Use(f"header of a namesake ({client_id})", Part(headers=basic(client_id, secret)),
                  Part(headers=basic(client_id, shuffled(secret))), rest)  # fmt: skip
    name, secret = own.slug, own.secrets[own.slug]
    yield Use("header of a client that is not here", Part(headers=basic(name, secret)),
              Part(headers=basic(shuffled(name), secret)), rest)  # fmt: skip
    posted = own.secrets["post"]
    yield Use("form of a namesake", Part({"client_id": "post", "client_secret": posted}),
              Part({"client_id": "post", "client_secret": shuffled(posted)}), rest)  # fmt: skip


def _private_key_jwt(place: Place) -> Iterator[Use]:
    own, victim = place.own.canary, place.victim.canary
    key = own.keys[KEY_CLIENT]
    other = {**ECKey.generate_key("P-256").as_dict(private=True), "kid": key["kid"]}
    rest = _asked(place) | Part({"client_assertion_type": ASSERTION_TYPE})
    for audience in (own.issuer, victim.issuer, f"{victim.issuer}/token"):
        where = audience.replace(own.slug, "own").replace(victim.slug, "other").rpartition("//")[2]
        foreign, absent = (assertion(KEY_CLIENT, audience, each) for each in (key, other))
        yield Use(
            f"for {where}", Part({"client_assertion": foreign}), Part({"client_assertion": absent}), rest
        )


def _request_object(place: Place) -> Iterator[Use]:
    own, victim = place.own.canary, place.victim.canary
    key = own.keys[KEY_CLIENT]
    other = {**ECKey.generate_key("P-256").as_dict(private=True), "kid": key["kid"]}
    rest = Part({"client_id": KEY_CLIENT}, cookies=place.victim.cookies)
    for who, audience in (("own", own.issuer), ("other", victim.issuer)):
        foreign, absent = (
            request_object(KEY_CLIENT, audience, each, place.victim.request) for each in (key, other)
        )
        yield Use(f"for {who}", Part({"request": foreign}), Part({"request": absent}), rest)


def _par_uri(place: Place) -> Iterator[Use]:
    name, other = place.own.pushed, shuffled(place.own.pushed)
    rest = Part({"client_id": "web"}, cookies=place.victim.cookies)
    yield Use("of a namesake", Part({"request_uri": name}), Part({"request_uri": other}), rest)
    beside = rest | Part(place.victim.request)
    yield Use("beside a request", Part({"request_uri": name}), Part({"request_uri": other}), beside)


def _upstream_state(place: Place) -> Iterator[Use]:
    page = place.own.pages[place.path]
    state = dict(page.query)["state"]
    came = Part(query=tuple(each for each in page.query if each[0] != "state"))
    absent = Part(query=(("state", shuffled(state)),))
    for who, cookies in (("the browser that left", page.cookies), ("any browser", {})):
        rest = came | Part(cookies=place.renamed(cookies))
        yield Use(f"in {who}", Part(query=(("state", state),)), absent, rest)


def _access_token(place: Place) -> Iterator[Use]:
    token = place.own.tokens["access_token"]
    absent = shuffled(token)
    yield Use("header", Part(headers={"Authorization": f"Bearer {token}"}),
              Part(headers={"Authorization": f"Bearer {absent}"}))  # fmt: skip
    for name in ("access_token", "token"):
        for who, rest in _clients(place):
            yield Use(f"form {name}{who}", Part({name: token}), Part({name: absent}), rest)


def _bound_token(place: Place) -> Iterator[Use]:
    token, address = place.own.bound, place.victim.canary.issuer + place.path
    absent = shuffled(token)
    for method in place.route.methods:
        foreign, nobodys = (
            Part(
                headers={
                    "Authorization": f"DPoP {each}",
                    "DPoP": dpop_proof(place.own.key, method, address, each),
                }
            )
            for each in (token, absent)
        )
        yield Use(f"header for {method}", foreign, nobodys)


def _refresh_token(place: Place) -> Iterator[Use]:
    token = place.own.tokens["refresh_token"]
    for name in ("refresh_token", "token"):
        for who, rest in _clients(place):
            asked = rest | Part({"grant_type": "refresh_token"})
            yield Use(f"form {name}{who}", Part({name: token}), Part({name: shuffled(token)}), asked)


def _code(place: Place) -> Iterator[Use]:
    code = place.own.code
    asked = {
        "grant_type": "authorization_code",
        "redirect_uri": CALLBACK,
        "code_verifier": place.own.verifier,
    }
    for who, rest in _clients(place):
        yield Use(f"form{who}", Part({"code": code}), Part({"code": shuffled(code)}), rest | Part(asked))


def _device_code(place: Place) -> Iterator[Use]:
    code = place.own.device["device_code"]
    for who, rest in _clients(place):
        asked = rest | Part({"grant_type": DEVICE})
        yield Use(f"form{who}", Part({"device_code": code}), Part({"device_code": shuffled(code)}), asked)


def _auth_req_id(place: Place) -> Iterator[Use]:
    if not place.takes("client_secret"):
        waiting = place.own.asking
        rest = Part({"action": "deny"})
        yield Use("form", Part({"auth_req_id": waiting}), Part({"auth_req_id": shuffled(waiting)}), rest)
        return
    handle = place.own.asked
    for who, rest in _clients(place):
        asked = rest | Part({"grant_type": CIBA})
        yield Use(f"form{who}", Part({"auth_req_id": handle}), Part({"auth_req_id": shuffled(handle)}), asked)


def _user_code(place: Place) -> Iterator[Use]:
    code, page = place.own.waiting["user_code"], place.victim.pages[place.path]
    absent = "".join(secrets.choice(LETTERS) if sign.isalpha() else sign for sign in code)
    rest = Part(page.inputs, page.query, {}, page.cookies)
    yield Use("typed", Part({"user_code": code}), Part({"user_code": absent}), rest)


def _id_token(place: Place) -> Iterator[Use]:
    token = place.own.tokens["id_token"]
    page = place.victim.pages.get(place.path)
    rest = _request(place) | _before(page)
    hint = Part({"id_token_hint": token}), Part({"id_token_hint": shuffled(token)})
    yield Use("hint to a stranger", *hint, rest)
    yield Use("hint to a signed-in browser", *hint, rest | Part(cookies=place.victim.cookies))


def _initial_access_token(place: Place) -> Iterator[Use]:
    token = place.own.canary.initial
    body = Part(headers={"Content-Type": "application/json"}, json={"redirect_uris": [CALLBACK]})
    yield Use("header", Part(headers={"Authorization": f"Bearer {token}"}),
              Part(headers={"Authorization": f"Bearer {shuffled(token)}"}), body)  # fmt: skip


def _registration_access_token(place: Place) -> Iterator[Use]:
    token = place.own.registered["registration_access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    absent = {"Authorization": f"Bearer {shuffled(token)}"}
    for who, wallet in (("", place.own), (" for a client of the other's", place.victim)):
        name = wallet.registered["client_id"]
        body = Part(
            query=(("client_id", name),),
            headers={"Content-Type": "application/json"},
            json={"client_id": name},
        )
        yield Use(f"header{who}", Part(headers=bearer), Part(headers=absent), body)


def _email_code(place: Place) -> Iterator[Use]:
    theirs, code = place.victim.pages[place.path], place.own.mailed["code"]
    absent = "".join(secrets.choice("0123456789") if sign.isdigit() else sign for sign in code)
    rest = Part({**theirs.inputs, "action": "verify"}, theirs.query, {}, theirs.cookies)
    yield Use("of a namesake", Part({"code": code}), Part({"code": absent}), rest)


def _link(place: Place) -> Iterator[Use]:
    sent = place.own.canary.links.get(place.path) or place.own.mailed["link"]
    token = sent.rpartition("=")[2]
    yield Use("in the address", Part(query=(("link", token),)), Part(query=(("link", shuffled(token)),)))


KINDS: dict[str, Uses] = {
    "cookie": _cookie, "csrf": _csrf, "password": _password, "second_factor": _second_factor, "passkey": _passkey,
    "client_id": _client_id,
    "client_secret": _client_secret, "private_key_jwt": _private_key_jwt, "access_token": _access_token,
    "bound_token": _bound_token,
    "refresh_token": _refresh_token, "code": _code, "id_token": _id_token,
    "request_object": _request_object, "par_uri": _par_uri, "initial_access_token": _initial_access_token,
    "registration_access_token": _registration_access_token, "device_code": _device_code,
    "user_code": _user_code, "link": _link, "upstream_state": _upstream_state,
    "auth_req_id": _auth_req_id, "email_code": _email_code,
}  # fmt: skip
"""Each kind of credential that a route can declare, and how it is obtained and presented."""


def everything(place: Place) -> Iterator[Use]:
    """All that a browser and a program would send anywhere: for routes that declare nothing."""
    token = place.own.tokens["access_token"]
    cookies = {**place.own.cookies, **place.renamed(place.own.cookies)}
    yield Use("everything", Part(headers={"Authorization": f"Bearer {token}"}, cookies=cookies),
              Part(headers={"Authorization": f"Bearer {shuffled(token)}"}, cookies=_altered(cookies)))  # fmt: skip


def _request(place: Place) -> Part:
    """An authorization request of the victim's client, where the route reads one."""
    wanted = place.takes("client_id") and not place.takes("client_secret")
    return Part(place.victim.request if wanted else {})


def _asked(place: Place) -> Part:
    """What a client asks that only has to authenticate."""
    if place.path == "/par":
        return Part({name: value for name, value in place.victim.request.items() if name != "client_id"})
    if place.path == "/device_authorization":
        return Part({"scope": "openid"})
    if place.path == "/bc-authorize":
        # One without a confirmed address: each of these would be a message, and a development shows messages to all.
        return Part({"scope": "openid", "login_hint": "bob"})
    token = place.victim.tokens["access_token"]
    return Part({"grant_type": "client_credentials"} if place.takes("code") else {"token": token})


def _clients(place: Place) -> Iterator[tuple[str, Part]]:
    """The victim's own good credentials beside a foreign token, each client in turn; none where none are taken."""
    if not place.takes("client_secret"):
        yield "", Part()
        return
    secrets = place.victim.canary.secrets
    yield " with the namesake", Part(headers=basic("web", secrets["web"]))
    yield " with a reader", Part(headers=basic("reader", secrets["reader"]))
    yield " with a public namesake", Part({"client_id": "spa"})
