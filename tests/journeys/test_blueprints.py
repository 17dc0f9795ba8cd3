"""Blueprints: the database matches the file, all or nothing, again and again; mistakes name file, line and field."""

import os
import textwrap
from dataclasses import replace

import pytest

from idp import clock, config, directory
from idp.accounts import authenticate, passwords
from idp.audit import SYSTEM, Actor
from idp.control import blueprints, clients, groups, tenants, users
from idp.control.blueprint_file import Mistake
from idp.errors import NotFound
from idp.store.durable import apis as api_store
from idp.store.durable import credentials
from idp.store.durable import groups as group_store
from idp.tenants import entered

BASE = """
    tenants:
      - slug: umbrella
        name: Umbrella
        policy: {code_lifetime: 30}
        branding: {primary_color: "#0b5fff"}
        groups:
          - name: staff
            roles: [reader]
            groups:
              - {name: sales, members: [alice]}
        roles: [reader]
        users:
          - username: alice
            password: correct horse battery staple
            email: alice@umbrella.example
            email_verified: true
            name: Alice Adams
            birthdate: 1980-01-31
            attributes: {org_unit: Sales}
            roles: [{name: admin, client_id: web}]
        clients:
          - client_id: web
            client_secret: a-long-secret-of-32-characters-or-more
            redirect_uris: ["http://localhost:8001/callback"]
            scope: openid profile
            require_consent: false
            roles: [admin]
            claims:
              - {claim: department, attribute: org_unit, where: [id_token]}
          - {client_id: made, redirect_uris: ["https://made.test/cb"]}
        apis:
          - identifier: https://api.umbrella.example
            scopes: {orders.read: Read your orders}
            roles: [{name: clerk, groups: [sales]}]
            grants: [{client_id: web, scope: orders.read}]
"""


