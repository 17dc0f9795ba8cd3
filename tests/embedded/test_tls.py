"""`idp up --tls`: an authority for this machine alone, what it vouches for, and what the server speaks with it."""

import datetime as dt
import http.client
import json
import os
import re
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from idp.config import Settings
from idp.embedded import NotPossible, authority
from idp.prove.wire import Net
from idp.web import headers
from tests.playing import inputs
from tests.running import Up, free_ports, idp, up

FILES = ("local-ca.crt", "local-ca.key", "local-server.crt", "local-server.key")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A new deployment that speaks https, with its demonstration."""
    home = tmp_path_factory.mktemp("tls") / "home"
    with up(home, "--tls", "--demo", port=free_ports()) as started:
        started.wait_ready()
        yield started
        assert started.end() == 0


def ca(running: Up) -> str:
    return str(running.home / "keys" / "local-ca.crt")


def handshake(running: Up, context: ssl.SSLContext, host: str = "localhost") -> tuple[str, str]:
    """Version and suite of a connection."""
    with (
        closing(socket.create_connection(("127.0.0.1", running.port), 10)) as raw,
        context.wrap_socket(raw, server_hostname=host) as line,
    ):
        return str(line.version()), line.cipher()[0]


def trusting(running: Up, **limits: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that trusts the authority and nobody else, strictly by RFC 5280."""
    context = ssl.create_default_context(cafile=ca(running))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, value in limits.items():
            setattr(context, name, value)
    return context


