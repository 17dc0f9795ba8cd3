"""`idp explain-token`: the check that fails, with what was expected and what was there; the product's own verdict."""

import base64
import json
import random
import re
import subprocess
from pathlib import Path

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp import clock, ids
from idp.control import clients, keys, tenants, users
from idp.control.explained.token import Expected, explain
from idp.control.explained.words import WHY
from idp.errors import Invalid, InvalidToken
from idp.oauth.client_auth import private_key_jwt
from idp.oauth.tokens import access, id_token, refresh
from idp.signing import cache, jwt
from idp.tenants import entered
from tests import running
from tests.playing import relying_party

SIGNER = ec.generate_private_key(ec.SECP256R1())


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ids.b64(raw)


def forged(tenant, claims, header=None):
    """A token signed by the tenant's own active key over whatever is given."""
    with entered(tenant):
        row = cache.load().signer("ES256", clock.now())
        header = {"alg": "ES256", "kid": row.kid, "typ": "at+jwt", **(header or {})}
        signed = f"{part(header)}.{part(claims)}"
        made = jwt._ALGORITHMS["ES256"].sign(signed.encode(), cache.private_key(row, tenant.id))
    return f"{signed}.{part(made)}"


def read(token):
    """Header and claims, not verified."""
    return [json.loads(base64.urlsafe_b64decode(piece + "==")) for piece in token.split(".")[:2]]


def product(tenant, token, kind):
    """The rule by which the product refuses a token; None where it takes it."""
    try:
        with entered(tenant):
            if kind == "access token":
                access.read(token)
            elif kind == "ID token":
                id_token.read(token, expired_is_fine=False)
            elif kind == "refresh token":
                refresh.read(token)
            else:
                jwt.verify(token, typ={"logout+jwt"}, audience=None)
    except InvalidToken as refusal:
        return refusal.rule
    return None


def verdicts(told):
    return {step.check: step.verdict for step in told.steps}


@pytest.fixture
def tokens(app, acme):
    return relying_party(app, acme).sign_in("alice")


def test_good_tokens_are_good(acme, tokens):
    for name, kind in (
        ("access_token", "access token"),
        ("id_token", "ID token"),
        ("refresh_token", "refresh token"),
    ):
        told = explain(tokens[name])
        assert (told.kind, told.valid, told.tenant, told.failed) == (kind, True, "acme", None)
        assert set(verdicts(told).values()) == {"ok"}, verdicts(told)
        assert product(acme, tokens[name], kind) is None


def test_a_corpus_of_broken_tokens_is_judged_as_the_product_judges_it(acme, globex, tokens):
    now = clock.epoch()
    _, claims = read(tokens["access_token"])
    _, of_person = read(tokens["id_token"])
    changes = [
        {"exp": now - 200}, {"exp": now}, {"exp": "soon"}, {"exp": now + 10**7}, {"iat": now + 60}, {"iat": None},
        {"nbf": now + 60}, {"nbf": 1.5}, {"iss": acme.issuer + "/"}, {"iss": acme.issuer.replace("http:", "https:")},
        {"iss": acme.issuer.upper()}, {"tenant": "globex"}, {"tenant_id": str(globex.id)}, {"jti": "x"}, {"jti": 7},
        {"jti": f"u.{part(b'0' * 16)}.x"}, {"client_id": "nobody"}, {"client_id": "spa"}, {"scope": 5}, {"sub": None},
        {"aud": 5}, {"exp": now - 200, "iss": acme.issuer + "/", "tenant": "globex"},
    ]  # fmt: skip
    corpus = [forged(acme, {**claims, **change}) for change in changes]
    corpus += [forged(acme, {name: value for name, value in claims.items() if name != gone})
               for gone in ("exp", "iat", "jti")]  # fmt: skip
    corpus += [
        forged(acme, claims, head)
        for head in (
            {"typ": "JWS"},
            {"typ": 1},
            {"kid": "unknown"},
            {"alg": "RS256"},
            {"alg": "none"},
            {"jku": "https://e"},
        )
    ]
    corpus += [
        forged(acme, {**of_person, **change}, {"typ": "JWT"})
        for change in ({}, {"exp": now - 5}, {"iat": now + 99}, {"iss": acme.issuer + "/"}, {"tenant": "x"})
    ]
    corpus += [forged(acme, {**of_person, "events": {}}, {"typ": typ}) for typ in ("logout+jwt", "JWT")]
    corpus += [forged(globex, claims)]
    head, payload, signature = tokens["access_token"].split(".")
    corpus += [f"{head}.{payload}.{signature[:-4]}", f"{head}.{payload}.{part(bytes(64))}",
               f"{head}=.{payload}.{signature}",
               f"{head}.{part(b'[]')}.{signature}", f"{part(b'{')}.{payload}.{signature}"]  # fmt: skip
    corpus += [tokens["refresh_token"][:-1] + ("0" if tokens["refresh_token"][-1] != "0" else "1")]
    refused = 0
    for token in corpus:
        told = explain(token)
        if not told.claims and "." in token:  # nothing says whose it is, so the service has to
            assert not told.valid
            told = explain(token, Expected(issuer=acme.issuer))
        rule = product(acme, token, told.kind)
        assert (told.failed.rule if told.failed else None) == rule, (token, told)
        assert told.valid is (rule is None)
        assert told.failed is None or told.failed.why
        refused += not told.valid
    assert refused >= len(corpus) - 2