@pytest.fixture
def file(tmp_path, database):
    """`file(text)` writes a blueprint; `file(text, dry=True)` says what it would do."""

    def write(text, name="b.yaml"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


def apply(*paths, **options):
    return blueprints.apply_files(paths, SYSTEM, **options)


def lines(report):
    return [str(change) for change in report.changes]


def mistake(path, **options):
    with pytest.raises(Mistake) as refusal:
        apply(path, **options)
    return refusal.value.description


def test_everything_that_a_file_names_is_made(file):
    report = apply(file(BASE))
    assert set(report.client_secrets) == {"umbrella/made"}
    with tenants.enter("umbrella") as tenant:
        assert tenant.policy.code_lifetime == 30
        assert tenant.active
        alice, web = users.show("alice"), clients.show("web")
        assert passwords.verify(alice, "correct horse battery staple")
        assert alice.claims == {"name": "Alice Adams", "birthdate": "1980-01-31", "org_unit": "Sales"}
        assert [group.name for group in group_store.of_user(alice.id)] == ["sales", "staff"]
        roles = {(role.name, role.client_id is not None, role.api_id is not None)
                 for role in group_store.roles_of_user(alice.id)}  # fmt: skip
        assert roles == {("reader", False, False), ("admin", True, False), ("clerk", False, True)}
        assert web.secret_matches("a-long-secret-of-32-characters-or-more", clock.now())
        assert web.setting("claims")[0]["claim"] == "department"
        assert clients.show("made").secret_matches(report.client_secrets["umbrella/made"], clock.now())
        api = api_store.by_identifier("https://api.umbrella.example")
        assert api.grants == {web.id: ("orders.read",)}
    assert directory.resolve("umbrella").branding.primary_color == "#0b5fff"


def test_applying_again_changes_nothing(file, database):
    path = file(BASE)
    rehearsed = lines(apply(path, dry_run=True))
    assert rehearsed[0] == "umbrella: create tenant umbrella"
    assert lines(apply(path)) == rehearsed
    before = database("SELECT count(*) FROM audit_log")
    assert apply(path).changes == []
    assert apply(path, dry_run=True).changes == []
    assert database("SELECT count(*) FROM audit_log") == before


def test_dry_run_says_what_would_change_and_changes_nothing(file, database):
    path = file(BASE)
    apply(path, dry_run=True)
    assert database("SELECT 1 FROM tenants") == []
    apply(path)
    changed = file(
        BASE.replace("Alice Adams", "Alice Archer").replace("code_lifetime: 30", "code_lifetime: 20")
        .replace("scope: openid profile", "scope: openid")
    )  # fmt: skip
    expected = [
        "umbrella: change tenant umbrella (policy.code_lifetime)",
        "umbrella: change client web (scope)",
        "umbrella: change user alice (name)",
    ]
    assert lines(apply(changed, dry_run=True)) == expected
    assert lines(apply(changed, dry_run=True)) == expected
    assert lines(apply(changed)) == expected
    assert apply(changed).changes == []


def test_a_tenant_that_is_not_there_is_rehearsed_to_the_last_grant(file):
    path = file("""
        tenants:
          - slug: umbrella
            groups: [{name: a, groups: [{name: b, parent: c}], roles: [r]}, {name: c, members: [ann, ann]}]
            clients: [{client_id: m2m, grant_types: [client_credentials], roles: [{name: op, users: [Ann]}]}]
            apis:
              - identifier: https://api.test
                scopes: {a: A, b: B}
                grants: [{client_id: m2m, scope: a}, {client_id: other, state: absent}]
                roles: [{name: clerk, groups: [a]}, {name: none, state: absent}]
            roles: [r, {name: s, api: "https://api.test", users: [ann]}]
            users: [{username: ann, groups: [b], roles: [{name: op, client_id: m2m}, {name: r, state: absent}]}]
        """)
    rehearsed = lines(apply(path, dry_run=True))
    assert "umbrella: create grant m2m for https://api.test" in rehearsed
    assert lines(apply(path)) == rehearsed
    unknown = file(BASE.replace("grants: [{client_id: web", "grants: [{client_id: nobody"))
    assert "grants[0].client_id: There is no such client." in mistake(unknown, dry_run=True)


def test_what_is_not_named_is_left_alone(file):
    apply(file(BASE))
    with tenants.enter("umbrella"):
        users.create({"username": "bob"})
        users.update("alice", {"nickname": "Al"})
        groups.add(groups.create("outside"), users.show("alice"))
        clients.create("other", {"redirect_uris": ["https://other.test/cb"]})
    assert apply(file(BASE)).changes == []
    apply(file("tenants: [{slug: umbrella}]"))
    with tenants.enter("umbrella"):
        assert users.show("bob")
        assert users.show("alice").claims["nickname"] == "Al"
        assert clients.show("other")
        assert tenants.show("umbrella").policy == {"code_lifetime": 30}


def test_absent_deletes(file):
    apply(file(BASE))
    report = apply(
        file("""
        tenants:
          - slug: umbrella
            users: [{username: alice, state: absent}, {username: nobody, state: absent}]
            clients: [{client_id: made, state: absent}]
            apis:
              - identifier: https://api.umbrella.example
                grants: [{client_id: web, state: absent}]
            roles: [{name: reader, state: absent}]
            groups: [{name: sales, state: absent}]
        """)
    )
    assert lines(report) == [
        "umbrella: delete group sales",
        "umbrella: delete client made",
        "umbrella: delete grant web for https://api.umbrella.example",
        "umbrella: delete role reader",
        "umbrella: delete user alice",
    ]
    with tenants.enter("umbrella"):
        for show, name in ((users.show, "alice"), (clients.show, "made"), (groups.show, "sales")):
            with pytest.raises(NotFound):
                show(name)
    assert lines(apply(file("tenants: [{slug: umbrella, state: absent}]"))) == [
        "umbrella: delete tenant umbrella"
    ]
    assert directory.resolve("umbrella") is None
    assert apply(file("tenants: [{slug: umbrella, state: absent}]")).changes == []
    apply(file(BASE))
    assert tenants.show("umbrella").status == "active"


def test_a_secret_is_changed_only_when_the_files_own_value_changed(file):
    apply(file(BASE))
    with tenants.enter("umbrella"):
        alice = users.show("alice")
        kept = credentials.password_source(alice.id)
        credentials.put_password(alice.id, passwords.hash("her own choice of words"), kept)  # she changed it
        clients.rotate_secret("web", client_secret="x" * 40)
    assert apply(file(BASE)).changes == []
    with tenants.enter("umbrella"):
        assert passwords.verify(users.show("alice"), "her own choice of words")
        assert clients.show("web").secret_matches("x" * 40, clock.now())
    new = BASE.replace("correct horse battery staple", "another one").replace(
        "a-long-secret", "b-long-secret"
    )
    assert lines(apply(file(new))) == [
        "umbrella: change client web (client_secret)",
        "umbrella: change user alice (password)",
    ]
    assert apply(file(new)).changes == []
    with tenants.enter("umbrella"):
        assert passwords.verify(users.show("alice"), "another one")
        web = clients.show("web")
        assert web.secret_matches("b-long-secret-of-32-characters-or-more", clock.now())
        assert not web.secret_matches("a-long-secret-of-32-characters-or-more", clock.now())


def test_all_or_nothing_across_tenants(file, database):
    apply(file("tenants: [{slug: first, users: [{username: ann}]}]"))
    wrong = file("""
        tenants:
          - slug: first
            name: Changed
            users: [{username: ann, name: Changed}, {username: new}]
          - slug: second
            users: [{username: bea, email: b@second.example}, {username: cat, email: b@second.example}]
        """)
    assert "b.yaml:7: tenants[1].users[1]: This username or e-mail address is taken." in mistake(wrong)
    assert tenants.show("first").name == "first"
    with tenants.enter("first"):
        assert users.show("ann").claims == {}
        with pytest.raises(NotFound):
            users.show("new")
    assert database("SELECT slug FROM tenants") == [("first",)]


def test_an_unfinished_tenant_is_finished_by_the_same_command(file, database):
    apply(file(BASE))
    database("UPDATE tenants SET status = 'provisioning'")
    database("DELETE FROM signing_keys")
    apply(file(BASE))
    assert tenants.show("umbrella").status == "active"
    assert database("SELECT count(*) FROM signing_keys") == [(4,)]


def test_several_files_in_their_order(file):
    one = file("tenants: [{slug: umbrella, users: [{username: alice, name: One}]}]", "1.yaml")
    two = file("tenants: [{slug: umbrella, users: [{username: alice, name: Two}]}]", "2.yaml")
    apply(one, two)
    with tenants.enter("umbrella"):
        assert users.show("alice").claims["name"] == "Two"


def test_secrets_from_environment_and_file(file, tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "ALICE", "from the environment")
    (tmp_path / "web.secret").write_text("w" * 40 + "\n")
    path = file("""
        tenants:
          - slug: umbrella
            users: [{username: alice, password: {env: ALICE}}]
            clients:
              - client_id: web
                client_secret: {file: web.secret}
                redirect_uris: ["https://web.test/cb"]
        """)
    apply(path)
    with tenants.enter("umbrella"):
        assert passwords.verify(users.show("alice"), "from the environment")
        assert clients.show("web").secret_matches("w" * 40, clock.now())
    assert apply(path).changes == []
    monkeypatch.setitem(os.environ, "ALICE", "another")
    assert lines(apply(path)) == ["umbrella: change user alice (password)"]
    monkeypatch.delitem(os.environ, "ALICE")
    assert mistake(path).endswith(":4: tenants[0].users[0].password: the environment has no ALICE.")


def test_plain_secrets_are_refused_in_production(file, settings):
    path = file(BASE)
    config.use(replace(settings, env="production"))
    try:
        assert "a plain secret is refused in production" in mistake(path)
        apply(file("tenants: [{slug: umbrella, users: [{username: alice}]}]"))
    finally:
        config.use(settings)


def test_password_hash(file):
    encoded = passwords.hash("made elsewhere")
    path = file(f"tenants: [{{slug: umbrella, users: [{{username: alice, password_hash: '{encoded}'}}]}}]")
    apply(path)
    assert apply(path).changes == []
    with tenants.enter("umbrella"):
        assert passwords.verify(users.show("alice"), "made elsewhere")


def test_a_hash_of_another_system(file):
    encoded = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    path = file(f"tenants: [{{slug: umbrella, users: [{{username: alice, password_hash: '{encoded}'}}]}}]")
    apply(path)
    with tenants.enter("umbrella"):
        assert credentials.has_imported()
        authenticate.with_password("alice", "U*U", "192.0.2.7")
        assert not credentials.has_imported() and passwords.verify(users.show("alice"), "U*U")
    assert apply(path).changes == []
    with tenants.enter("umbrella"):
        assert not credentials.has_imported()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tenants: [", "b.yaml:1: is no YAML"),
        ("tenants:\n  - slug: a\n    name: \"b\n    users: []\n", "b.yaml:3: is no YAML"),
        ("tenants:\n  - slug: a\n    users: [b\n    clients: []\n", "b.yaml:3: is no YAML"),
        ("tenants:\n  - slug: a\n    users\n    clients: []\n", "b.yaml:3: is no YAML"),
        ("tenants:\n  - slug: a\n    name: \x07\n", "b.yaml:3: is no YAML"),
        ("tenants:\n  - slug: a\n   name: b\n", "b.yaml:3: is no YAML"),
        ("tenants:\n  - slug: a\n    users:\n      - username: x\n        password_hash: short\n",
         "b.yaml:5: tenants[0].users[0].password_hash: password_hash must be Argon2 in PHC"),
        ("- a", "b.yaml:1: must be a mapping"),
        ("tenant: []", "b.yaml:1: tenant: is not known here."),
        ("tenants: {}", "b.yaml:1: tenants: must be a list."),
        ("tenants:\n  - slug: a\n    slug: b\n", "b.yaml:3: tenants[0].slug: stands here twice."),
        ("tenants:\n  - slug: a\n  - slug: a\n", "b.yaml:3: tenants[1].slug: stands here twice."),
        ("tenants:\n  - slug: A\n", "b.yaml:2: tenants[0].slug: slug must have"),
        ("tenants:\n  - name: A\n", "b.yaml:2: tenants[0]: must be a mapping with a slug."),
        ("tenants:\n  - slug: a\n    usres: []\n", "b.yaml:3: tenants[0].usres: is not known here."),
        ("tenants:\n  - slug: a\n    users: x\n", "b.yaml:3: tenants[0].users: must be a list."),
        ("tenants:\n  - slug: a\n    state: gone\n", "b.yaml:3: tenants[0].state: must be present or absent."),
        ("tenants:\n  - slug: a\n    policy:\n      code_lifetime: 1e9\n",
         "b.yaml:4: tenants[0].policy.code_lifetime:"),
        ("tenants:\n  - slug: a\n    policy:\n      nothing: 1\n", "b.yaml:4: tenants[0].policy.nothing:"),
        ("tenants:\n  - slug: a\n    branding: {primary_color: red}\n", "b.yaml:3: tenants[0].branding.primary_color:"),
        ("tenants:\n  - slug: a\n    users:\n      - name: x\n", "b.yaml:4: tenants[0].users[0].username: must be"),
        ("tenants:\n  - slug: a\n    users:\n      - username: x\n        emial: y\n",
         "b.yaml:5: tenants[0].users[0].emial: emial is not known here."),
        ("tenants:\n  - slug: a\n    users:\n      - username: x\n        email: y\n",
         "b.yaml:5: tenants[0].users[0].email: email must have exactly one @"),
        ("tenants:\n  - slug: a\n    users:\n      - username: x\n        groups: [none]\n",
         "b.yaml:5: tenants[0].users[0].groups[0]: There is no such group."),
        ("tenants:\n  - slug: a\n    users:\n      - username: x\n        password: ''\n",
         "b.yaml:5: tenants[0].users[0].password: must have 1 to 256 characters."),
        ("tenants:\n  - slug: a\n    clients:\n      - client_id: x\n",
         "b.yaml:4: tenants[0].clients[0].redirect_uris: redirect_uris must have at least one member."),
        ("tenants:\n  - slug: a\n    clients:\n      - client_id: x\n        redirect_uris:\n"
         "          - https://a.test/cb\n          - javascript:alert(1)\n",
         "b.yaml:7: tenants[0].clients[0].redirect_uris[1]: redirect_uris[1] must be https"),
        ("tenants:\n  - slug: a\n    clients:\n      - client_id: x\n        redirect_uris: [https://a.test/]\n"
         "        client_secret: short\n", "b.yaml:6: tenants[0].clients[0].client_secret: client_secret must have 32"),
        ("tenants:\n  - slug: a\n    clients:\n      - client_id: x\n        redirect_uris: [https://a.test/]\n"
         "        claims:\n          - claim: sub\n            constant: x\n",
         "b.yaml:7: tenants[0].clients[0].claims[0].claim: claims[0].claim is a reserved name."),
        ("tenants:\n  - slug: a\n    apis:\n      - identifier: https://a.test\n        scopes: {openid: x}\n",
         "b.yaml:5: tenants[0].apis[0].scopes.openid:"),
        ("tenants:\n  - slug: a\n    apis:\n      - identifier: https://a.test\n        scopes: {a: A}\n"
         "        grants:\n          - {client_id: none, scope: a}\n",
         "b.yaml:7: tenants[0].apis[0].grants[0].client_id: There is no such client."),
        ("tenants: !!python/object/apply:os.system ['true']", "b.yaml:1: tenants: has a tag that is not read here."),
        ("tenants:\n  - &a\n    slug: a\n    <<: *a\n", "b.yaml:4: tenants[0]: has a key that is no text."),
        ("tenants: &a [*a]", "b.yaml:1: holds too many values, or an alias of itself."),
        ("tenants:\n  - slug: a\n    1: x\n", "b.yaml:3: tenants[0]: has a key that is no text."),
        ("tenants: " + "[" * 30 + "]" * 30, "b.yaml:1: is nested deeper than 24 levels."),
        ("tenants: " + "[" * 100_000, "b.yaml:1: is nested deeper than 24 levels."),
        ("a: \x00", "b.yaml:1: is no YAML"),
    ],
)  # fmt: skip
def test_mistakes_name_file_line_and_field_and_change_nothing(file, database, text, words):
    path = file("")
    path.write_text(text)
    assert words in mistake(path)
    assert words in mistake(path, dry_run=True)
    assert database("SELECT 1 FROM tenants") == []


