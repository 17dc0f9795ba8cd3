"""Operators' commands as processes: JSON on standard output, words on standard error, 0 done, 1 no, 2 not possible."""

import json

import pytest

from idp import audit, clock, directory, seals
from idp.control import clients, users
from idp.store.durable import outbox as rows
from idp.tenants import entered
from tests.playing import relying_party


def answer(result):
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def test_a_tenants_life(process, database):
    idp = process
    made = answer(idp("tenant", "create", "umbrella", "--name", "Umbrella", "--set", "policy.code_lifetime=30",
                      "--json", "--as", "carol", "--reason", "ticket 7"))  # fmt: skip
    assert (made["slug"], made["status"], made["policy"]) == ("umbrella", "active", {"code_lifetime": 30})
    assert made["issuer"] == "http://localhost/t/umbrella"
    assert [row["slug"] for row in answer(idp("tenant", "list", "--json"))] == ["acme", "globex", "umbrella"]
    changed = answer(idp("tenant", "update", "umbrella", "--set", "branding.radius=4", "--json"))
    assert changed["branding"] == {"radius": 4}
    assert answer(idp("tenant", "suspend", "umbrella", "--json"))["status"] == "suspended"
    assert answer(idp("tenant", "resume", "umbrella", "--json"))["status"] == "active"
    events = database("SELECT event, actor->>'id', actor->>'reason' FROM audit_log WHERE tenant_id = %s "
                      "AND event NOT LIKE 'key.%%' ORDER BY at", made["id"])  # fmt: skip
    assert events[0] == ("tenant.created", "carol", "ticket 7")
    assert [event for event, *_ in events[1:]] == ["branding.changed", "tenant.suspended", "tenant.resumed"]
    assert answer(idp("tenant", "delete", "umbrella", "--purge", "--json"))["purged"]
    status, out, err = idp("tenant", "show", "umbrella", "--json")
    assert (status, out) == (2, "")
    assert "There is no tenant umbrella." in err
    assert database("SELECT count(*) FROM signing_keys WHERE tenant_id = %s", made["id"]) == [(0,)]


def test_a_persons_life(idp, acme, globex, database):
    args = ("--tenant", "acme", "--json")
    made = answer(idp("user", "create", "carol", *args, "--password-file", "-", "--email", "carol@example.com",
                      "--set", "name=Carol Clark", "--set", "attributes.floor=3",
                      stdin="a password from a pipe\n"))  # fmt: skip
    assert made["claims"] == {"name": "Carol Clark", "floor": 3}
    assert "password" not in str(made)
    shown = answer(idp("user", "show", "carol", *args, "--reason", "ticket 8"))
    assert shown["sub"] == made["sub"]
    assert database("SELECT actor->>'reason' FROM audit_log WHERE event = 'user.shown'") == [("ticket 8",)]
    assert [row["username"] for row in answer(idp("user", "list", *args))] == ["alice", "bob", "carol"]
    assert answer(idp("user", "sign-out", "carol", *args)) == {"username": "carol", "sessions": 0}
    made = answer(idp("user", "temporary-code", "carol", *args, "--reason", "ticket 7"))
    assert len(made["temporary_code"]) == 19 and made["expires_at"]
    assert answer(idp("user", "reset-factors", "carol", *args))["recovery_codes"] == 1
    assert answer(idp("user", "suspend", "carol", *args))["status"] == "disabled"
    assert answer(idp("user", "update", "carol", *args, "--set", "name=null"))["claims"] == {"floor": 3}
    assert idp("user", "show", "carol", "--tenant", "globex", "--json")[0] == 2
    assert answer(idp("user", "delete", "carol", *args))["deleted"]
    with entered(globex):
        assert users.show("alice").active


def test_an_upstreams_life(idp, acme, globex, database):
    args = ("--tenant", "acme", "--json")
    made = answer(idp("upstream", "create", "google", *args, "--preset", "google", "--client-id", "us",
                      "--secret-file", "-", "--creation", "--as", "carol", stdin="a secret from a pipe\n"))  # fmt: skip
    assert made["redirect_uri"] == "http://localhost/t/acme/upstream/google/callback"
    assert (made["issuer"], made["client_secret"]) == ("https://accounts.google.com", "set")
    assert database("SELECT actor->>'id' FROM audit_log WHERE event = 'upstream.created'") == [("carol",)]
    assert [row["name"] for row in answer(idp("upstream", "list", *args))] == ["google"]
    assert answer(idp("upstream", "list", "--tenant", "globex", "--json")) == []
    changed = answer(idp("upstream", "update", "google", *args, "--domain", "corp.example", "--set", "order=1",
                         "--no-creation"))  # fmt: skip
    assert (changed["domains"], changed["order"], changed["creation"]) == (["corp.example"], 1, False)
    assert answer(idp("upstream", "suspend", "google", *args))["status"] == "suspended"
    assert answer(idp("upstream", "resume", "google", *args))["status"] == "active"
    assert idp("upstream", "delete", "google", "--tenant", "globex", "--json")[0] == 2
    assert answer(idp("upstream", "show", "google", *args))["people"] == 0
    assert answer(idp("upstream", "delete", "google", *args)) == {
        "name": "google",
        "deleted": True,
        "people": 0,
    }
    assert idp("upstream", "show", "google", *args)[0] == 2


