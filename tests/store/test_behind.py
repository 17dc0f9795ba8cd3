"""What stands behind a token, in one look: the very answers of the four questions, each tenant's own."""

import datetime as dt

import pytest

from idp import clock
from idp.accounts import sessions
from idp.control import clients, users
from idp.ids import uuid7
from idp.store.durable import behind, grants
from idp.store.durable import sessions as session_rows
from idp.store.durable import users as people
from idp.store.durable.behind import Behind
from idp.tenants import entered
from tests.store.test_grants import make

JTI = "u.token"
NOTHING = Behind(None, None, None, False)


@pytest.fixture
def both(acme, globex):
    """Alice of each tenant in a session, and a grant that ends with it, under one id."""
    made, shared = [], uuid7()
    for tenant in (acme, globex):
        with entered(tenant):
            alice = people.by_username("alice")
            session, _ = sessions.start(alice, ("pwd",), "127.0.0.1", "agent")
            grant = make(id=shared, session_id=session.id)
            assert grants.add(grant)
            made.append(grant)
    return made


def asked(grant_id):
    """The four questions, one by one."""
    grant = grants.by_id(grant_id)
    if grant is None:
        return NOTHING
    session = session_rows.live_by_id(grant.session_id) if grant.session_id else None
    return Behind(grant, people.by_id(grant.user_id), session, grants.token_revoked(JTI))


def test_it_is_what_each_question_answers_and_each_tenants_own(acme, globex, both):
    found = []
    for tenant, grant in zip((acme, globex), both, strict=True):
        with entered(tenant):
            looked = behind.of(grant.id, JTI)
            assert looked == asked(grant.id)
            assert looked.grant == grant and looked.user.id == grant.user_id and not looked.revoked
            assert looked.session.id == grant.session_id
            found.append(looked)
    assert found[0].user.id != found[1].user.id and found[0].session.id != found[1].session.id


@pytest.mark.parametrize(
    "what", ["token revoked", "grant revoked", "session ended", "user off", "password changed", "client off", "unknown"]
)  # fmt: skip
def test_whatever_has_happened_here_and_nothing_there(acme, globex, both, what):
    grant_id = both[0].id
    with entered(acme):
        if what == "token revoked":
            grants.revoke_token(JTI, clock.now() + dt.timedelta(hours=1))
        elif what == "grant revoked":
            grants.revoke(grant_id, "test")
        elif what == "session ended":
            sessions.end_all(people.by_username("alice"), "test")
        elif what == "user off":
            users.suspend("alice")
        elif what == "password changed":
            users.update("alice", {"password": "another one that nobody knows"})
        elif what == "client off":
            clients.suspend("web")
        else:
            grant_id = uuid7()
        looked = behind.of(grant_id, JTI)
        assert looked == asked(grant_id)
        assert looked.revoked is (what == "token revoked")
        assert (looked == NOTHING) is (what in ("client off", "unknown"))
        if what in ("session ended", "user off", "password changed"):
            assert looked.session is None
    with entered(globex):
        assert behind.of(both[1].id, JTI) == asked(both[1].id) != NOTHING
        assert behind.of(both[1].id, JTI).session is not None


def test_a_grant_without_a_session_has_none(acme):
    with entered(acme):
        grant = make(offline=True, code="offline")
        assert grants.add(grant)
        assert behind.of(grant.id, JTI) == asked(grant.id) and behind.of(grant.id, JTI).session is None
