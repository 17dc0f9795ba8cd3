"""Whether an account exists cannot be learned from an answer, its duration, or a limit (UE01-UE08)."""

import re
from uuid import UUID

import pytest
from argon2 import PasswordHasher, extract_parameters

from idp import throttle
from idp.accounts import authenticate, passwords
from idp.accounts.authenticate import SignInFailed
from idp.errors import TooMany
from idp.store import database as database_module
from idp.store.durable import credentials, users
from idp.tenants import entered
from tests.playing import relying_party

PASSWORD = "correct horse battery staple"
KINDS = {
    "unknown": ("nobody", "wrong"),
    "known, wrong": ("dora", "wrong"),
    "known by address": ("dora@example.com", "wrong"),
    "disabled": ("dan", "wrong"),
    "disabled, right": ("dan", PASSWORD),
    "passwordless": ("pat", "wrong"),
    "unproved address": ("una@example.com", PASSWORD),
    "empty": ("dora", ""),
    "empty, passwordless": ("pat", ""),
    "longer than a kilobyte": ("dora", "x" * 1025),
    "ten megabytes": ("dora", "x" * 10_000_000),
    "a name that is none": ("\x00'--\ud800", "wrong"),
    "an endless name": ("x" * 100_000, "wrong"),
    "no text": ("dora", "\ud800"),
}


@pytest.fixture(autouse=True)
def _fresh():
    throttle.forget()
    yield
    throttle.forget()