def test_billion_laughs(file):
    path = file("")
    laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path.write_text("\n".join(laughs))
    assert "too many values" in mistake(path)


def test_a_mistake_never_shows_a_secret(file):
    path = file("")
    path.write_text("tenants:\n  - slug: a\n    users:\n      - {username: x, password: tell-nobody, : [}\n")
    assert "tell-nobody" not in mistake(path)
    path.write_text(
        "tenants:\n  - slug: a\n    clients:\n      - {client_id: x, client_secret: tell-nobody}\n"
    )
    assert "tell-nobody" not in mistake(path)


def test_au03_no_secret_in_the_audit(file, database):
    apply(file(BASE), dry_run=False)
    rows = str(database("SELECT actor, facts FROM audit_log"))
    for secret in ("correct horse", "a-long-secret"):
        assert secret not in rows
    assert "blueprint.applied" in str(database("SELECT event FROM audit_log"))


def test_every_change_names_its_actor(file, database):
    blueprints.apply_files([file(BASE)], Actor("operator", "carol", reason="ticket 7"))
    found = database(
        "SELECT DISTINCT actor->>'id', actor->>'reason' FROM audit_log WHERE event NOT LIKE 'key.%'"
    )
    assert found == [("carol", "ticket 7")]


def test_twins_are_apart(file):
    both = BASE + textwrap.indent(textwrap.dedent(BASE.split("tenants:\n")[1]), "      ").replace(
        "slug: umbrella", "slug: globex"
    )
    report = apply(file(both))
    assert {change.tenant for change in report.changes} == {"umbrella", "globex"}
    one, two = tenants.as_tenant(tenants.show("umbrella")), tenants.as_tenant(tenants.show("globex"))
    with entered(one):
        ours = users.show("alice")
        users.update("alice", {"name": "Changed"})
    with entered(two):
        assert users.show("alice").id != ours.id
        assert users.show("alice").claims["name"] == "Alice Adams"


