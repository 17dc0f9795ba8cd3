"""Jobs of the worker that are told another tenant's names: what one canary's messages say of the other's things."""

import json
from contextlib import closing
from time import sleep
from typing import Any
from uuid import uuid4

from redis import Redis

from idp.prove import wallet
from idp.prove.clock import elapsed
from idp.prove.database import connect
from idp.prove.promises import NotProved, Tally, Unexpected
from idp.prove.target import Canary, Target
from idp.prove.wallet import Wallet
from idp.prove.wire import Net

SOON = 15.0
"""Seconds within which the worker has tried a message."""
_LIVE = "SELECT id, digest, user_id, sid FROM sessions WHERE ended_at IS NULL ORDER BY id"
_CLIENTS = "SELECT id FROM clients ORDER BY id"
_LEFT = "SELECT count(*) FROM outbox WHERE id = ANY (%s::uuid[]) AND attempts = 0"
_NOTICES = "SELECT id FROM outbox WHERE topic IN ('session.drop', 'logout.notice') ORDER BY id"
_MESSAGES = (
    "SELECT (SELECT count(*) FROM outbox WHERE id = ANY (%s::uuid[])), "
    "(SELECT count(*) FROM undelivered WHERE id = ANY (%s::uuid[]))"
)
_PLANT = (
    "INSERT INTO outbox (tenant_id, id, topic, payload, attempts, run_after, created_at, recipient) "
    "VALUES (%s, %s, %s, %s, 0, now() - interval '1 second', now(), %s)"
)

Message = tuple[str, dict[str, str], str | None]
"""Topic, payload and recipient."""


class Within:
    """Statements of the runtime role under one canary's context, each committed."""

    def __init__(self, connection: Any, canary: Canary) -> None:
        """`connection`: open, and in no transaction."""
        self._connection, self._context = connection, canary.context

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement. Raises psycopg2.Error."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.ctx', %s, true)", (self._context,))
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []


def misled(target: Target, tally: Tally) -> None:
    """The worker carries out one canary's messages that name the other's sessions, people and clients."""
    with Net() as net, closing(connect(target.database_url)) as connection:
        for own, victim in ((target.a, target.b), (target.b, target.a)):
            held = wallet.of(net, target, victim)
            _misled(target, tally, held, Within(connection, own), Within(connection, victim))
            _whole(net, tally, held)


def _misled(target: Target, tally: Tally, held: Wallet, own: Within, theirs: Within) -> None:
    sessions, clients = theirs(_LIVE), theirs(_CLIENTS)
    if not sessions or not clients:
        raise Unexpected("A canary whose person is signed in has no session and no client.")
    before = _copies(target, held.canary, sessions), theirs(_NOTICES), sessions
    messages = _messages(held.canary, sessions, clients)
    mine = target.a if held.canary is target.b else target.b
    ids = [str(uuid4()) for _ in messages]
    for identifier, (topic, payload, recipient) in zip(ids, messages, strict=True):
        own(_PLANT, mine.id, identifier, topic, json.dumps(payload), recipient)
    until = elapsed() + SOON
    while own(_LEFT, ids) != [(0,)] and elapsed() < until:
        sleep(0.1)
    if own(_LEFT, ids) != [(0,)]:
        raise NotProved(
            f"The worker has not tried a canary's message for {SOON:.0f} s; see that `idp worker` runs."
        )
    after = _copies(target, held.canary, sessions), theirs(_NOTICES), theirs(_LIVE)
    names = ("copies of sessions", "messages", "sessions")
    for name, then, now in zip(names, before, after, strict=True):
        tally.expect(then == now, f"A job that was told another tenant's names changed that tenant's {name}.")
    for topic, _payload, _recipient in messages:
        tally.expect(
            theirs(_MESSAGES, ids, ids) == [(0, 0)], f"A message of the topic {topic} went to another tenant."
        )


def _messages(
    victim: Canary, sessions: list[tuple[Any, ...]], clients: list[tuple[Any, ...]]
) -> list[Message]:
    """What a careless job could take at its word: each topic with the names of the other tenant."""
    identifier, digest, user, sid = sessions[0]
    drops = [bytes(row[1]).hex() for row in sessions]
    found: list[Message] = [("session.drop", {"digest": each}, None) for each in drops]
    for (client,) in clients:
        notice = {"client": str(client), "user": str(user), "sid": str(sid), "issuer": victim.issuer}
        found.append(("logout.notice", notice, str(client)))
    also = {"tenant": victim.slug, "tenant_id": victim.id, "session": str(identifier)}
    return [*found, ("session.drop", {"digest": bytes(digest).hex(), **also}, None)]


def _copies(target: Target, victim: Canary, sessions: list[tuple[Any, ...]]) -> dict[str, bytes | None]:
    """What Redis holds of these sessions in their tenant's name."""
    with Redis.from_url(target.redis_admin_url or target.redis_url, socket_timeout=5) as client:
        names = [f"idp:{{{victim.id}}}:session:{bytes(digest).hex()}" for _, digest, *_ in sessions]
        return {name: client.get(name) for name in names}


def _whole(net: Net, tally: Tally, held: Wallet) -> None:
    client = wallet.party(net, held.canary)
    found = client.returned(client.authorize(wallet.signed_in(net, held), prompt="none"))
    tally.expect("code" in found, "A session ended by a job of another tenant.")
    told = client.introspect(held.tokens["refresh_token"]).json()
    tally.expect(told.get("active") is True, "A refresh token ended by a job of another tenant.")
