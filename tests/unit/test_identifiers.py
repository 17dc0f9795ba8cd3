"""Names: what is prepared, what is refused, what counts as the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp import identifiers


@pytest.mark.parametrize(
    ("given_name", "prepared"),
    [
        ("alice", "alice"),
        ("Alice", "alice"),
        ("\uff21lice", "alice"),  # full width
        ("\ufb01ona", "fiona"),  # a ligature that NFKC takes apart
        ("alice@acme.example", "alice@acme.example"),
        ("b\u00fccher", "b\u00fccher"),
        ("bu\u0308cher", "b\u00fccher"),
        ("stra\u00dfe", "strasse"),
        ("\u5c71\u7530\u592a\u90ce", "\u5c71\u7530\u592a\u90ce"),
        ("\u0645\u0631\u062d\u0628\u0627", "\u0645\u0631\u062d\u0628\u0627"),
        ("user-01_x.y", "user-01_x.y"),
    ],
)
def test_rfc8265_3_3_usernames_are_prepared(given_name, prepared):
    assert identifiers.username(given_name) == prepared
    assert identifiers.username_key(given_name) == prepared


@pytest.mark.parametrize(
    "value",
    [
        "",
        "alice ",
        " alice",
        "al ice",
        "al\u00a0ice",
        "al\u200bice",
        "al\u200dice",
        "alice\u0000",
        "al\tice",
        "\u202eecila",
        "al\u00adice",
        "\u0430lice",
        "alic\u0435",
        "\u0391lice",
        "\u13aa\u13b3",
        "\ua4ee\ua4e1",
        "\u0301alice",
        "al\ufe0fice",
        "al\U000e0041ice",
        "\U0001f600",
        "\u2166\u0000",
        "a\u0645",
        "\u0645a",
        "\ud800",
        "\u1100\u1161\u11a8\u1100\u3164",
        "a" * 129,
        "a" * 10_000_000,
        None,
        5,
        b"alice",
        ["alice"],
    ],
)
def test_pa13_usernames_that_are_refused(value):
    with pytest.raises(ValueError, match="must"):
        identifiers.username(value)
    assert identifiers.username_key(value) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ape", "\u0430\u0440\u0435"),  # all Cyrillic
        ("ovo", "\u03bf\u03bd\u03bf"),  # all Greek
        ("istanbul", "\u0130stanbul"),  # dotted capital I
        ("is", "\u0131s"),  # dotless i
        ("gag", "\u0261a\u0261"),
    ],
)
def test_pa13_look_alikes_have_one_skeleton(one, other):
    assert identifiers.username(one) != identifiers.username(other)
    assert identifiers.skeleton(identifiers.username(one)) == identifiers.skeleton(
        identifiers.username(other)
    )


@pytest.mark.parametrize(
    ("one", "other"), [("bucher", "b\u00fccher"), ("barn", "bam"), ("al1", "all"), ("o", "0")]
)
def test_names_that_differ_stay_apart(one, other):
    assert identifiers.skeleton(identifiers.username(one)) != identifiers.skeleton(
        identifiers.username(other)
    )


@given(st.text(max_size=60))
def test_preparing_twice_changes_nothing(value):
    prepared = identifiers.username_key(value)
    if prepared is not None:
        assert identifiers.username(prepared) == prepared
        assert identifiers.skeleton(identifiers.skeleton(prepared)) == identifiers.skeleton(prepared)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("alice@acme.example", "alice@acme.example"),
        ("Alice.B+x@ACME.example", "Alice.B+x@acme.example"),
        ("o'brien@acme.example", "o'brien@acme.example"),
        ("a@b\u00fccher.example", "a@xn--bcher-kva.example"),
    ],
)
def test_rfc5321_addresses(value, address):
    assert identifiers.email(value) == address
    assert identifiers.email_key(value) == address.lower()


@pytest.mark.parametrize(
    "value",
    [
        '"a@b"@evil.test',
        "a@evil.test,victim@x.test",
        "a@@b.test",
        '"quoted"@b.test',
        "a(x)@b.test",
        "a@b",
        "a@",
        "@b.test",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a b@b.test",
        "a@b.test\n",
        "a@b.test\r\nBcc: x@y.test",
        ".a@b.test",
        "a.@b.test",
        "a..b@b.test",
        "a@-b.test",
        "a@b_.test",
        "a@b..test",
        "a@b.test.",
        "a@\u0430pple.test",
        "\u00e9@b.test",
        "a" * 65 + "@b.test",
        "a@" + "b" * 64 + ".test",
        "a@" + "b." * 160 + "test",
        "a\x00@b.test",
        "a%40c@b.test@d.test",
        "<a@b.test>",
        "A <a@b.test>",
        "a@b.test;c@d.test",
        "a@xn--80ak6aa92e.com",
        None,
        5,
        "",
    ],
)
def test_pa14_addresses_that_are_refused(value):
    with pytest.raises(ValueError, match="must"):
        identifiers.email(value)
    assert identifiers.email_key(value) is None


@pytest.mark.parametrize("value", ["Acme Web", "Caf\u00e9 \u2615 \u5c71", "O'Brien & Sons <b>", "x" * 64])
def test_texts_for_people(value):
    assert identifiers.text(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        " x",
        "x ",
        "a\nb",
        "a\tb",
        "a\u202eb",
        "a\u200bb",
        "a\u2066b",
        "a\x00b",
        "x" * 65,
        "\ud800",
        "a\u2028b",
        5,
    ],
)
def test_dr06_texts_that_are_refused(value):
    with pytest.raises(ValueError, match="must"):
        identifiers.text(value)


@pytest.mark.parametrize("value", ["acme", "a", "a-b", "7", "a" * 63])
def test_slugs(value):
    assert identifiers.slug(value) == value


@pytest.mark.parametrize(
    "value", ["", "A", "-a", "a-", "a_b", "a.b", "a/b", "a" * 64, "xn--a", "\u0430", "a\n", "..", None]
)
def test_slugs_that_are_refused(value):
    with pytest.raises(ValueError, match="must"):
        identifiers.slug(value)


def test_rfc6749_3_3_scopes():
    assert identifiers.scope_set("openid  profile".replace("  ", " ")) == ("openid", "profile")
    assert identifiers.scope_set("a b a") == ("a", "b")
    assert identifiers.scope_set("") == ()
    for wrong in ("a  b", " a", "a ", 'a"b', "a\\b", "a\tb", "\u00e9", "a\n", None, ["a"]):
        with pytest.raises(ValueError, match="must"):
            identifiers.scope_set(wrong)


@given(st.text(max_size=400))
def test_no_text_raises_anything_but_value_error(value):
    for prepare in (identifiers.text, identifiers.username, identifiers.email, identifiers.slug,
                    identifiers.client_id, identifiers.scope_set, identifiers.name, identifiers.claim_name,
                    identifiers.host_name):  # fmt: skip
        try:
            prepare(value)
        except ValueError as refusal:
            assert str(refusal).isascii()


@pytest.mark.parametrize("value", ["a" * 100_000, "a." * 50_000, "a@" * 1000, "\u0345" * 512, "@" * 100_000])
def test_do05_linear(value):
    """Long enough that a check which looks back over what it has read would not come to an end."""
    assert identifiers.username_key(value * 10) is None
    assert identifiers.email_key(value * 10) is None
