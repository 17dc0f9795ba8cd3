"""`idp doctor --mail`: what the DNS says of a sender, asked of a real resolver of ours."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idp.control import dns_text
from idp.control.doctor import run
from idp.errors import Busy
from tests.resolving import Zone, resolver
from tests.running import idp

FROM = {"smtp_url": "smtps://mail.acme.example", "mail_from": "no-reply@acme.example"}


def key(bits: int) -> str:
    """The tag `p` of an RSA key."""
    public = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


GOOD: Zone = {
    ("acme.example", "TXT"): ["google-site-verification=x", "v=spf1 include:_spf.relay.example mx -all"],
    ("_spf.relay.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ~all"],
    ("one._domainkey.acme.example", "TXT"): [f"v=DKIM1; k=rsa; p={key(2048)}"],
    ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@acme.example"],
    ("acme.example", "MX"): ["10 mail.*"],
    ("mail.acme.example", "A"): ["192.0.2.7"],
    ("mail.acme.example", "AAAA"): ["2001:db8::7"],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["mail.acme.example"],
    ("7." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["mail.acme.example"],
}


@pytest.fixture
def found(vault: Any) -> Any:
    """`found({("acme.example", "MX"): []})`: the codes of what is found where the good zone differs so."""

    def look(changes: Zone, selector: str | None = "one", **settings: Any) -> list[str]:
        zone = {place: said for place, said in {**GOOD, **changes}.items() if said}
        with resolver(zone) as address:
            results = list(run.mail(vault.with_(**{**FROM, **settings}), selector, address))
        for finding in (each for result in results for each in result.findings):
            assert (
                finding.cause.endswith(".")
                and finding.where == "IDP_MAIL_FROM"
                and finding.change.endswith(".")
            )
        codes = [finding.code for result in results for finding in result.findings]
        return codes + [f"not tried: {each.name}" for each in results if each.not_tried]

    return look


SPF, DMARC = ("acme.example", "TXT"), ("_dmarc.acme.example", "TXT")
DKIM, MX = ("one._domainkey.acme.example", "TXT"), ("acme.example", "MX")
PTR = ("7.2.0.192.in-addr.arpa", "PTR")


def test_a_domain_that_says_everything_has_no_finding(found: Any) -> None:
    assert found({}) == []


@pytest.mark.parametrize(
    ("place", "said", "code"),
    [
        (SPF, [], "mail.spf.none"),
        (SPF, ["v=spf10 -all", "something"], "mail.spf.none"),
        (SPF, ["v=spf1 -all", "v=spf1 mx -all"], "mail.spf.many"),
        (SPF, ["v=spf1 mx"], "mail.spf.open"),
        (SPF, ["v=spf1 mx ?all"], "mail.spf.everybody"),
        (SPF, ["v=spf1 +all"], "mail.spf.everybody"),
        (SPF, [f"v=spf1 {' '.join(f'a:{n}.example' for n in range(11))} -all"], "mail.spf.lookups"),
        (SPF, ["v=spf1 include:acme.example -all"], "mail.spf.lookups"),
        (DKIM, [], "mail.dkim.none"),
        (DKIM, ["v=DKIM1; p="], "mail.dkim.revoked"),
        (DKIM, ["v=DKIM1; p=xxxx"], "mail.dkim.broken"),
        (DKIM, [f"p={key(1024)}"], "mail.dkim.short"),
        (DKIM, ["p=x", "p=y"], "mail.dkim.many"),
        (DMARC, [], "mail.dmarc.none"),
        (DMARC, ["v=DMARC1; p=none"], "mail.dmarc.watches"),
        (DMARC, ["v=DMARC1; rua=x"], "mail.dmarc.broken"),
        (DMARC, ["v=DMARC1; p=none", "v=DMARC1; p=none"], "mail.dmarc.many"),
        (MX, [], "mail.mx.none"),
        (MX, ["0 ."], "mail.mx.null"),
        (MX, ["10 mail.acme.example", "20 gone.example"], "mail.mx.gone"),
        (PTR, [], "mail.ptr"),
        (PTR, ["other.example"], "mail.ptr"),
    ],
)
def test_each_finding_is_caused_by_exactly_one_thing(
    found: Any, place: tuple[str, str], said: list[str], code: str
) -> None:
    assert found({place: said}) == [code]


def test_what_is_not_there_to_be_looked_at(found: Any, vault: Any) -> None:
    assert found({}, None) == ["not tried: mail.dkim"]
    assert found({}, smtp_url="smtp://localhost:25") == ["not tried: mail.ptr"]
    assert found({}, smtp_url="smtps://gone.example") == ["mail.server"]
    assert found({}, mail_from=None) == ["not tried: mail"]
    ed25519 = base64.b64encode(bytes(32)).decode()
    assert found({DKIM: [f"v=DKIM1; k=ed25519; p={ed25519}"]}) == []
    assert found({DMARC: [], ("_dmarc.example", "TXT"): ["v=DMARC1; p=reject"]}) == ["mail.dmarc.none"]
    below = {"mail_from": "no-reply@news.acme.example"}
    spf = {("news.acme.example", "TXT"): ["v=spf1 -all"], ("news.acme.example", "A"): ["192.0.2.7"],
           ("one._domainkey.news.acme.example", "TXT"): GOOD[DKIM]}  # fmt: skip
    assert found(spf, **below) == []
    assert found({**spf, DMARC: ["v=DMARC1; p=reject; sp=none"]}, **below) == ["mail.dmarc.watches"]


def test_a_resolver_that_is_silent_is_told(vault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_text, "TIMEOUT", 0.1)
    with resolver({}) as address:
        gone = address
    with pytest.raises(Busy):
        dns_text.ask("acme.example", "MX", gone)
    results = list(run.mail(vault.with_(**FROM), "one", gone))
    assert {each.not_tried for each in results} == {"The DNS did not answer. Try again shortly."}
    for name in ("", "a..b", "x" * 64 + ".example", "ä.example"):
        assert dns_text.ask(name, "A", gone) == []


def test_the_command(tmp_path: Any) -> None:
    with resolver({**GOOD, DMARC: ["v=DMARC1; p=none"]}) as (host, port):
        done = idp(
            "doctor", "--mail", "--selector", "one", "--resolver", f"{host}:{port}", "--json",
            "--home", str(tmp_path / "home"), IDP_SMTP_URL=FROM["smtp_url"], IDP_MAIL_FROM=FROM["mail_from"],
            IDP_ENV="production", IDP_BASE_URL="https://id.acme.example", IDP_KEYS=str(tmp_path),
            IDP_DATABASE_URL="postgresql://idp_app:x@127.0.0.1:1/idp", IDP_REDIS_URL="redis://idp_app:x@127.0.0.1:1/0",
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    findings = [each for result in json.loads(done.stdout)["examinations"] for each in result["findings"]]
    assert [each["code"] for each in findings] == ["mail.dmarc.watches"]
    assert "p=quarantine" in findings[0]["change"]
    wrong = idp("doctor", "--selector", "one", "--home", str(tmp_path))
    assert wrong.returncode == 2 and "--mail" in wrong.stderr