ODD = (
    None,
    True,
    -1,
    0,
    1.5,
    2**63,
    "",
    " ",
    "x",
    [],
    ["x"],
    {},
    {"a": 1},
    "\u202e",
    "at+jwt",
    "JWT",
    "none",
    "ES256",
)


def test_random_damage_is_judged_as_the_product_judges_it(acme, tokens):
    dice = random.Random(20261127)
    good, refused = [tokens["access_token"], tokens["id_token"]], 0
    for turn in range(240):
        token = dice.choice(good)
        header, claims = read(token)
        if turn % 3 == 0:  # a letter of the text
            place = dice.randrange(len(token))
            token = token[:place] + dice.choice("AZaz09-_.= é\x00") + token[place + dice.randrange(2) :]
        elif turn % 3 == 1:  # a claim, signed as if we had made it so
            name = dice.choice([*claims, "nbf", "events", "client_id"])
            token = forged(acme, {**claims, name: dice.choice([*ODD, clock.epoch() + dice.randrange(-999, 999)])},
                           {"typ": header["typ"]})  # fmt: skip
        else:  # a member of the header
            token = forged(
                acme,
                claims,
                {"typ": header["typ"], dice.choice(["alg", "kid", "typ", "crit"]): dice.choice(ODD)},
            )
        told = explain(token)
        if told.tenant is None:
            assert not told.valid
            told = explain(token, Expected(issuer=acme.issuer))
        if told.kind in ("access token", "ID token", "logout token"):
            rule = product(acme, token, told.kind)
            first = told.failed.rule if told.failed else None
            assert first == rule or (told.failed.check == "service" and rule is None), (token, told)
            assert told.valid is (first is None)
        else:
            assert not told.valid
        refused += not told.valid
    assert 120 < refused < 240


def test_a_state_that_has_ended_is_said(acme, tokens, app, database):
    token = tokens["access_token"]
    database("UPDATE users SET status = 'suspended' WHERE username = 'alice'")
    told = explain(token)
    assert (told.failed.rule, told.failed.got) == ("access_token.subject", "suspended")
    assert product(acme, token, "access token") == "access_token.subject"
    assert explain(tokens["refresh_token"]).failed.rule == "refresh_token.subject"
    database(
        "UPDATE users SET status = 'active', not_before = now() + interval '1 hour' WHERE username = 'alice'"
    )
    assert "signed in before" in explain(token).failed.got
    with entered(acme):
        users.suspend("bob")
        users.resume("bob")
    web = relying_party(app, acme)
    kept = web.sign_in("bob", scope="openid")
    database("UPDATE sessions SET ended_at = now()")
    assert explain(kept["access_token"]).failed.rule == product(acme, kept["access_token"], "access token")
    assert verdicts(explain(kept["access_token"]))["session"] == "failed"


def test_what_a_client_revoked_is_said(acme, app):
    web = relying_party(app, acme)
    kept = web.sign_in("bob")
    web.post("revoke", {"token": kept["access_token"]})
    assert explain(kept["access_token"]).failed.rule == "access_token.revoked"
    web.post("revoke", {"token": kept["refresh_token"]})
    told = verdicts(explain(kept["access_token"]))
    assert (told["revoked"], told["grant"], told["subject"]) == ("failed", "failed", "not tried")
    assert "revoked by the client" in explain(kept["refresh_token"]).failed.why


