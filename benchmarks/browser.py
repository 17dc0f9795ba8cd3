"""A small user agent with one keep-alive connection: walks the real authorization flow to prepare a load."""

from __future__ import annotations

import base64
import hashlib
import http.client
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from benchmarks.machine import CannotMeasure

REDIRECT_URI = "http://localhost:8009/callback"
MOST_STEPS = 12


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str
    url: str


@dataclass
class Form:
    """One HTML form: where it goes and what it already holds."""

    id: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("id", ""), given.get("action", "")))
            self.inside = True
        elif tag == "input" and self.inside and given.get("type") == "hidden":
            self.forms[-1].fields[given.get("name", "")] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


@dataclass(frozen=True)
class Code:
    """An authorization code and what redeems it."""

    value: str
    verifier: str


class Browser:
    """One person at one provider; `port` is where it listens, the Host header follows each URL."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def close(self) -> None:
        self.connection.close()

    def send(self, method: str, url: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        """One request, no redirect followed."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, **headers, **self.cookie_header()}
        body = None
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self.connection.request(method, path, body, sent)
            got = self.connection.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self.connection.close()
            self.connection.request(method, path, body, sent)
            got = self.connection.getresponse()
        text = got.read().decode("utf-8", "replace")
        for line in got.headers.get_all("Set-Cookie") or []:
            self._keep(line)
        return Answer(got.status, got.headers, text, url)

    def cookie_header(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs} if pairs else {}

    def _keep(self, line: str) -> None:
        name, _, value = line.partition(";")[0].strip().partition("=")
        attributes = line.lower()
        if not value or "max-age=0" in attributes or "expires=thu, 01 jan 1970" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def to_login(self, url: str) -> Form:
        """Follow an authorization request to the sign-in form; its action comes back absolute."""
        answer = self._follow(self.send("GET", url))
        form = _form(answer, "login-form")
        if form is None:
            raise CannotMeasure(f"No sign-in form at {answer.url} ({answer.status}): {answer.body[:200]!r}")
        return form

    def code(self, url: str, verifier: str, username: str, password: str) -> Code:
        """Follow an authorization request to its code, signing in and consenting where asked."""
        answer = self._follow(self.send("GET", url))
        for _ in range(3):
            if answer.status in (302, 303):
                break
            form = _form(answer, "login-form")
            if form is not None:
                form.fields |= {"username": username, "password": password, "action": "login"}
            else:
                form = _form(answer, "consent-form")
                if form is None:
                    break
                form.fields |= {"action": "allow"}
            answer = self._follow(self.send("POST", form.action, form.fields))
        query = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
        if "code" not in query:
            raise CannotMeasure(
                f"No code from {answer.url} ({answer.status}): {query or answer.body[:200]!r}"
            )
        return Code(query["code"][0], verifier)

    def _follow(self, answer: Answer) -> Answer:
        for _ in range(MOST_STEPS):
            location = answer.headers.get("Location")
            if answer.status not in (302, 303) or location is None or location.startswith(REDIRECT_URI):
                return answer
            answer = self.send("GET", urljoin(answer.url, location))
        raise CannotMeasure(f"More than {MOST_STEPS} redirects at {answer.url}.")


def _form(answer: Answer, form_id: str) -> Form | None:
    parser = _Forms()
    parser.feed(answer.body)
    for form in parser.forms:
        if form.id == form_id:
            form.action = urljoin(answer.url, form.action) if form.action else answer.url
            return form
    return None


def authorization(endpoint: str, client_id: str, scope: str) -> tuple[str, str]:
    """An authorization request with PKCE: (URL, code_verifier)."""
    query, verifier = parameters(client_id, scope)
    return f"{endpoint}?{urlencode(query)}", verifier


def parameters(client_id: str, scope: str) -> tuple[dict[str, str], str]:
    """The same as (parameters, code_verifier)."""
    verifier = secrets.token_urlsafe(36)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": scope,
        "state": secrets.token_urlsafe(9),
        "nonce": secrets.token_urlsafe(9),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return query, verifier
