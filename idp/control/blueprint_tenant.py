"""One tenant of a blueprint against the entered tenant: what differs is made, changed or deleted, by the verbs.

What the file names is made so; what it does not name is left alone: a field that does not stand there keeps its
value, and so does everybody's membership. `state: absent` deletes what it stands at. Order: what others refer to
comes first.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from idp.accounts import passwords
from idp.control import apis, clients, upstreams, users
from idp.control.blueprint_file import secret
from idp.control.blueprint_mail import sender, words
from idp.control.blueprint_members import connect, group, own_roles, role
from idp.control.blueprint_work import Work, absent, gone, listed, named, same_source, source
from idp.errors import NotFound
from idp.store.durable import credentials
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.store.durable.users import User
from idp.tenants import current

# A hash of ours of nothing: it stands in where a password would be hashed only to be rolled back
_STAND_IN = (
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def reconcile(work: Work, entry: Mapping[str, Any], where: str) -> None:
    """Make the entered tenant match `entry`, which stands at `where`. Raises Mistake."""
    for name, step in STEPS:
        for index, member in enumerate(listed(work.file, entry, where, name)):
            at = f"{where}.{name}[{index}]"
            with work.file.at(at):
                step(work, member, at)
    connect(work, entry, where)


def _client(work: Work, given: object, where: str) -> None:
    entry = named(work, given, where, "client_id")
    name = entry["client_id"]
    if absent(entry):
        return gone(work, "client", name, lambda: clients.delete(name, work.actor))
    apart = ("client_id", "client_secret", "state", "roles")
    fields = {key: value for key, value in entry.items() if key not in apart}
    value = secret(work.file, f"{where}.client_secret", entry.get("client_secret"), plain=work.plain_secrets)
    present = _find_client(name)
    if present is None:
        digest = source("client_secret", name, value)
        made = clients.create(name, fields, work.actor, client_secret=value, source_digest=digest)
        work.note("client", name, "create")
    else:
        made = clients.update(name, fields, work.actor)
        changed = clients.differences(present, made.client)
        if value is not None and _new_secret(work, made.client, value):
            changed.append("client_secret")
        if changed:
            work.note("client", name, "change", *changed)
    if made.client_secret:
        work.client_secrets[f"{current().slug}/{name}"] = made.client_secret
    return own_roles(work, entry, where, made.client, None)


def _find_client(name: str) -> Client | None:
    try:
        return clients.show(name)
    except NotFound:
        return None


def _new_secret(work: Work, client: Client, value: str) -> bool:
    """Give a client the file's secret when that is new; whether it was."""
    clients.checked_secret(value)
    if any(
        same_source(kept.source_digest, "client_secret", client.client_id, value) for kept in client.secrets
    ):
        return False
    clients.rotate_secret(
        client.client_id,
        work.actor,
        client_secret=value,
        source_digest=source("client_secret", client.client_id, value),
        keep_old=timedelta(0),
    )
    return True


def _upstream(work: Work, given: object, where: str) -> None:
    entry = named(work, given, where, "name")
    name = entry["name"]
    if absent(entry):
        return gone(work, "upstream", name, lambda: upstreams.delete(name, work.actor))
    fields = {key: value for key, value in entry.items() if key not in ("name", "client_secret", "state")}
    value = secret(work.file, f"{where}.client_secret", entry.get("client_secret"), plain=work.plain_secrets)
    digest = source("upstream_secret", name, value)
    try:
        present = upstreams.show(name)
    except NotFound:
        upstreams.create(name, fields, work.actor, client_secret=value, source_digest=digest)
        return work.note("upstream", name, "create")
    new = value is not None and not same_source(present.source_digest, "upstream_secret", name, value)
    made = upstreams.update(
        name, fields, work.actor, client_secret=value if new else None, source_digest=digest if new else None
    )
    changed = upstreams.differences(present, made) + (["client_secret"] if new else [])
    if changed:
        work.note("upstream", name, "change", *changed)
    return None