def test_an_applications_life(idp, acme):
    args = ("--tenant", "acme", "--json")
    made = answer(idp("client", "create", "shop", *args, "--redirect-uri", "https://shop.test/cb",
                      "--scope", "openid profile", "--set", "require_consent=false"))  # fmt: skip
    assert len(made["client_secret"]) == 43
    assert made["client_secret_expires_at"] == 0
    assert "client_secret" not in answer(idp("client", "show", "shop", *args))
    rotated = answer(idp("client", "rotate-secret", "shop", *args))
    assert rotated["client_secret"] != made["client_secret"]
    with entered(acme):
        shop = clients.show("shop")
        assert shop.secret_matches(made["client_secret"], clock.now())
        assert shop.secret_matches(rotated["client_secret"], clock.now())
    status, _, err = idp("client", "update", "shop", *args, "--redirect-uri", "javascript:alert(1)")
    assert status == 2
    assert "redirect_uris[0] must be https" in err
    assert answer(idp("client", "suspend", "shop", *args))["status"] == "suspended"
    assert "shop" in [row["client_id"] for row in answer(idp("client", "list", *args))]
    assert answer(idp("client", "delete", "shop", *args))["deleted"]
    assert idp("client", "show", "web", "--tenant", "globex", "--json")[0] == 0


def test_what_nobody_took_is_shown_and_tried_again(idp, acme, database):
    args = ("--tenant", "acme", "--json")
    with entered(acme):
        web = str(clients.show("web").id)
        rows.put_all("logout.notice", [(web, {}), (web, {})])
        rows.give_up_of(web, clock.now(), "answered 500")
        waits = rows.put("session.drop", {})
    first, second, third = answer(idp("outbox", "list", *args))
    assert (first["id"], first["state"], first["recipient"]) == (str(waits), "waiting", None)
    assert {(row["state"], row["recipient"], row["problem"]) for row in (second, third)} == {
        ("given up", "web", "answered 500")
    }
    assert idp("outbox", "retry", str(waits), *args)[0] == 2 and idp("outbox", "retry", "x", *args)[0] == 2
    assert idp("outbox", "retry", "--tenant", "globex", "--json")[1].strip() == '{\n  "put_back": 0\n}'
    assert answer(idp("outbox", "retry", second["id"], *args)) == {"put_back": 1}
    assert answer(idp("outbox", "retry", *args)) == {"put_back": 1}
    assert {row["state"] for row in answer(idp("outbox", "list", *args))} == {"waiting"}
    assert database("SELECT count(*) FROM audit_log WHERE event = 'message.put_back'") == [(2,)]


def test_apply_and_diff(idp, tmp_path):
    path = tmp_path / "b.yaml"
    path.write_text("tenants: [{slug: acme, users: [{username: carol, name: Carol Clark}]}]")
    status, out, _ = idp("diff", str(path), "--json")
    assert status == 1
    expected = [{"tenant": "acme", "kind": "user", "name": "carol", "action": "create", "fields": []}]
    assert json.loads(out)["changes"] == expected
    assert answer(idp("apply", str(path), "--dry-run", "--json"))["changes"] == expected
    assert answer(idp("apply", str(path), "--json"))["changes"] == expected
    assert idp("diff", str(path), "--json")[0] == 0
    path.write_text("tenants: [{slug: acme, users: [{username: carol, emial: x}]}]")
    status, out, err = idp("apply", str(path), "--json")
    assert (status, out) == (2, "")
    assert f"{path}:1: tenants[0].users[0].emial: emial is not known here." in err


def test_policy_show(idp):
    idp("tenant", "update", "acme", "--set", "policy.code_lifetime=30")
    idp("client", "update", "web", "--tenant", "acme", "--set", "access_token_lifetime=60")
    rows = {
        row["name"]: row
        for row in answer(idp("policy", "show", "--tenant", "acme", "--client", "web", "--json"))
    }
    assert (rows["code_lifetime"]["value"], rows["code_lifetime"]["source"]) == (30, "tenant")
    assert (rows["access_token_lifetime"]["value"], rows["access_token_lifetime"]["source"]) == (60, "client")
    assert (rows["id_token_lifetime"]["value"], rows["id_token_lifetime"]["source"]) == (600, "default")
    assert (rows["require_consent"]["value"], rows["require_consent"]["source"]) == (False, "client")


