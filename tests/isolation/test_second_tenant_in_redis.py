"""What lies in Redis for a while: under the very same names, each tenant has its own and reaches no other's."""

from datetime import timedelta
from uuid import UUID

from idp import clock, ids
from idp.store.durable.sessions import Session
from idp.store.ephemeral import elsewhere, live_sessions, pushed, replays, throttle_counters, upstream_states
from idp.store.ephemeral.throttle_counters import Counter, Full
from idp.tenants import entered

SOMEBODY = UUID("01890a5d-0000-7000-8000-000000000005")
COUNTER = Counter("account", "ab" * 32, most=2, window=60)
NOW = 1_700_000_000


def test_what_waits_for_an_answer_elsewhere(acme, globex):
    name = elsewhere.name_of("a device code")
    with entered(acme):
        elsewhere.put(name, {"of": "acme"}, 60)
        elsewhere.polled(name, {"at": 1}, 60)
        elsewhere.note(SOMEBODY, name, 60)
        assert elsewhere.name_user_code("ABC-DEF-GHJ", name, 60)
    with entered(globex):
        assert elsewhere.get(name) == (None, None, None)
        assert elsewhere.noted(SOMEBODY) == () and elsewhere.by_user_code("ABC-DEF-GHJ") is None
        assert elsewhere.burn(name) is None
        elsewhere.put(name, {"of": "globex"}, 60)
        assert elsewhere.answer(name, {"allowed": False}, 60)
        assert elsewhere.name_user_code("ABC-DEF-GHJ", "another", 60)
    with entered(acme):
        assert elsewhere.get(name) == ({"of": "acme"}, None, {"at": 1})
        assert elsewhere.by_user_code("ABC-DEF-GHJ") == name and elsewhere.noted(SOMEBODY) == (name,)
        assert elsewhere.answer(name, {"allowed": True}, 60) and not elsewhere.answer(name, {}, 60)
        elsewhere.reopen(name)
        assert elsewhere.answer(name, {"allowed": True}, 60)
        assert elsewhere.burn(name) == {"of": "acme"} and elsewhere.burn(name) is None
    with entered(globex):
        assert elsewhere.get(name) == ({"of": "globex"}, {"allowed": False}, None)
        assert elsewhere.burn(name) == {"of": "globex"}
        elsewhere.restore(name, {"of": "globex"}, 60)
    with entered(acme):
        assert elsewhere.burn(name) is None


def test_pushed_requests(acme, globex):
    with entered(acme):
        pushed.put("urn:x", {"of": "acme"}, 60)
    with entered(globex):
        assert pushed.get("urn:x") is None
        assert pushed.answer("urn:x", 60)
        pushed.reopen("urn:x")
        assert pushed.answer("urn:x", 60)
    with entered(acme):
        assert pushed.get("urn:x") == {"of": "acme"}
        assert pushed.answer("urn:x", 60) and not pushed.answer("urn:x", 60)
        assert pushed.get("urn:x") is None
        pushed.reopen("urn:x")
        assert pushed.get("urn:x") == {"of": "acme"}
    with entered(globex):
        assert not pushed.answer("urn:x", 60)


def test_what_goes_along_to_an_upstream(acme, globex):
    with entered(acme):
        upstream_states.put("state", {"of": "acme"}, 60)
    with entered(globex):
        assert upstream_states.get("state") is None and not upstream_states.take("state")
    with entered(acme):
        assert upstream_states.get("state") == {"of": "acme"}
        assert upstream_states.take("state") and not upstream_states.take("state")


def test_what_is_presented_once(acme, globex):
    for tenant in (acme, globex):
        with entered(tenant):
            assert replays.first("digest", 60) and not replays.first("digest", 60)


def test_copies_of_sessions(acme, globex):
    at = clock.now()
    session = Session(
        id=ids.uuid7(), digest=ids.digest("cookie"), sid="sid", user_id=SOMEBODY, auth_time=at, amr=("pwd",), acr="1",
        created_at=at, last_seen_at=at, ended_at=None, end_reason=None, expires_at=at + timedelta(hours=1),
        address=None, user_agent=None,
    )  # fmt: skip
    with entered(acme):
        live_sessions.put(session, 60)
        live_sessions.get(session.digest)  # from now on Redis was heard of
        live_sessions.put(session, 60)
        assert live_sessions.get(session.digest) == session
    with entered(globex):
        assert live_sessions.get(session.digest) is None
        live_sessions.take_away(session.digest)
        assert live_sessions.bury(session.digest)
        assert live_sessions.get(session.digest) is None
    with entered(acme):
        assert live_sessions.get(session.digest) == session
        live_sessions.take_away(session.digest)
        assert live_sessions.get(session.digest) is None


def test_counters(acme, globex):
    with entered(acme):
        assert throttle_counters.add([COUNTER], NOW) == [(1, NOW)]
        assert throttle_counters.begin([COUNTER], "attempt", NOW) is None
        assert isinstance(throttle_counters.begin([COUNTER], "another", NOW), Full)
    with entered(globex):
        assert throttle_counters.look([COUNTER], NOW) == [(0, 0)]
        throttle_counters.end([COUNTER], "attempt", NOW, failed=False)
        throttle_counters.give_back([COUNTER], [-1])
        throttle_counters.lift([COUNTER])
        assert throttle_counters.add([COUNTER], NOW) == [(1, NOW)]
    with entered(acme):
        assert throttle_counters.end([COUNTER], "attempt", NOW, failed=True) == [2]
        assert throttle_counters.look([COUNTER], NOW) == [(2, 60)]
        throttle_counters.lift([COUNTER])
        assert throttle_counters.look([COUNTER], NOW) == [(0, 0)]
    with entered(globex):
        assert throttle_counters.look([COUNTER], NOW) == [(1, 60)]
