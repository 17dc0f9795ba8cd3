"""The one URL policy: a table of what passes and what does not, and what no text can do to the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp import urls

WEB = [
    "https://app.test/cb",
    "https://app.test",
    "https://app.test/",
    "https://app.test/cb?x=1&y=a%20b",
    "https://app.test/cb?next=https%3A%2F%2Fapp.test%2F",
    "https://app.test:8443/a/b-c_d.e~f/(g)/h,i",
    "https://app.test/caf%C3%A9",
    "https://intranet/cb",
    "https://192.168.1.7/cb",
    "https://[2001:db8::1]:8443/cb",
    "https://xn--bcher-kva.example/cb",
    "http://localhost:8001/callback",
    "http://localhost/callback",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:49152/cb",
    "http://[::1]/cb",
]
NATIVE = [
    "com.app:/cb",
    "com.example.app:/oauth2redirect/x",
    "com.example.app://callback/x",
    "io.my-app.x1:/",
]
REFUSED = {
    "RU02 userinfo": "https://app.test@evil.test/cb",
    "RU02 userinfo with password": "https://a:b@evil.test/cb",
    "RU02 empty userinfo": "https://@evil.test/cb",
    "RU02 fragment": "https://evil.test/#@app.test/cb",
    "RU02 empty fragment": "https://app.test/cb#",
    "RU04 dot segments": "https://app.test/cb/../evil",
    "RU04 single dot": "https://app.test/./cb",
    "RU04 trailing dots": "https://app.test/cb/..",
    "RU04 dots with a parameter": "https://app.test/cb/..;/x",
    "RU04 encoded dots": "https://app.test/cb/%2e%2e/x",
    "RU04 half encoded dots": "https://app.test/cb/.%2E/x",
    "RU04 encoded slash": "https://app.test/cb%2f..",
    "RU04 encoded backslash": "https://app.test/cb%5c..",
    "RU04 encoded twice": "https://app.test/cb%252f..",
    "RU04 encoded semicolon": "https://app.test/cb/..%3b/x",
    "RU04 scheme-relative": "//evil.test/cb",
    "RU04 empty segment": "https://app.test//evil.test",
    "RU04 backslash": "https://app.test\\@evil.test",
    "RU04 backslash in the path": "https://app.test/\\evil",
    "RU04 tab in the host": "https://app\t.test/cb",
    "RU04 newline in the host": "https://app\n.test/cb",
    "RU04 newline at the end": "https://app.test/cb\n",
    "RU04 blank in front": " https://app.test/cb",
    "RU04 blank": "https://app.test/c b",
    "RU04 NUL": "https://app.test/cb\x00",
    "RU04 encoded NUL": "https://app.test/cb%00",
    "RU04 encoded newline": "https://app.test/cb%0d%0aSet-Cookie:x",
    "RU04 encoded newline in the query": "https://app.test/cb?x=%0d%0a",
    "RU04 DEL": "https://app.test/cb%7f",
    "RU10 javascript": "javascript://x/%0aalert(1)",
    "RU10 javascript opaque": "javascript:alert(1)",
    "RU10 JaVaScRiPt": "JaVaScRiPt:alert(1)",
    "RU10 data": "data://x",
    "RU10 data opaque": "data:text/html,x",
    "RU10 vbscript": "vbscript://x",
    "RU10 file": "file:///etc/passwd",
    "RU10 blob": "blob:https://app.test/x",
    "RU10 about": "about:blank",
    "RU10 ws": "ws://app.test/",
    "RU10 ftp": "ftp://app.test/",
    "RU10 view-source": "view-source:https://app.test/",
    "RU10 intent": "intent://x#Intent;scheme=https;end",
    "RU11 http": "http://app.test/cb",
    "RU11 http that begins like localhost": "http://localhost.evil.test/cb",
    "RU11 http that begins like loopback": "http://127.0.0.1.evil.test/cb",
    "RU11 http below localhost": "http://app.localhost/cb",
    "RU11 http unspecified": "http://0.0.0.0/cb",
    "RU11 http private": "http://192.168.1.7/cb",
    "RU13 wildcard host": "https://*.evil.test/",
    "RU13 wildcard path": "https://app.test/*",
    "RU13 wildcard port": "https://app.test:*/",
    "RU13 regex": "https://.*",
    "RU13 class": "https://app[.]test/",
    "RU17 scheme without a dot": "myapp:/cb",
    "RU17 scheme without a dot, authority": "myapp://cb",
    "RU17 no path": "com.app:cb",
    "RU17 nothing": "com.app:",
    "RU17 userinfo": "com.app://a@b/cb",
    "RU17 empty label": "com..app:/cb",
    "RU17 dot at the end": "com.:/cb",
    "RU17 upper case": "com.App:/cb",
    "RU17 dot segment": "com.app:/a/../b",
    "no host": "https:///cb",
    "no slashes": "https:app.test/cb",
    "one slash": "https:/app.test/cb",
    "three slashes": "https:///app.test/cb",
    "no scheme": "app.test/cb",
    "relative": "/cb",
    "empty": "",
    "empty port": "https://app.test:/cb",
    "port 0": "https://app.test:0/cb",
    "port with a zero": "https://app.test:080/cb",
    "port 65536": "https://app.test:65536/cb",
    "port of another alphabet": "https://app.test:\uff18\uff10/cb",
    "upper-case scheme": "HTTPS://app.test/cb",
    "upper-case host": "https://APP.test/cb",
    "dot at the end of the host": "https://app.test./cb",
    "empty label": "https://app..test/cb",
    "hyphen first": "https://-app.test/cb",
    "underscore": "https://a_b.test/cb",
    "percent in the host": "https://app%2etest/cb",
    "label of 64": f"https://{'a' * 64}.test/cb",
    "non-ASCII host": "https://\u0430pp.test/cb",
    "ideographic full stop": "https://app\u3002test/cb",
    "full-width solidus": "https://app.test\uff0fcb",
    "zero-width": "https://app.test/c\u200bb",
    "direction override": "https://app.test/\u202ebc",
    "encoded direction override": "https://app.test/%E2%80%AEbc",
    "encoded bytes that are no UTF-8": "https://app.test/%ff",
    "overlong UTF-8": "https://app.test/%c0%af",
    "lone percent": "https://app.test/%",
    "half an escape": "https://app.test/%4",
    "needless escape": "https://app.test/%63b",
    "IDN that imitates ASCII": "https://xn--80ak6aa92e.com/cb",
    "IDN of mixed scripts": "https://xn--pple-43d.com/cb",
    "IDN that is none": "https://xn--/cb",
    "IDN that does not round-trip": "https://xn--a/cb",
    "decimal IPv4": "https://2130706433/cb",
    "short IPv4": "https://127.1/cb",
    "octal IPv4": "https://0177.0.0.1/cb",
    "hexadecimal IPv4": "https://0x7f.0.0.1/cb",
    "hexadecimal last part": "https://127.0.0.0x1/cb",
    "IPv4 out of range": "https://256.0.0.1/cb",
    "IPv6 zone": "https://[fe80::1%25eth0]/cb",
    "IPv6 mapped": "https://[::ffff:7f00:1]/cb",
    "IPv6 mapped dotted": "https://[::ffff:127.0.0.1]/cb",
    "IPv6 NAT64": "https://[64:ff9b::7f00:1]/cb",
    "IPv6 6to4": "https://[2002:7f00:1::]/cb",
    "IPv6 long form": "https://[0:0:0:0:0:0:0:1]/cb",
    "IPv6 unspecified": "https://[::]/cb",
    "IPv6 unclosed": "https://[::1/cb",
    "quotation mark": 'https://app.test/"><script>',
    "angle bracket": "https://app.test/<x>",
    "braces": "https://app.test/{tenant}",
    "too long": "https://app.test/" + "a" * 2048,
}


@pytest.mark.parametrize("text", WEB)
def test_rfc9700_2_1_accepts_https_and_this_machine(text):
    assert urls.redirect_uri(text, native=False).text == text


@pytest.mark.parametrize("text", NATIVE)
def test_ru17_private_use_schemes_are_for_native_clients(text):
    assert urls.redirect_uri(text, native=True).origin is None
    with pytest.raises(urls.BadUrl):
        urls.redirect_uri(text, native=False)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("native", [False, True])
def test_refuses(text, native):
    with pytest.raises(urls.BadUrl) as refusal:
        urls.redirect_uri(text, native=native)
    assert str(refusal.value).isascii()


@pytest.mark.parametrize("value", [None, 1, True, [], {}, b"https://app.test/cb", ["https://app.test/cb"]])
def test_refuses_what_is_no_string(value):
    with pytest.raises(urls.BadUrl):
        urls.redirect_uri(value, native=False)


@pytest.mark.parametrize(
    ("registered", "presented", "native", "same"),
    [
        ("https://app.test/cb", "https://app.test/cb", False, True),
        ("https://app.test/cb", "https://app.test/cb/", True, False),  # RU01
        ("https://app.test/cb", "https://app.test/cb?x=1", True, False),  # RU01
        ("https://app.test/cb", "https://app.test.evil.test/cb", True, False),  # RU02
        ("https://app.test/cb", "https://app.test:443/cb", True, False),
        ("https://127.0.0.1/cb", "https://127.0.0.1:1234/cb", True, False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", True, True),  # RFC 8252 section 7.3
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:49152/cb", True, True),
        ("http://[::1]/cb", "http://[::1]:49152/cb", True, True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", False, False),  # RU05
        ("http://127.0.0.1/cb", "http://localhost:1234/cb", True, False),  # RU05
        ("http://localhost/cb", "http://localhost:1234/cb", True, False),
        ("http://127.0.0.1/cb", "http://[::1]/cb", True, False),
        ("http://127.0.0.1/cb", "http://127.0.0.2/cb", True, False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152/other", True, False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb?x", True, False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:49152@evil.test/cb", True, False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", True, False),
        ("http://127.0.0.1/cb", "", True, False),
        ("com.app:/cb", "com.app:/cb2", True, False),
    ],
)
def test_rfc9700_2_1_exact_but_for_the_port_of_a_native_loopback_address(registered, presented, native, same):
    assert urls.same_redirect(registered, presented, native=native) is same


@pytest.mark.parametrize(
    "text", ["http://app.test/", "javascript:alert(1)", "data:,x", "com.app:/x", "//app.test/"]
)
def test_dr07_pages_of_a_client_are_https(text):
    with pytest.raises(urls.BadUrl):
        urls.web_url(text)


def test_web_url_takes_this_machine_only_when_asked():
    assert urls.web_url("http://localhost:8001/x", loopback=True)
    with pytest.raises(urls.BadUrl):
        urls.web_url("http://localhost:8001/x")


@pytest.mark.parametrize(
    "text", ["https://spa.test", "https://spa.test:8443", "http://localhost:3000", "http://[::1]:1"]
)
def test_rfc6454_origins(text):
    assert urls.origin(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "*",
        "https://*.spa.test",
        "https://spa.test/",
        "https://spa.test:443",
        "http://spa.test",
        "spa.test",
        "com.app://x",
        "https://SPA.test",
        "https://spa.test?x",
        "http://localhost:80",
    ],
)
def test_cr01_no_other_origin(text):
    with pytest.raises(urls.BadUrl):
        urls.origin(text)


def test_origin_of_a_redirect_uri():
    assert urls.origin_of("https://spa.test:443/cb") == "https://spa.test"
    assert urls.origin_of("http://[::1]:8001/cb") == "http://[::1]:8001"
    assert urls.origin_of("com.app:/cb") is None
    assert urls.origin_of("what") is None


@pytest.mark.parametrize("text", ["https://api.acme.example", "http://orders/v1", "urn:acme:orders"])
def test_rfc8707_2_resources(text):
    assert urls.resource(text) == text


@pytest.mark.parametrize(
    "text", ["orders", "https://api.test/#x", "urn:", "urn:a", "mailto:a@b", "urn:x:\u00e9", 5, ""]
)
def test_rfc8707_2_no_other_resource(text):
    with pytest.raises(urls.BadUrl):
        urls.resource(text)


@given(st.text(max_size=200) | st.text(alphabet="htps:/.@#?%\\;[]0a2f*~ \t", max_size=60))
def test_no_text_raises_anything_else(text):
    try:
        url = urls.parse(text)
    except urls.BadUrl:
        return
    assert url.text == text
    assert url.scheme in ("http", "https") or "." in url.scheme


@given(st.text(alphabet="htps:/.@?%;[]0a2f*-", max_size=60))
def test_what_passes_reads_the_same_to_the_standard_library(text):
    from urllib.parse import urlsplit

    for candidate in (text, f"https://app.test{text}", f"https://app{text}/cb"):
        try:
            url = urls.redirect_uri(candidate, native=False)
        except urls.BadUrl:
            continue
        other = urlsplit(candidate)
        assert (other.scheme, other.hostname, other.port, other.path) == (
            url.scheme,
            url.host,
            url.port,
            url.path,
        )
        assert other.username is None
        assert not other.fragment


@pytest.mark.parametrize(
    "text", ["https://" + "a." * 1000, "https://a/" + "%2" * 1000, "com." * 500 + ":/", "a-" * 1000]
)
def test_do05_linear(text):
    """Long enough that a parser which looks back over what it has read would not come to an end."""
    with pytest.raises(urls.BadUrl):
        urls.parse(text * 100)