def test_the_ready_line_the_issuers_and_env_say_https_and_one_line_says_whom_to_trust(running: Up) -> None:
    base = f"https://localhost:{running.port}"
    assert running.lines[-1] == f"ready {base}"
    (told,) = [line for line in running.lines if line.startswith("Trust")]
    assert f"curl --cacert {ca(running)}" in told
    assert running.env()["base_url"] == base
    found = requests.get(f"{base}/t/acme/.well-known/openid-configuration", verify=ca(running), timeout=20)
    document = found.json()
    assert document["issuer"] == f"{base}/t/acme"
    addresses = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri", "_iframe"))]
    assert addresses
    assert not [address for address in addresses if not address.startswith(f"{base}/t/acme/")]
    keys = requests.get(document["jwks_uri"], verify=ca(running), timeout=20).json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) > 1
    assert "Strict-Transport-Security" not in found.headers, (
        "it would bind the demonstration on its own port too"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_chain_holds_for_each_name_of_this_machine_and_for_no_other(running: Up, host: str) -> None:
    assert handshake(running, trusting(running), host)[0] == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(running, trusting(running), "id.example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(running, ssl.create_default_context(cafile=None), host)


def test_tls_1_3_and_1_2_are_spoken_and_nothing_older(running: Up) -> None:
    v = ssl.TLSVersion
    assert handshake(running, trusting(running, minimum_version=v.TLSv1_3))[0] == "TLSv1.3"
    twelve = trusting(running, minimum_version=v.TLSv1_2, maximum_version=v.TLSv1_2)
    assert handshake(running, twelve)[0] == "TLSv1.2"
    old = trusting(running, minimum_version=v.TLSv1_1, maximum_version=v.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)alert|protocol"):
        handshake(running, old)


def test_every_suite_of_tls_1_2_that_is_taken_has_ecdhe_and_aead(running: Up) -> None:
    """Each suite that this machine's library knows is offered alone."""
    v = ssl.TLSVersion
    known = ssl.create_default_context()
    known.set_ciphers("ALL:!aNULL:!PSK:!SRP:@SECLEVEL=0")
    taken, refused = [], []
    for suite in (each["name"] for each in known.get_ciphers() if each["protocol"] != "TLSv1.3"):
        context = trusting(running, minimum_version=v.TLSv1_2, maximum_version=v.TLSv1_2)
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
        try:
            taken.append(handshake(running, context)[1])
        except ssl.SSLError:
            refused.append(suite)
    assert taken
    assert not [
        suite for suite in taken if not re.fullmatch(r"ECDHE-.*(GCM-SHA\d+|CHACHA20-POLY1305)", suite)
    ]
    assert {"AES128-GCM-SHA256", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"} <= set(refused)


def test_plain_http_on_the_same_port_is_no_answer(running: Up) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        running.status("/livez")


def test_alice_signs_in_calls_the_service_refreshes_and_signs_out_over_https(running: Up) -> None:
    application = f"http://localhost:{running.port + 1}"
    base = f"https://localhost:{running.port}"
    browser = requests.Session()
    browser.verify, browser.trust_env = ca(running), False
    page = browser.get(f"{application}/sign-in", timeout=20)
    assert page.url.startswith(f"{base}/t/acme/interaction/login")
    ours = [cookie for cookie in browser.cookies if "idp_acme" in cookie.name]
    assert ours
    assert all(cookie.secure and cookie.name.startswith("__Host-") for cookie in ours)
    form = {"username": "alice", "password": "correct horse battery staple", "action": "login"}
    home = browser.post(page.url, data={**inputs(page.text), **form}, timeout=20)
    assert home.url == f"{application}/"
    assert "Alice Adams" in home.text
    assert "The service answered 200." in browser.post(f"{application}/call", timeout=20).text
    assert "There is a new access token" in browser.post(f"{application}/refresh", timeout=20).text
    question = browser.post(f"{application}/sign-out", timeout=20)
    assert question.url.startswith(f"{base}/t/acme/logout")
    assert question.status_code == 200


def test_commands_trust_what_the_deployment_shows(running: Up) -> None:
    done = idp("doctor", "--json", "--home", str(running.home), SSL_CERT_FILE="/dev/null")
    found = {
        each["name"]: (each["state"], each["findings"]) for each in json.loads(done.stdout)["examinations"]
    }
    assert found["tls"] == found["cookies"] == found["discovery"] == ("ok", []), done.stdout
    assert found["proxies"][0] == "ok", "https ends here, at no proxy"


def test_the_provers_connection_that_ended_meanwhile_is_made_anew(keys: Path) -> None:
    """A server that closes an idle connection does not always say so in the words of TLS."""
    known = authority.certificate(keys, [])
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(known.chain, known.key)
    with closing(socket.create_server(("127.0.0.1", 0))) as door, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(known.authority))
        door.settimeout(20)
        server = threading.Thread(target=answer_and_hang_up, args=(door, shown, 2))
        server.start()
        with Net() as net:
            url = f"https://localhost:{door.getsockname()[1]}/"
            assert [net.get(url).text, net.get(url).text] == ["yes", "yes"]
        server.join(20)


def answer_and_hang_up(door: socket.socket, shown: ssl.SSLContext, times: int) -> None:
    """Answer one request a connection, which ends without a word."""
    for _ in range(times):
        with closing(door.accept()[0]) as raw:
            line = shown.wrap_socket(raw, server_side=True)
            line.recv(4096)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
            os.close(line.detach())


def test_the_files_are_private_where_they_are_secret_and_are_used_again(running: Up, tmp_path: Path) -> None:
    keys = running.home / "keys"
    modes = {name: (keys / name).stat().st_mode & 0o777 for name in FILES}
    assert modes == {name: 0o600 if name.endswith(".key") else 0o644 for name in FILES}
    before = {name: (keys / name).read_bytes() for name in FILES}
    authority.certificate(keys, ["localhost"])
    assert {name: (keys / name).read_bytes() for name in FILES} == before


def test_the_next_start_speaks_as_the_last_one_did_with_the_same_certificate(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with up(home, "--tls") as first:
        first.wait_ready()
        assert first.end() == 0
    before = {name: (home / "keys" / name).read_bytes() for name in FILES}
    with up(home, port=first.port) as again:
        again.wait_ready()
        assert again.lines[-1] == f"ready https://localhost:{first.port}"
        assert again.end() == 0
    assert {name: (home / "keys" / name).read_bytes() for name in FILES} == before
    (home / "keys" / "local-server.crt").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    broken = idp("up", "--home", str(home), "--no-demo")
    assert (broken.returncode, broken.stdout, broken.stderr.count("\n")) == (2, "", 1)
    assert f"{home}/keys/local-server.crt is no certificate that can be read: delete it" in broken.stderr
    with up(home, "--no-tls", port=first.port) as plain:
        plain.wait_ready()
        assert plain.lines[-1] == f"ready http://localhost:{first.port}"
        assert plain.end() == 0


def test_a_key_that_others_could_read_is_closed_again(tmp_path: Path) -> None:
    authority.certificate(tmp_path, [])
    for name in ("local-ca.key", "local-server.key"):
        (tmp_path / name).chmod(0o644)
    authority.certificate(tmp_path, [])
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in FILES if name.endswith(".key")} == {0o600}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    authority.certificate(tmp_path, [])
    return tmp_path


def contents(keys: Path) -> dict[str, bytes]:
    return {name: (keys / name).read_bytes() for name in FILES}


def names(keys: Path) -> set[str]:
    held = x509.load_pem_x509_certificate((keys / "local-server.crt").read_bytes())
    return {
        str(each.value) for each in held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    }


def test_other_host_names_get_another_certificate_of_the_same_authority(keys: Path) -> None:
    before = contents(keys)
    authority.certificate(keys, ["id.test", "*.id.test"])
    after = contents(keys)
    assert names(keys) == {"localhost", "127.0.0.1", "::1", "id.test", "*.id.test"}
    assert after["local-ca.crt"] == before["local-ca.crt"]
    assert after["local-server.key"] != before["local-server.key"]
    authority.certificate(keys, [])
    assert names(keys) == {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("days", "server", "whole"),
    [(300, False, False), (336, True, False), (3300, True, True), (-1, False, False)],
)
def test_what_nears_its_end_is_made_anew_before_it_ends(keys: Path, frozen, days, server, whole) -> None:
    before = contents(keys)
    with frozen(dt.datetime.now(dt.UTC) + dt.timedelta(days=days)):
        authority.certificate(keys, [])
    after = contents(keys)
    assert (after["local-server.crt"] != before["local-server.crt"]) == server
    assert (after["local-ca.crt"] != before["local-ca.crt"]) == whole


def test_the_authority_vouches_for_this_machine_alone_and_says_so_itself(keys: Path) -> None:
    held = x509.load_pem_x509_certificate((keys / "local-ca.crt").read_bytes())
    found = held.extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    assert {str(each.value) for each in found.value.permitted_subtrees} == {
        "localhost", "test", "127.0.0.1/32", "::1/128",
    }  # fmt: skip
    basic = held.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)


@pytest.mark.parametrize("name", ["id.example.com", "localhost.example.com", "10.0.0.1"])
def test_a_stolen_authority_cannot_vouch_for_anybody_else(keys: Path, name: str, monkeypatch) -> None:
    """A certificate that its key signs for another name is refused by whoever trusts it."""
    with pytest.raises(NotPossible, match="names of this machine alone"):
        authority.certificate(keys, [name])
    monkeypatch.setattr(authority, "possible", lambda _host: True)
    monkeypatch.setattr(authority, "ADDRESSES", (*authority.ADDRESSES, "10.0.0.1"))
    monkeypatch.setattr(authority, "_vouches", lambda _held: True)
    forged = authority.certificate(keys, [name])
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(forged.chain, forged.key)
    assert refused(shown, ssl.create_default_context(cafile=str(forged.authority)), name)


def refused(shown: ssl.SSLContext, trusting: ssl.SSLContext, name: str) -> bool:
    """Whether a client refuses what a server shows as `name`, in memory and in this thread."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(incoming, outgoing, server_hostname=name)
    server = shown.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as problem:
                return "permitted subtree violation" in problem.verify_message
    return False


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence_and_left_alone(keys: Path, file: str) -> None:
    (keys / file).write_bytes(b"nonsense")
    with pytest.raises(
        NotPossible, match=rf"{file} is no (certificate|private key) that can be read: delete it"
    ):
        authority.certificate(keys, [])
    assert (keys / file).read_bytes() == b"nonsense"


@pytest.mark.parametrize("file", FILES)
def test_a_lost_file_or_one_of_another_pair_is_made_anew(keys: Path, file: str, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("other")
    authority.certificate(other, [])
    for change in (
        lambda: (keys / file).unlink(),
        lambda: (keys / file).write_bytes((other / file).read_bytes()),
    ):
        change()
        made = authority.certificate(keys, [])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.chain, made.key)
        chain = x509.load_pem_x509_certificates(made.chain.read_bytes())
        assert chain[1] == x509.load_pem_x509_certificate(made.authority.read_bytes())
        chain[0].verify_directly_issued_by(chain[1])


def test_an_authority_without_our_limits_is_not_used(keys: Path) -> None:
    """One that vouches for everybody, as other tools make them, would be a danger to whoever trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=3000))
    held = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    (keys / "local-ca.crt").write_bytes(authority._public(held))
    (keys / "local-ca.key").write_bytes(authority._private(key))
    authority.certificate(keys, [])
    ours = x509.load_pem_x509_certificate((keys / "local-ca.crt").read_bytes())
    assert ours != held
    assert ours.extensions.get_extension_for_class(x509.NameConstraints)


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        ((), {"IDP_BASE_URL": "http://localhost:8123"}, "--tls needs a base URL of https"),
        ((), {"IDP_BASE_URL": "https://id.example.com"}, "vouches for names of this machine alone"),
        ((), {"IDP_ENV": "production"}, "--tls needs IDP_ENV=development: IDP_ENV is production"),
        (
            ("--demo",),
            {"IDP_BASE_URL": "https://id.test"},
            "--demo needs a base URL on this machine's loopback",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments, given, words) -> None:
    done = idp("up", "--tls", "--home", str(tmp_path / "home"), *arguments, **given)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert words in done.stderr


