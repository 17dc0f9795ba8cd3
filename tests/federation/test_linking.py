"""The accounts elsewhere that open one's own: linked by a form and a fresh sign-in, and unlinked but the last."""

import re
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from idp import audit
from idp.control import help_desk, upstreams, users
from idp.store.durable import identities
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once, events
from tests.federating import Provider, provider, query
from tests.federation.test_answers_of_an_upstream import leave, op, refused, trust
from tests.playing import Visit, inputs, relying_party
from tests.visiting import Person, at_account

__all__ = ["op"]

PATH = "account/identities"


def asked(person: Person, name: str = "corp") -> dict[str, str]:
    """What the upstream is asked when the person presses the button that links."""
    posted = person.browser.post(
        f"/t/{person.tenant.slug}/{PATH}", data={**inputs(person.html), "action": f"link:{name}"}
    )
    assert posted.status_code == 303, posted.get_data(as_text=True)[:500]
    return query(posted.headers["Location"])


def said(op: Provider, wanted: dict[str, str], subject: str = "s-1", **changes: Any) -> None:
    """Let the provider speak of somebody."""
    now = int(time.time())
    op.claims = {
        "iss": op.issuer, "sub": subject, "aud": wanted["client_id"], "nonce": wanted["nonce"], "iat": now,
        "exp": now + 300, "email": "zoe@corp.example", "email_verified": True, **changes,
    }  # fmt: skip


def back(person: Person, op: Provider, state: str, browser: Any = None) -> Person:
    """Come back from the provider."""
    given = urlencode({"code": "c", "state": state, "iss": op.issuer})
    person.answer = (browser or person.browser).get(f"/t/{person.tenant.slug}/upstream/corp/callback?{given}")
    return person._follow()


def mine(tenant: Tenant, username: str = "alice") -> list[str]:
    """The subjects that are linked with a person."""
    with entered(tenant):
        return [each.subject for each in identities.of_user(users.show(username).id)]


def linked(app: Any, tenant: Tenant, op: Provider, username: str = "alice", subject: str = "s-1") -> Person:
    """A person who has linked an identity."""
    person = at_account(app, tenant, username, PATH)
    wanted = asked(person)
    said(op, wanted, subject)
    return back(person, op, wanted["state"])


def test_an_identity_is_linked_and_then_signs_in(app: Any, acme: Tenant, op: Provider, database: Any) -> None:
    trust(acme, op, creation=False)
    person = at_account(app, acme, "alice", "account/security")
    assert "Linked accounts" in person.html
    person.open(PATH)
    wanted = asked(person)
    assert wanted["prompt"] == "select_account"
    said(op, wanted)
    person = back(person, op, wanted["state"])
    assert person.at == PATH and "Corp opens your account from now on." in person.html
    assert "zoe@corp.example" in person.html and mine(acme) == ["s-1"]
    assert events(database, acme, "identity.linked") == 1
    assert database("SELECT count(*) FROM outbox WHERE topic LIKE 'mail%%'")[0][0] == 1, "nobody is told"
    way = leave(app, acme, op)
    op.claims = way.claims()
    sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
    with entered(acme):
        assert sub == str(users.show("alice").id)
        assert users.show("alice").email == "alice@example.com", "an address came along with the link"
    assert "linked with yours" in person.open("account/history").html


def test_pw11_what_comes_back_counts_for_who_left_once(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op, creation=False)
    alice, bob = at_account(app, acme, "alice", PATH), at_account(app, acme, "bob", PATH)
    wanted = asked(alice)
    said(op, wanted)
    # The attacker's answer in the victim's browser, and the other way round.
    refused(Visit(relying_party(app, acme), bob.browser, back(bob, op, wanted["state"]).answer))
    nobody = Person(app, acme, app.test_client())
    refused(Visit(relying_party(app, acme), nobody.browser, back(nobody, op, wanted["state"]).answer))
    assert mine(acme) == mine(acme, "bob") == []
    assert back(alice, op, wanted["state"]).at == PATH and mine(acme) == ["s-1"]
    refused(Visit(relying_party(app, acme), alice.browser, back(alice, op, wanted["state"]).answer))
    with entered(acme):
        (kept,) = identities.of_user(users.show("alice").id)
    alice.open(PATH).submit(action=f"unlink:{kept.id}")
    assert mine(acme) == []
    refused(Visit(relying_party(app, acme), alice.browser, back(alice, op, wanted["state"]).answer))
    assert mine(acme) == [], "a proof of before links again what was unlinked"


