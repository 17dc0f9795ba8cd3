"""Bytes kept ready: never those of a tenant that was overtaken while they were made."""

from typing import Any
from uuid import uuid4

import pytest

from idp import clock, directory
from idp.tenants import Tenant
from idp.web import parse
from idp.web.fast import KEEP, Fast, Kept

HOST, PATH = "localhost", "/t/acme/jwks.json"


class Maker:
    """What is behind: makes a document as of the tenant that it was given, and can be interrupted."""

    def __init__(self) -> None:
        self.made = 0
        self.tenant: Tenant | None = None
        self.meanwhile: Any = lambda: None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert self.tenant is not None
        self.made += 1
        body = str(self.tenant.version).encode()
        kept = Kept.of(body, "application/json", f'"{self.tenant.version}"', "public", self.tenant)
        self.meanwhile()
        environ["wsgi.idp_box"]["kept"] = kept
        start_response("200 OK", [])
        return [body]


@pytest.fixture
def maker(acme: Tenant) -> Maker:
    made = Maker()
    made.tenant = acme
    return made


@pytest.fixture
def fast(maker: Maker) -> Any:
    made = Fast(maker, proxied=False, hsts=False)
    yield made
    directory._directory.listeners.remove(made.forget)


def ask(fast: Fast) -> bytes:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": PATH, "HTTP_HOST": HOST}
    return b"".join(fast(environ, lambda *_: None))


TOO_MUCH = {
    "414": {"QUERY_STRING": "q" * parse.URL_BYTES},
    "431": {"HTTP_X_LONG": "h" * parse.HEADER_BYTES},
    "431 by names": {f"HTTP_X_{'N' * 400}_{n}": "" for n in range(45)},
    "400": {"HTTP_TRANSFER_ENCODING": "chunked"},
    "413": {"CONTENT_LENGTH": str(parse.BODY_BYTES + 1)},
}


@pytest.mark.parametrize("status", TOO_MUCH)
def test_what_is_kept_has_the_same_bounds(app: Any, acme: Tenant, status: str) -> None:
    http = app.test_client()
    assert http.get(PATH).status_code == 200
    assert http.get(PATH, query_string={"q": "x" * 100}).status_code == 200
    answer = http.get(PATH, environ_overrides=TOO_MUCH[status])
    assert answer.status_code == int(status[:3])
    assert http.get(PATH).status_code == 200


def change(database: Any) -> None:
    """Somebody changes the tenant, and this process hears of it."""
    database("UPDATE tenants SET version = version + 1, changed_at = clock_timestamp() WHERE slug = 'acme'")
    directory.poll()


def test_a_document_is_kept(fast: Fast, maker: Maker) -> None:
    assert ask(fast) == ask(fast)
    assert maker.made == 1


def test_a_change_drops_it(fast: Fast, maker: Maker, database: Any) -> None:
    ask(fast)
    change(database)
    maker.tenant = directory.resolve("acme")
    assert ask(fast) == str(maker.tenant.version).encode()  # type: ignore[union-attr]
    assert maker.made == 2


@pytest.mark.parametrize("read_again", [False, True], ids=["unknown", "newer"])
def test_a_document_that_was_overtaken_is_not_kept(
    fast: Fast, maker: Maker, database: Any, read_again: bool
) -> None:
    def overtake() -> None:
        change(database)
        if read_again:
            directory.resolve("acme")

    maker.meanwhile = overtake
    ask(fast)
    maker.meanwhile = lambda: None
    assert fast._entries == {}
    maker.tenant = directory.resolve("acme")
    assert ask(fast) == ask(fast) == str(maker.tenant.version).encode()  # type: ignore[union-attr]
    assert maker.made == 2


def test_it_is_made_again_after_a_quarter_of_an_hour(fast: Fast, maker: Maker, frozen: Any) -> None:
    with frozen(clock.now()) as hands:
        directory.forget_all()
        maker.tenant = directory.resolve("acme")
        ask(fast)
        hands.tick(KEEP + 1)
        directory.resolve("acme")
        ask(fast)
    assert maker.made == 2


def test_what_the_documents_of_many_tenants_have_in_common_is_there_once() -> None:
    made = {}
    for slug in ("acme", "globex"):
        tenant = Tenant(uuid4(), slug, slug, "active", f"http://localhost:8000/t/{slug}")
        body = f'{{"issuer":"{tenant.issuer}","jwks_uri":"{tenant.issuer}/jwks.json"}}'.encode()
        made[slug] = Kept.of(body, "application/json", '"e"', "public", tenant), body
    (one, first), (other, second) = made["acme"], made["globex"]
    assert (one.body(), other.body()) == (first, second)
    assert one.parts is other.parts
    assert one.alike is other.alike
    own = Kept.of(b'{"keys":[]}', "application/json", '"e"', "public", tenant)
    assert own.body() == b'{"keys":[]}'
    assert own.size() > one.size()


@pytest.mark.parametrize("path", ["/t/acme/jwks.json", "/t/acme/.well-known/openid-configuration"])
def test_the_first_answer_is_as_every_later_one(app: Any, acme: Any, path: str) -> None:
    directory.forget_all()
    answers = [app.test_client().get(path) for _ in range(3)]
    unlike = {"X-Request-Id"}
    shown = [[pair for pair in answer.headers if pair[0] not in unlike] for answer in answers]
    assert shown[0] == shown[1] == shown[2] and answers[0].data == answers[2].data
    again = app.test_client().get(path, headers={"If-None-Match": answers[0].headers["ETag"]})
    assert again.status_code == 304