def test_serve_tells_a_pair_that_does_not_fit_in_one_sentence(services, keys: Path) -> None:
    settings = services.settings
    known = authority.files(keys)
    given = {"IDP_HOME": str(settings.home), "IDP_KEYS": str(settings.keys), "IDP_ENV": "development",
             "IDP_DATABASE_URL": settings.database_url, "IDP_REDIS_URL": settings.redis_url}  # fmt: skip
    pairs = (("--certificate", str(known.chain)), ("--certificate-key", str(known.key)))
    alone = idp("serve", *pairs[0], **given)
    assert (alone.returncode, "needs --certificate-key" in alone.stderr) == (2, True), alone.stderr
    wrong = idp("serve", *pairs[0], "--certificate-key", str(keys / "local-ca.key"), **given)
    assert (wrong.returncode, "cannot be used" in wrong.stderr, wrong.stderr.count("\n")) == (2, True, 1), (
        wrong.stderr
    )


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("https://id.example.com", True), ("https://localhost.example.com", True), ("https://localhost:8000", False),
        ("https://id.localhost", False), ("https://127.0.0.1:8000", False), ("http://localhost:8000", False),
    ],
)  # fmt: skip
def test_hsts_is_for_hosts_of_the_network_alone(base: str, told: bool) -> None:
    settings = Settings.load({}, base_url=base)
    answered = headers.protect([], hsts=settings.hsts, request_id="r")
    assert (headers.HSTS in answered) == told