@pytest.fixture
def cheap(monkeypatch):
    """Cheap hashes, where duration is not what a test looks at."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "HOLD", 0.0)
    monkeypatch.setattr(passwords, "_NOBODY", passwords._unmatchable())


def people():
    """dora; dan, who is disabled; pat, who has no password; una, whose address is not proved."""
    for name, more in {
        "dora": {"email": "dora@example.com", "email_verified": True},
        "dan": {"status": "disabled"},
        "una": {"email": "una@example.com"},
    }.items():
        credentials.put_password(users.add(name, **more).id, passwords.hash(PASSWORD))
    users.add("pat")


def turned_away(kind, address="192.0.2.1"):
    with pytest.raises(SignInFailed) as refused:
        authenticate.with_password(*KINDS[kind], address, "Browser")
    return refused.value


@pytest.mark.parametrize("kind", KINDS)
def test_ue01_one_answer_for_every_failure(in_acme, cheap, kind):
    people()
    answer, other = turned_away(kind), turned_away("unknown")
    assert (answer.code, answer.status, answer.public(), answer.headers, answer.retry_after) == (
        other.code, other.status, other.public(), other.headers, other.retry_after,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_ue01_every_failure_is_recorded_without_the_name_or_password(in_acme, cheap, database, kind):
    people()
    turned_away(kind)
    [(actor, facts)] = database("SELECT actor, facts FROM audit_log WHERE event = 'sign_in.failed'")
    name, password = KINDS[kind]
    assert set(actor) <= {"kind", "id", "address", "sealed"}
    told = f"{actor} {facts}"
    assert name[:20] not in told and (not password or password[:20] not in told)


def test_ue02_one_amount_of_work_for_every_failure(in_acme, monkeypatch):
    """What takes time is one hash of one length under one set of parameters, and two transactions."""
    people()
    transactions, hashes = [], []
    monkeypatch.setattr(database_module, "_told", counting(database_module._told, transactions))
    monkeypatch.setattr(passwords, "_hasher", Watched(hashes))
    done = {}
    for number, kind in enumerate(KINDS):
        transactions.clear()
        hashes.clear()
        turned_away(kind, f"192.0.2.{number}")
        done[kind] = (len(transactions), tuple(hashes))
    assert len(set(done.values())) == 1, done
    assert done["unknown"] == (2, ((19_456, 2, 1),))


class Watched:
    """The hasher, noting the parameters of each verification."""

    def __init__(self, seen):
        self._seen = seen
        self._real = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

    def verify(self, encoded, password):
        found = extract_parameters(encoded)
        self._seen.append((found.memory_cost, found.time_cost, found.parallelism))
        assert len(password) <= passwords.LONGEST_BYTES
        return self._real.verify(encoded, password)

    def __getattr__(self, name):
        return getattr(self._real, name)


def counting(function, calls):
    def counted(*arguments, **named):
        calls.append(function)
        return function(*arguments, **named)

    return counted


@pytest.mark.parametrize(
    "kind", ["unknown", "known, wrong", "disabled", "passwordless", "a name that is none"]
)
def test_ue05_a_limit_stops_all_names_alike(in_acme, cheap, kind):
    people()
    outcomes = []
    for _ in range(12):
        try:
            turned_away(kind)
            outcomes.append("failed")
        except TooMany as refused:
            outcomes.append((refused.code, refused.status, refused.public(), refused.retry_after))
    assert outcomes[:10] == ["failed"] * 10
    assert outcomes[10] == ("too_many_requests", 429, TooMany().public(), outcomes[10][3])
    assert 290 <= outcomes[10][3] <= 300


@pytest.mark.parametrize("right", [PASSWORD, "wrong"])
def test_ue05_a_blocked_attempt_is_not_judged(in_acme, cheap, monkeypatch, right):
    people()
    for _ in range(10):
        turned_away("known, wrong")
    monkeypatch.setattr(passwords, "matches", lambda *_: pytest.fail("a blocked attempt was judged"))
    with pytest.raises(TooMany):
        authenticate.with_password("dora", right, "192.0.2.1", "Browser")


@pytest.mark.parametrize("kind", KINDS)
def test_ue03_beside_hashes_of_other_systems_every_failure_takes_the_same(in_acme, monkeypatch, kind):
    people()
    passwords.forget()
    credentials.put_password(
        users.add("brought").id, "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    )
    waited = []
    monkeypatch.setattr(passwords.clock, "monotonic", lambda: 1_000.0)
    monkeypatch.setattr(passwords.time, "sleep", waited.append)
    turned_away(kind)
    assert waited == [passwords.HOLD]


def test_without_hashes_of_other_systems_nobody_waits(in_acme, monkeypatch):
    people()
    passwords.forget()
    monkeypatch.setattr(passwords.time, "sleep", lambda _: pytest.fail("somebody waited"))
    turned_away("unknown")
    turned_away("known, wrong")


def test_ue08_an_address_is_unique_in_its_tenant_only(twins, cheap):
    acme, globex = twins
    made = {}
    for tenant, password in ((acme, "of acme"), (globex, "of globex")):
        with entered(tenant):
            made[tenant] = users.add("dora", email="dora@example.com", email_verified=True)
            credentials.put_password(made[tenant].id, passwords.hash(password))
    with entered(globex):
        assert authenticate.with_password("dora@example.com", "of globex", "192.0.2.1") == made[globex]
        with pytest.raises(SignInFailed):
            authenticate.with_password("dora", "of acme", "192.0.2.1")


def test_ue08_failures_in_one_tenant_stop_nobody_in_the_other(twins, cheap):
    acme, globex = twins
    for tenant in twins:
        with entered(tenant):
            people()
    with entered(acme):
        for _ in range(10):
            turned_away("known, wrong")
        with pytest.raises(TooMany):
            authenticate.with_password("dora", PASSWORD, "192.0.2.1")
    with entered(globex):
        assert authenticate.with_password("dora", PASSWORD, "192.0.2.1").username == "dora"


def test_an_outdated_hash_is_renewed_at_a_sign_in(in_acme, cheap):
    people()
    user = users.by_username("dora")
    credentials.put_password(
        user.id, PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD)
    )
    old = credentials.password_of(user.id)
    turned_away("known, wrong")
    assert credentials.password_of(user.id) == old
    assert authenticate.with_password("dora", PASSWORD, "192.0.2.1") == user
    assert credentials.password_of(user.id) != old
    assert authenticate.with_password("dora", PASSWORD, "192.0.2.1") == user


def test_verify_answers_for_nobody_as_for_somebody(in_acme, cheap):
    people()
    dora = users.by_username("dora")
    assert passwords.verify(dora, PASSWORD)
    assert not passwords.verify(dora, "wrong")
    assert not passwords.verify(None, PASSWORD)
    assert users.by_id(UUID(int=0)) is None


OVER_HTTP = {
    "unknown": ("nobody", "wrong"),
    "known, wrong": ("alice", "wrong"),
    "known by address": ("alice@example.com", "wrong"),
    "disabled, right": ("dan", PASSWORD),
    "passwordless": ("pat", "wrong"),
    "longer than a kilobyte": ("alice", "x" * 2000),
}


def seen(visit, name):
    """What a browser sees, but for what differs between any two: request id, transaction, form token, the name."""
    hidden = re.compile(
        r'name="csrf" value="[^"]*"|value="[^"]*" name="csrf"|(?<=challenge&#34;: &#34;)[\w-]+'
    )
    answer = visit.answer
    own = answer.headers.get("X-Request-Id", "-")
    body = hidden.sub("", visit.html).replace(own, "ID").replace(f'value="{name}"', 'value="NAME"')
    body = re.sub(r'nonce="[^"]*"|nonce-[\w-]+|\?tx=[\w-]+', "", body)
    headers = sorted(
        (key, re.sub(r"nonce-[\w-]+", "", value))
        for key, value in answer.headers
        if key not in ("X-Request-Id", "Content-Length", "Set-Cookie")
    )
    cookies = sorted(value.split("=")[0] for value in answer.headers.getlist("Set-Cookie"))
    return answer.status_code, headers, cookies, body


def trying(app, acme, kind, **where):
    name, password = OVER_HTTP[kind]
    rp = relying_party(app, acme)
    browser = rp.browser()
    browser.environ_base.update(where)
    return seen(rp.authorize(browser).login(name, password), name)


@pytest.fixture
def crowd(in_acme, cheap):
    """People of acme of every kind."""
    people()
    alice = users.by_username("alice")
    credentials.put_password(alice.id, passwords.hash(PASSWORD))


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_ue01_over_http_every_failure_is_the_same_page(app, acme, crowd, kind):
    tried = trying(app, acme, kind)
    assert tried == trying(app, acme, "unknown")
    assert tried[0] == 200 and "alert" in tried[3]


def test_ue05_over_http_a_limit_is_the_same_page_for_all(app, acme, crowd):
    blocked = []
    for kind in ("unknown", "known, wrong", "disabled, right"):
        answers = [trying(app, acme, kind) for _ in range(11)]
        assert [answer[0] for answer in answers] == [200] * 10 + [429]
        status, headers, cookies, body = answers[10]
        assert dict(headers)["Retry-After"].isdigit()
        body = re.sub(r"<time.*?</time>, at [\d:]+", "WHEN", body)
        blocked.append((status, [header for header in headers if header[0] != "Retry-After"], cookies, body))
    assert blocked[0] == blocked[1] == blocked[2]
    assert trying(app, acme, "known, wrong", REMOTE_ADDR="192.0.2.200")[0] == 200


def test_br03_over_http_a_planted_session_is_dead_after_the_sign_in(app, acme, crowd):
    rp = relying_party(app, acme)
    attacker = rp.browser()
    rp.authorize(attacker).login("alice", PASSWORD)
    planted = {cookie.key: cookie.value for cookie in attacker._cookies.values()}
    victim = rp.browser()
    for name, value in planted.items():
        victim.set_cookie(name, value)
    visit = rp.authorize(victim, prompt="login").login("bob")
    assert visit.code
    again = rp.authorize(attacker, prompt="none")
    assert again.params["error"] == "login_required"