def test_a_used_refresh_token_is_said(acme, tokens, app):
    relying_party(app, acme).refresh(tokens["refresh_token"])
    told = explain(tokens["refresh_token"])
    assert (told.failed.rule, told.tenant) == ("refresh_token.used", "acme")
    assert explain(refresh.new()).failed.rule == "refresh_token.known"


def test_the_state_of_a_key_is_told_with_its_times(acme, tokens):
    kid = read(tokens["access_token"])[0]["kid"]
    keys.revoke("acme", kid)
    told = explain(tokens["access_token"])
    assert told.failed.rule == "token.kid"
    assert "revoked at" in told.failed.why
    assert verdicts(told)["signature"] == "not tried"
    assert verdicts(told)["jti"] == "not tried"


def test_a_key_of_another_tenant_is_named(acme, globex, tokens):
    _, claims = read(tokens["access_token"])
    told = explain(forged(globex, claims))
    assert told.failed.rule == "token.kid"
    assert "globex" in told.failed.why


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda iss: iss + "/", "ends with a slash"),
        (lambda iss: iss.replace("http:", "https:"), "begins with https"),
        (lambda iss: iss.replace("localhost", "127.0.0.1"), "another host or port"),
        (lambda iss: iss.replace("acme", "ACME"), "another case"),
        (lambda iss: iss + "/.well-known/openid-configuration", "discovery document"),
        (lambda iss: f" {iss}", "blanks"),
        (lambda iss: "https://id.example.com/t/nobody", "No tenant of this deployment"),
        (lambda iss: "https://[", "No tenant of this deployment"),
        (lambda iss: None, "names no issuer"),
    ],
)
def test_an_issuer_that_is_written_otherwise_is_told_how(acme, tokens, change, words):
    _, claims = read(tokens["access_token"])
    told = explain(forged(acme, {**claims, "iss": change(acme.issuer)}))
    assert told.failed.rule in ("token.iss", "token.kid")
    step = next(step for step in told.steps if step.check == "iss")
    assert words in step.why
    assert step.got == change(acme.issuer)


def test_how_late_and_how_early_is_told(acme, tokens):
    _, claims = read(tokens["access_token"])
    now = clock.epoch()
    late = explain(forged(acme, {**claims, "iat": now - 800, "exp": now - 200}))
    assert "expired 3 min 2" in late.failed.why
    early = explain(forged(acme, {**claims, "iat": now + 300, "exp": now + 600}))
    assert "Compare the clocks" in early.failed.why


def test_what_the_service_expects_counts(acme, tokens):
    token = tokens["access_token"]
    wrong = explain(token, Expected(audience="https://api.example.com"))
    assert wrong.failed.rule == "token.aud"
    assert "ask for a scope of that API" in wrong.failed.why
    unknown = explain(token, Expected(audience="https://other.example"))
    assert "the tenant's APIs are https://api.example.com" in unknown.failed.why
    assert explain(token, Expected(audience=acme.issuer, typ="at+jwt", issuer=acme.issuer)).valid
    assert explain(token, Expected(typ="JWT")).failed.rule == "token.typ"
    assert "ends with a slash" in explain(token, Expected(issuer=acme.issuer + "/")).failed.why
    assert explain(tokens["id_token"], Expected(typ="at+jwt")).failed.why.startswith("This is an ID token")


def test_a_tenant_that_is_suspended_takes_nothing(acme, tokens):
    tenants.suspend("acme")
    told = explain(tokens["access_token"])
    assert (told.failed.rule, told.failed.got) == ("tenant.status", "suspended")


def assertion(acme, **changes):
    now = clock.epoch()
    claims = {"iss": "robot", "sub": "robot", "aud": acme.issuer, "iat": now, "exp": now + 60, "jti": ids.secret(),
              **changes}  # fmt: skip
    return pyjwt.encode(
        {name: value for name, value in claims.items() if value is not ...}, SIGNER, algorithm="ES256",
        headers={"kid": "r"},
    )  # fmt: skip


@pytest.fixture
def robot(acme):
    described = {**cache.describe(SIGNER.public_key()), "kid": "r"}
    with entered(acme):
        made = clients.create("robot", {"grant_types": ["client_credentials"], "scope": "openid",
                              "token_endpoint_auth_method": "private_key_jwt",
                              "jwks": {"keys": [described]}})  # fmt: skip
    return made.client