def test_status(file):
    apply(
        file("tenants: [{slug: umbrella, status: suspended, users: [{username: alice, status: disabled}]}]")
    )
    assert tenants.show("umbrella").status == "suspended"
    apply(file("tenants: [{slug: umbrella, users: [{username: alice}]}]"))
    assert tenants.show("umbrella").status == "suspended"
    apply(file("tenants: [{slug: umbrella, status: active, users: [{username: alice, status: active}]}]"))
    assert tenants.show("umbrella").status == "active"
    with tenants.enter("umbrella"):
        assert users.show("alice").active


def test_hosts_are_noted_and_belong_to_one_tenant(file):
    path = file("tenants: [{slug: umbrella, hosts: [id.umbrella.example]}]")
    apply(path)
    assert [(host.host, host.status) for host in tenants.show("umbrella").hosts] == [
        ("id.umbrella.example", "pending")
    ]
    assert apply(path).changes == []
    other = file("tenants:\n  - slug: other\n    hosts: [id.umbrella.example]\n")
    assert "b.yaml:3: tenants[0].hosts[0]: This host belongs to another tenant." in mistake(other)
    assert "hosts[0]: host must" in mistake(file("tenants: [{slug: umbrella, hosts: [UPPER.example]}]"))


def test_a_large_file_changes_what_it_must(file, monkeypatch):
    monkeypatch.setattr(
        passwords, "hash", lambda _: "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"
    )
    people = "".join(
        f"      - {{username: user{n}, password: p{n}, email: u{n}@big.example}}\n" for n in range(300)
    )
    path = file("")
    path.write_text(f"tenants:\n  - slug: big\n    users:\n{people}")
    assert len(apply(path).changes) == 301
    assert apply(path).changes == []