def test_a_session_that_ended_on_the_way_links_nothing(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    person = at_account(app, acme, "alice", PATH)
    wanted = asked(person)
    with entered(acme):
        users.sign_out("alice")
    said(op, wanted)
    back(person, op, wanted["state"])
    assert 'data-kind="failed"' in person.html and mine(acme) == []


def test_who_signed_in_again_as_somebody_else_links_nothing(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    person = at_account(app, acme, "alice", PATH)
    wanted = asked(person)
    rp = relying_party(app, acme)
    assert rp.authorize(person.browser, prompt="login").login("bob").code
    said(op, wanted)
    back(person, op, wanted["state"])
    assert 'data-kind="failed"' in person.html and mine(acme) == mine(acme, "bob") == []


def test_an_identity_of_another_person_stays_theirs(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    linked(app, acme, op, "bob")
    person = linked(app, acme, op, "alice")
    assert person.answer.status_code == 409 and 'data-kind="linked"' in person.html
    assert f"/t/acme/{PATH}" in person.html
    assert mine(acme, "bob") == ["s-1"] and mine(acme) == []


def test_a_link_needs_the_form_and_a_fresh_sign_in(app: Any, acme: Tenant, op: Provider, frozen: Any) -> None:
    trust(acme, op)
    with frozen() as clock:
        person = at_account(app, acme, "alice", PATH)
        form = inputs(person.html)
        for wrong in ({}, {"csrf": "x"}):
            posted = person.browser.post(f"/t/acme/{PATH}", data={**wrong, "action": "link:corp"})
            assert posted.status_code == 403 and op.issuer not in posted.headers.get("Location", "")
        foreign = person.browser.post(
            f"/t/acme/{PATH}",
            data={**form, "action": "link:corp"},
            headers={"Origin": "https://evil.example"},
        )
        assert foreign.status_code == 403
        assert person.browser.get(f"/t/acme/{PATH}?action=link:corp").status_code == 200
        clock.tick(301)
        late = person.browser.post(f"/t/acme/{PATH}", data={**form, "action": "link:corp"})
        assert "/interaction/login" in late.headers["Location"], "a sign-in of long ago is fresh"


@pytest.mark.parametrize("action", ["", "link", "link:", "link:nobody", "link:../x", "unlink", "unlink:", "unlink:x",
                                    "unlink:00000000-0000-0000-0000-000000000000", "delete:all"])  # fmt: skip
def test_buttons_that_are_none(app: Any, acme: Tenant, op: Provider, action: str) -> None:
    trust(acme, op)
    person = linked(app, acme, op)
    status = person.submit(action=action).answer.status_code
    assert status in (200, 404) and mine(acme) == ["s-1"]


def test_nobody_takes_anothers_identity_away(app: Any, twins: tuple[Tenant, Tenant], op: Provider) -> None:
    acme, globex = twins
    for tenant in twins:
        trust(tenant, op)
    linked(app, acme, op)
    with entered(acme):
        (kept,) = identities.of_user(users.show("alice").id)
    for tenant, username in ((acme, "bob"), (globex, "alice")):
        person = at_account(app, tenant, username, PATH).submit(action=f"unlink:{kept.id}")
        assert "was not linked any more" in person.html
    assert mine(acme) == ["s-1"]


def alone(app: Any, acme: Tenant, op: Provider, *others: Provider) -> tuple[Person, str]:
    """Somebody who was made by an upstream and has no password, with one identity of each provider."""
    way = leave(app, acme, op)
    op.claims = way.claims()
    sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
    person = Person(app, acme, way.browser).open(PATH)
    for number, other in enumerate(others):
        wanted = asked(person, f"other{number}")
        said(other, wanted)
        given = urlencode({"code": "c", "state": wanted["state"], "iss": other.issuer})
        person.answer = person.browser.get(f"/t/acme/upstream/other{number}/callback?{given}")
        person._follow()
    return person, sub


def test_the_last_way_in_stays(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    person, sub = alone(app, acme, op)
    (button,) = re.findall(r'value="(unlink:[^"]+)"', person.html)
    person.submit(action=button)
    assert person.answer.status_code == 409 and "your only way to sign in" in person.html
    assert mine(acme, sub) == ["s-1"]
    with entered(acme):
        assert not [each for each in help_desk.why(sub, audit.SYSTEM)["reasons"] if each["stops"]]
        users.update(sub, {"password": "a way in of their own"})
    person = Person(app, acme).open(PATH).sign_in("zoe@corp.example", "a way in of their own")
    person.submit(action=button)
    assert "does not open your account any more" in person.html and mine(acme, sub) == []


def test_one_that_is_switched_off_is_no_way_in(app: Any, acme: Tenant, op: Provider) -> None:
    with provider() as other:
        trust(acme, op)
        trust(acme, other, "other0")
        person, sub = alone(app, acme, op, other)
        with entered(acme):
            upstreams.update("other0", {"status": "suspended"})
        person = Person(app, acme)
        way = leave(app, acme, op)
        op.claims = way.claims()
        assert way.back().code
        person = Person(app, acme, way.browser).open(PATH)
        assert "Switched off" in person.html
        first = re.findall(r'value="(unlink:[^"]+)"', person.html)[0]
        assert person.submit(action=first).answer.status_code == 409
        assert len(mine(acme, sub)) == 2


def test_rc_of_two_taken_away_at_once_one_stays(app: Any, acme: Tenant, op: Provider) -> None:
    with provider() as other:
        trust(acme, op)
        trust(acme, other, "other0")
        person, sub = alone(app, acme, op, other)
        buttons = re.findall(r'value="(unlink:[^"]+)"', person.html)
        assert len(buttons) == 2
        form = inputs(person.html)
        cookies = [(each.key, each.value) for each in person.browser._cookies.values()]

        def press(number: int) -> int:
            browser = app.test_client()
            for name, value in cookies:
                browser.set_cookie(name, value)
            posted = browser.post(f"/t/acme/{PATH}", data={**form, "action": buttons[number % 2]})
            return int(posted.status_code)

        statuses = at_once(8, press)
        assert len(mine(acme, sub)) == 1, statuses