def test_a_clients_assertion_is_judged_by_the_clients_keys(acme, robot, app):
    now = clock.epoch()
    assert explain(assertion(acme)).valid
    for change in ({"aud": f"{acme.issuer}/token"}, {"exp": now - 60}, {"exp": now + 900}, {"exp": ...},
                   {"nbf": now + 60},
                   {"jti": ...}, {"jti": "x" * 300}):  # fmt: skip
        token = assertion(acme, **change)
        with entered(acme), pytest.raises(InvalidToken) as caught:
            private_key_jwt.read(token, robot)
        told = explain(token)
        assert (told.kind, told.failed.rule) == ("client assertion", caught.value.rule)
        assert told.failed.why
    used = assertion(acme)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": private_key_jwt.TYPE,
        "client_assertion": used,
    }
    assert app.test_client().post("/t/acme/token", data=form).status_code in (200, 400)
    assert explain(used).failed.rule == "assertion.used"
    assert explain(assertion(acme, iss="ghost", sub="ghost")).failed.got == "unknown"
    nowhere = explain(assertion(acme, aud="https://elsewhere.example"))
    assert not nowhere.valid
    assert "--issuer" in nowhere.notes[0]
    assert (
        explain(assertion(acme, aud="https://elsewhere.example"), Expected(issuer=acme.issuer)).failed.rule
        == "token.aud"
    )


def test_every_rule_of_the_product_has_a_sentence():
    from idp import oauth, signing

    known = set()
    for package, names in ((signing, ("own.py", "foreign.py", "parts.py")),
                           (oauth, ("tokens/access.py", "tokens/id_token.py", "tokens/refresh.py",
                                    "client_auth/private_key_jwt.py"))):  # fmt: skip
        for name in names:
            source = (Path(package.__file__).parent / name).read_text()
            known |= set(
                re.findall(r'"((?:token|assertion|access_token|id_token|refresh_token)\.[a-z_]+)"', source)
            )
    known |= {f"token.{name}" for name in ("exp", "iat", "nbf", "tenant", "tenant_id")}
    known |= {f"token.{name}" for name in ("iss", "sub", "jti", "client_id", "azp", "scope")}
    known |= {"assertion.iss", "assertion.sub"}
    assert len(known) > 40
    assert known - set(WHY) == set()


def test_what_is_no_jwt_is_named(acme):
    assert "authorization code" in explain(ids.secret()).failed.why
    assert "five parts" in explain("a.b.c.d.e").failed.why
    assert "compact form" in explain('{"payload": ""}').failed.why
    assert "1 parts" in explain("hello").failed.why
    for nothing in ("", "  \n", "x" * 70_000):
        with pytest.raises(Invalid):
            explain(nothing)


def test_the_word_bearer_is_left_out(acme, tokens):
    told = explain(f"Bearer {tokens['access_token']}\n")
    assert told.valid
    assert "Bearer" in told.notes[0]


def test_the_command_reads_standard_input_and_says_no_with_status_1(services, acme, tokens, tmp_path):
    names = ("database_url", "ops_database_url", "redis_url", "keys", "env", "base_url")
    environment = running.environment(
        **{f"IDP_{name.upper()}": str(getattr(services.settings, name)) for name in names},
        IDP_HOME=str(tmp_path),
    )

    def run(*arguments, stdin=""):
        done = subprocess.run(
            [*running.PROGRAM, "explain-token", *arguments], env=environment, cwd=tmp_path, input=stdin,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert tokens["access_token"].split(".")[2] not in done.stdout + done.stderr
        return done

    good = run("--json", stdin=f"{tokens['access_token']}\n")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["valid"] is True
    bad = run("-", "--audience", "https://api.example.com", stdin=tokens["access_token"])
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "FAILED     aud" in bad.stderr
    assert 'expected: ["https://api.example.com"]' in bad.stderr
    assert "It is refused by token.aud." in bad.stderr
    nothing = run()
    assert nothing.returncode == 2
    assert nothing.stderr.startswith("idp: There is no token")


def test_nothing_of_a_token_reaches_the_logs_or_the_audit(acme, tokens, database, caplog, capsys):
    before = database("SELECT count(*) FROM audit_log")
    for token in (
        *(tokens[name] for name in ("access_token", "id_token", "refresh_token")),
        "secret.secret.secret",
    ):
        explain(token)
    assert database("SELECT count(*) FROM audit_log") == before
    assert not caplog.text
    assert not any(capsys.readouterr())
