"""The strict parser: RFC 6749 §2.3.1, §3.1, §3.2; RFC 6750 §2.1; RFC 8259; WHATWG URL §5.1."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.errors import InvalidClient, InvalidRequest, InvalidToken, Refusal, TooLarge, UnsupportedMediaType
from idp.web import parse


def test_a_form_becomes_a_dictionary() -> None:
    assert parse.urlencoded(b"a=1&b=x+y%2Bz&c=%C3%A9") == {"a": "1", "b": "x y+z", "c": "é"}


def test_a_parameter_without_a_value_counts_as_omitted_rfc6749_3_1() -> None:
    assert parse.urlencoded(b"a=&b&c=1&&") == {"c": "1"}


@pytest.mark.parametrize("raw", [b"a=1&a=1", b"a=&a=1", b"a=1&%61=2", b"a&a"])
def test_a_repeated_parameter_is_refused_rfc6749_3_1(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse.urlencoded(raw)


def test_query_and_body_may_not_share_a_name() -> None:
    assert parse.merged(b"a=1", b"b=2") == {"a": "1", "b": "2"}
    with pytest.raises(InvalidRequest):
        parse.merged(b"a=1", b"a=1")


@pytest.mark.parametrize(
    "raw",
    [
        b"a=%00",
        b"%00=a",
        b"a=\0",
        b"a=%ff",
        b"a=\xff",
        b"a=%ed%a0%80",
        b"a=%",
        b"a=%zz",
        b"a=%1",
        b"a=%c0%80",
    ],
)
def test_what_is_no_text_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse.urlencoded(raw)


def test_bounds_of_a_form() -> None:
    assert len(parse.urlencoded(b"&".join(b"a%d=1" % n for n in range(64)))) == 64
    with pytest.raises(InvalidRequest):
        parse.urlencoded(b"&".join(b"a%d=1" % n for n in range(65)))
    with pytest.raises(TooLarge):
        parse.urlencoded(b"a=" + b"x" * parse.BODY_BYTES)


@given(st.dictionaries(st.text(min_size=1).filter(lambda t: "\0" not in t), st.text(min_size=1), max_size=20))
def test_what_the_standard_library_encodes_is_read_back(fields: dict[str, str]) -> None:
    from urllib.parse import urlencode

    try:
        raw = urlencode(fields).encode()
    except UnicodeEncodeError:
        return
    if any("\0" in value for value in fields.values()):
        with pytest.raises(InvalidRequest):
            parse.urlencoded(raw)
    else:
        assert parse.urlencoded(raw) == fields


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for reader in (parse.urlencoded, parse.json_value):
        try:
            reader(raw)
        except Refusal as refusal:
            assert 400 <= refusal.status < 500
    header = "Basic " + base64.b64encode(raw).decode()
    try:
        parse.basic(header)
    except InvalidClient as refusal:
        assert refusal.status == 401


@pytest.mark.parametrize(
    ("header", "fits"),
    [
        ("application/x-www-form-urlencoded", True),
        ("Application/X-WWW-Form-Urlencoded; charset=UTF-8", True),
        ('application/x-www-form-urlencoded;charset="utf-8"', True),
        ("application/x-www-form-urlencoded; charset=utf-16", False),
        ("application/x-www-form-urlencoded, text/plain", False),
        ("multipart/form-data; boundary=x", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_only_a_form_is_a_form(header: str, fits: bool) -> None:
    if fits:
        parse.expect_type(header, parse.FORM)
    else:
        with pytest.raises(UnsupportedMediaType):
            parse.expect_type(header, parse.FORM)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"[" * 100_0 + b"]" * 100_0,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"a": "\xff"}',
        b"",
        b"{",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_json_that_parsers_disagree_about_is_refused_rfc8259(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse.json_value(raw)


def test_json_with_many_brackets_in_text_is_not_deep() -> None:
    assert parse.json_object(b'{"a": "[[[[[[[[[[[[[[[[[[[[\\"[[{{"}') == {"a": "[" * 20 + '"[[{{'}
    with pytest.raises(InvalidRequest):
        parse.json_object(b"[]")


def test_basic_credentials_are_form_decoded_rfc6749_2_3_1() -> None:
    def header(text: bytes) -> str:
        return "Basic " + base64.b64encode(text).decode()

    assert parse.basic(None) is None
    assert parse.basic("Bearer x") is None
    assert parse.basic(header(b"web:a+b%2B%3A")) == ("web", "a b+:")
    assert parse.basic(header(b"web:a:b")) == ("web", "a:b")
    for bad in (
        "Basic",
        "Basic !",
        "Basic é",
        header(b"nocolon"),
        header(b":x"),
        header(b"a:%00"),
        header(b"\xff:x"),
    ):
        with pytest.raises(InvalidClient):
            parse.basic(bad)


def test_a_bearer_token_has_its_alphabet_rfc6750_2_1() -> None:
    assert parse.bearer("bearer abc.DEF-_~+/==") == "abc.DEF-_~+/=="
    assert parse.bearer("Basic abc") is None
    for bad in ("Bearer", "Bearer ", "Bearer a b", "Bearer a,Bearer b", "Bearer é"):
        with pytest.raises(InvalidToken):
            parse.bearer(bad)
