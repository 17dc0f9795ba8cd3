"""Hosted pages as HTML: the public contract of ids and names, structure for assistive technology, safety."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from idp import paths
from idp.web import words
from idp.web.pages import ClientFace, TenantFace, asset, form_target, not_found, policy, render
from tests.journeys import gallery

PAGES = {state: (html, csp) for state, html, csp in gallery.rendered()}
EVERY = pytest.mark.parametrize("state", sorted(PAGES))
VOID = {"meta", "link", "input", "img", "br", "path", "circle", "rect"}
NASTY = "<b onclick=x>\"'{{7*7}}</b></style></script>"


class Tree(HTMLParser):
    """Elements in order with their attributes, path and text; fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.open: list[tuple[str, list[str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in {tag}"
        self.elements.append(
            (tag, {name: value or "" for name, value in attrs}, tuple(name for name, _ in self.open))
        )
        if tag not in VOID:
            self.open.append((tag, []))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        opened, text = self.open.pop()
        assert opened == tag
        said = "".join(text)
        self.texts.append((tag, " ".join(said.split())))
        if self.open:
            self.open[-1][1].append(said)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1][1].append(data)

    def find(self, tag: str, **wanted: str) -> dict[str, str]:
        found = [attrs for name, attrs, _ in self.elements if name == tag and wanted.items() <= attrs.items()]
        assert len(found) == 1, (tag, wanted, found)
        return found[0]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs, _ in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [said for name, said in self.texts if name == tag]


def tree(state: str) -> Tree:
    return Tree(PAGES[state][0])


@EVERY
def test_structure_for_assistive_technology(state: str) -> None:
    html, _ = PAGES[state]
    page = Tree(html)
    assert html.startswith("<!doctype html>\n<html lang=")
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    assert page.text("title")[0] and page.text("h1")[0]
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    labelled = {attrs["for"] for attrs in page.all("label")}
    for field in page.all("input"):
        assert field["type"] == "hidden" or field["id"] in labelled
    for _, attrs, _ in page.elements:
        for reference in ("aria-describedby", "aria-labelledby", "aria-controls"):
            assert set(attrs.get(reference, "").split()) <= set(ids)
    assert all("alt" in image for image in page.all("img"))
    assert len([1 for _, attrs, _ in page.elements if "autofocus" in attrs]) <= 1
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in itertools.pairwise(levels))


@EVERY
def test_br11_nothing_inline_without_the_nonce_and_nothing_from_elsewhere(state: str) -> None:
    html, csp = PAGES[state]
    page = Tree(html)
    nonce = re.search(r"script-src 'nonce-([\w-]{22})'", csp)
    for attrs in page.all("script") + page.all("style"):
        assert nonce is not None and attrs["nonce"] == nonce[1]
    for _, attrs, _ in page.elements:
        assert not any(name == "style" or name.startswith("on") for name in attrs)
    sources = [attrs["src"] for attrs in page.all("script")] if state != "form-post" else []
    for address in sources + [attrs["href"] for attrs in page.all("link")]:
        assert address.startswith("/static/")
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in csp.split("; ")
    assert "unsafe" not in csp and "*" not in csp


@EVERY
def test_every_own_form_posts_with_csrf(state: str) -> None:
    page = tree(state)
    own = [form for form in page.all("form") if form["id"] != "form-post-form"]
    assert all(form["method"] == "post" for form in page.all("form"))
    tokens = [field for field in page.all("input") if field.get("name") == "csrf"]
    assert len(tokens) == len(own) and all(field["type"] == "hidden" for field in tokens)


@EVERY
def test_pages_name_their_tenant(state: str) -> None:
    _page, context = gallery.states()[state]
    if "tenant" in context:
        assert context["tenant"].name in PAGES[state][0]  # type: ignore[attr-defined]


def test_public_contract_of_the_sign_in_page() -> None:
    page = tree("login-logo")
    page.find("form", id="login-form", method="post")
    username, password = (
        page.find("input", id="username", name="username"),
        page.find("input", id="password", name="password"),
    )
    assert username["autocomplete"] == "username webauthn" and username["autocapitalize"] == "none"
    assert password["type"] == "password" and password["autocomplete"] == "current-password"
    page.find("button", id="login-submit", name="action", value="login", type="submit")
    page.find("button", id="login-cancel", name="action", value="cancel", formnovalidate="")
    assert page.find("img", id="client-logo")["src"] == gallery.LOGO
    assert (
        page.find("a", id="client-policy")["rel"]
        == page.find("a", id="client-tos")["rel"]
        == "noopener noreferrer"
    )
    assert page.text("h1") == ["Sign in to Acme Web"]
    # Enter in a field presses the first submit button of the form.
    assert next(attrs["id"] for attrs in page.all("button") if attrs["type"] == "submit") == "login-submit"


def test_public_contract_of_the_consent_page() -> None:
    page = tree("consent-offline")
    page.find("form", id="consent-form", method="post")
    page.find("button", id="consent-allow", name="action", value="allow")
    page.find("button", id="consent-deny", name="action", value="deny")
    said = page.text("main")[0]
    for words_ in (
        "Acme Web",
        "app.acme.example",
        "Orders",
        "Read your orders",
        "10 minutes",
        "90 days",
        "e-mail address",
    ):
        assert words_ in said
    assert "Unverified" not in said and "Unverified" in tree("consent-stranger").text("main")[0]


def test_public_contract_of_errors_and_sign_out() -> None:
    error = tree("oauth-error")
    assert error.find("main", id="oauth-error")["data-error"] == "invalid_redirect_uri"
    assert "Authorization error" in error.text("h1") and "invalid_redirect_uri" in error.text("main")[0]
    assert gallery.REQUEST_ID in error.text("main")[0] and "Details for developers" in error.text("summary")
    question = tree("logout")
    question.find("form", id="logout-form")
    question.find("button", id="logout-confirm")
    question.find("button", id="logout-cancel")
    assert "Acme Mail" in question.text("main")[0]
    refused = tree("logout-error")
    refused.find("main", id="logout-error")
    assert "Logout error" in refused.text("h1") and "post_logout_redirect_uri" in refused.text("main")[0]
    done = tree("signed-out-keeps")
    done.find("main", id="logged-out")
    assert "You are signed out" in done.text("h1") and "Backup" in done.text("main")[0]


def test_errors_stand_beside_their_field_and_take_the_focus() -> None:
    page = tree("login-nothing")
    assert page.find("div", id="form-error")["role"] == "alert" and "autofocus" in page.find(
        "div", id="form-error"
    )
    assert page.find("input", id="username")["aria-describedby"] == "username-mistake"
    assert page.find("input", id="password")["aria-invalid"] == "true"
    failed = tree("login-failed")
    assert failed.find("input", id="username")["value"] == "alice"
    assert "value" not in failed.find("input", id="password")


def test_ue01_a_failed_sign_in_never_says_whether_the_account_exists() -> None:
    assert not re.search(r"unknown|exist|locked|disabled|no account", PAGES["login-failed"][0])


def test_ox03_ox06_what_others_typed_is_text() -> None:
    face = TenantFace(name=NASTY, home="/t/acme/")
    client = ClientFace(
        NASTY, NASTY, policy_uri="javascript:alert(1)", tos_uri="http://plain.example", logo_uri="data:x"
    )
    html, _ = render(
        "login",
        tenant=face,
        client=client,
        csrf=NASTY,
        username=NASTY,
        action="/x?a=1&b=2",
        hidden=((NASTY, NASTY),),
    )
    page = Tree(html)
    assert "<b " not in html and "{{7*7}}" in html and "49" not in page.text("h1")[0]
    assert page.find("input", id="username")["value"] == page.find("input", name="csrf")["value"] == NASTY
    assert page.find("form", id="login-form")["action"] == "/x?a=1&b=2"
    assert "javascript:" not in html and "plain.example" not in html and page.all("img") == []
    html, _ = render(
        "authorization_error", code=NASTY, description=NASTY, request_id=NASTY, details=((NASTY, NASTY),)
    )
    assert "<b " not in html and Tree(html).find("main", id="oauth-error")["data-error"] == NASTY


def test_ox09_names_cannot_reorder_or_hide_text() -> None:
    html, _ = render(
        "login",
        tenant=TenantFace("A\u202ecme\u2066\x00\u200b", "/"),
        client=ClientFace("x" * 64_000),
        csrf="x",
    )
    assert "Acme" in html and not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00]", html)
    assert len(html) < 8_000