def _api(work: Work, given: object, where: str) -> None:
    entry = named(work, given, where, "identifier")
    name = entry["identifier"]
    if absent(entry):
        return gone(work, "api", name, lambda: apis.delete(name, work.actor))
    fields = {
        key: value for key, value in entry.items() if key not in ("identifier", "state", "grants", "roles")
    }
    try:
        present = apis.show(name)
    except NotFound:
        api = apis.create(name, fields, work.actor)
        work.note("api", name, "create")
    else:
        api = apis.update(name, fields, work.actor)
        if changed := apis.differences(present, api):
            work.note("api", name, "change", *changed)
    for index, grant in enumerate(listed(work.file, entry, where, "grants")):
        with work.file.at(f"{where}.grants[{index}]"):
            _grant(work, api, grant, f"{where}.grants[{index}]")
    return own_roles(work, entry, where, None, api)


def _grant(work: Work, api: Api, given: object, where: str) -> None:
    entry = named(work, given, where, "client_id", ("scope",))
    shown = f"{entry['client_id']} for {api.identifier}"
    if absent(entry):
        client = _find_client(entry["client_id"])
        if client is not None and apis.ungrant(api, client, work.actor):
            work.note("grant", shown, "delete")
        return
    client = clients.show(entry["client_id"])
    scopes = apis.granted(api, entry.get("scope"))
    if apis.grant(api, client, scopes, work.actor):
        work.note("grant", shown, "change" if client.id in api.grants else "create")


def _user(work: Work, given: object, where: str) -> None:
    entry = named(work, given, where, "username")
    name = entry["username"]
    if absent(entry):
        return gone(work, "user", name, lambda: users.delete(name, work.actor))
    fields = {
        key: value for key, value in entry.items() if key not in (*users.SECRET, "state", "groups", "roles")
    }
    present = _find_user(name)
    kind, value = _password(work, entry, where)
    digest = source(kind, name, value)
    kept = credentials.password_source(present.id) if present else None
    new = value is not None and not same_source(kept, kind, name, value)
    if new:
        fields["password_hash"] = _hashed(work, kind, str(value), where)
    if present is None:
        users.create(fields, work.actor, source_digest=digest)
        return work.note("user", name, "create")
    own, claims = users.checked({key: value for key, value in fields.items() if key != "password_hash"})
    changed = users.differences(present, own, claims) + ([kind] if new else [])
    if changed:
        users.update(name, fields, work.actor, source_digest=digest)
        work.note("user", name, "change", *changed)
    return None


def _find_user(name: str) -> User | None:
    try:
        return users.show(name)
    except NotFound:
        return None


def _password(work: Work, entry: Mapping[str, Any], where: str) -> tuple[str, str | None]:
    given = [name for name in users.SECRET if entry.get(name) is not None]
    if len(given) > 1:
        raise work.file.mistake(f"{where}.password_hash", "must not stand beside password.")
    kind = given[0] if given else "password"
    plain = work.plain_secrets or kind == "password_hash"
    return kind, secret(work.file, f"{where}.{kind}", entry.get(kind), plain=plain)


def _hashed(work: Work, kind: str, value: str, where: str) -> str:
    """The hash of a password: made once, for the rehearsal, so that the real transaction stays short."""
    with work.file.at(f"{where}.{kind}"):
        if kind == "password_hash":
            return passwords.accepted(value)
        if where not in work.hashes:
            if not 1 <= len(value) <= passwords.LONGEST:
                raise work.file.mistake(
                    f"{where}.password", f"must have 1 to {passwords.LONGEST} characters."
                )
            work.hashes[where] = passwords.hash(value) if work.hashing else _STAND_IN
        return work.hashes[where]


STEPS: tuple[tuple[str, Callable[[Work, Any, str], None]], ...] = (
    ("groups", group),
    ("upstreams", _upstream),
    ("clients", _client),
    ("apis", _api),
    ("roles", role),
    ("users", _user),
    ("senders", sender),
    ("mail_texts", words),
)
"""The objects of a tenant, in the order in which they are made."""