def test_policy_show_of_the_platform(idp):
    rows = {row["name"]: row for row in answer(idp("policy", "show", "--json"))}
    assert (rows["code_lifetime"]["value"], rows["code_lifetime"]["source"]) == (60, "default")
    assert rows["code_lifetime"]["ceiling"] >= 60
    assert idp("policy", "show", "--client", "web")[0] == 2


def test_audit_verify_of_every_tenant(idp, database):
    verdict = answer(idp("audit", "verify", "--json"))
    assert verdict["whole"]
    assert set(verdict["tenants"]) == {"acme", "globex"}
    assert verdict["tenants"]["acme"] == answer(idp("audit", "verify", "--tenant", "acme", "--json"))
    with entered(directory.resolve("globex")):
        audit.record(audit.Event.USER_SHOWN)
        seals.seal()
    database("UPDATE audit_log SET facts = '{\"n\": 1}'")
    status, out, _ = idp("audit", "verify", "--json")
    assert (status, json.loads(out)["whole"]) == (1, False)
    assert not json.loads(out)["tenants"]["globex"]["whole"]


def test_claims_preview_finds_the_only_tenant_that_fits(idp):
    ask = ("claims", "preview", "--user", "carol", "--client", "web", "--json")
    status, _, err = idp(*ask)
    assert (status, err) == (2, "idp: No tenant has both this person and this client.\n")
    idp("user", "create", "carol", "--tenant", "globex")
    assert answer(idp(*ask))
    idp("user", "create", "carol", "--tenant", "acme")
    status, _, err = idp(*ask)
    assert (status, "acme, globex" in err, "--tenant" in err) == (2, True, True)


def test_claims_preview(idp):
    idp("client", "update", "web", "--tenant", "acme", "--set",
        'claims=[{"claim": "tier", "constant": "gold", "where": ["id_token", "access_token"]}]')  # fmt: skip
    made = answer(
        idp(
            "claims",
            "preview",
            "--tenant",
            "acme",
            "--user",
            "alice",
            "--client",
            "web",
            "--json",
            "--reason",
            "t",
        )
    )
    assert set(made) == {"id_token", "userinfo", "access_token"}
    assert made["userinfo"]["name"]["value"] == "Alice Adams"
    assert made["userinfo"]["name"]["rule"] == "scope profile"
    assert made["id_token"]["tier"]["value"] == "gold"
    assert "claim rule 1" in made["access_token"]["tier"]["rule"]
    assert "tier" not in made["userinfo"]
    assert made["access_token"]["tenant"]["value"] == "acme"
    assert all(
        set(member) == {"value", "rule"} and member["rule"]
        for one in made.values()
        for member in one.values()
    )
    assert made["id_token"]["aud"]["value"] == "web"
    assert made["access_token"]["exp"]["value"] - made["access_token"]["iat"]["value"] == 600


def test_a_preview_has_every_member_that_is_minted(idp, app, acme):
    ask = ("claims", "preview", "--tenant", "acme", "--user", "alice", "--client", "web", "--json")
    made = answer(idp(*ask, "--scope", "openid profile email", "--nonce", "n-456"))
    rp = relying_party(app, acme)
    tokens = rp.sign_in(scope="openid profile email")
    assert set(made["id_token"]) == set(rp.verified(tokens["id_token"], "web"))
    assert set(made["access_token"]) == set(rp.verified(tokens["access_token"], acme.issuer))
    userinfo = rp.userinfo(tokens["access_token"]).get_json()
    assert {name: member["value"] for name, member in made["userinfo"].items()} == userinfo
    assert "nonce" not in answer(idp(*ask))["id_token"]


@pytest.mark.parametrize("arguments", [("tenant", "create", "Bad Slug"), ("tenant", "create", "acme"),
                                       ("user", "create", "al ice", "--tenant", "acme"),
                                       ("user", "show", "alice", "--tenant", "nowhere"),
                                       ("client", "create", "x", "--tenant", "acme", "--set", "nothing"),
                                       ("tenant", "update", "acme", "--set", "policy.code_lifetime=1e9")])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_status_2(idp, arguments):
    status, out, err = idp(*arguments, "--json")
    assert (status, out) == (2, "")
    assert err.strip()
    assert directory.resolve("acme").active