def test_form_post_carries_values_byte_for_byte() -> None:
    state = "a b+{\"<%&'\u202e>"
    html, csp = render(
        "form_post",
        redirect_uri="https://app.example/cb?x=1&y=2",
        parameters=(("code", "c"), ("state", state)),
    )
    page = Tree(html)
    assert page.find("input", name="state")["value"] == state
    assert page.find("form", id="form-post-form") == {
        "id": "form-post-form",
        "method": "post",
        "action": "https://app.example/cb?x=1&y=2",
    }
    assert page.find("button", id="form-post-continue")["type"] == "submit"
    assert "form-action 'self' https://app.example;" in csp


def test_hh04_the_404_page_is_the_same_bytes() -> None:
    first, csp = not_found()
    assert render("not_found") == (first, csp)
    assert "nonce" not in first and "script-src 'none'" in csp


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://app.example/callback?x=1", "https://app.example"),
        ("http://localhost:8001/callback", "http://localhost:8001"),
        ("https://user@APP.example:444/", "https://app.example:444"),
        ("com.example.app:/callback", "com.example.app:"),
        ("http://[::1]:8001/callback", "http:"),
    ],
)
def test_br11_form_action_is_the_origin_of_the_redirect(address: str, source: str) -> None:
    assert form_target(address) == source
    assert f"form-action 'self' {source};" in policy("n", (source,))


@pytest.mark.parametrize(
    "source", ["*", "'unsafe-inline'", "https://a; script-src *", "https://a b", "", "https://a,b"]
)
def test_br11_a_source_cannot_add_a_directive(source: str) -> None:
    with pytest.raises(ValueError, match="CSP source"):
        policy("n", (source,))


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "/relative"])
def test_form_target_refuses_what_leads_nowhere(address: str) -> None:
    with pytest.raises(ValueError, match="lead"):
        form_target(address)


def test_images_come_from_the_logos_shown_and_nowhere_else() -> None:
    assert "img-src 'self' https://logo.example;" in PAGES["login-logo"][1]
    assert "img-src 'self';" in PAGES["login"][1]


def test_a_view_cannot_forget_or_invent_a_field() -> None:
    with pytest.raises(TypeError):
        render("login", tenant=gallery.ACME)
    with pytest.raises(TypeError):
        render("login", tenant=gallery.ACME, csrf="x", usernam="alice")
    with pytest.raises(KeyError):
        render("../secrets")


def test_static_files_are_small_and_named_by_content() -> None:
    assert re.fullmatch(r"/static/idp\.css\?v=[0-9a-f]{12}", asset("idp.css"))
    assert (paths.static() / "idp.css").stat().st_size < 20 * 1024
    assert (paths.static() / "idp.js").stat().st_size < 2_000
    assert len(PAGES["login"][0]) + sum(file.stat().st_size for file in paths.static().iterdir()) < 60_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "a moment"),
        (1, "1 second"),
        (600, "10 minutes"),
        (5_400, "1 hour 30 minutes"),
        (90 * 86_400, "90 days"),
    ],
)
def test_durations_in_words(seconds: int, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example",
        "javascript:x",
        "https://",
        "//a.example",
        "https://a.example\n",
        "https://u@a.example",
        "https://[",
        None,
        "https://a b",
    ],
)
def test_ox01_only_plain_https_addresses_are_linked(address: str | None) -> None:
    assert words.https_only(address) == ""
