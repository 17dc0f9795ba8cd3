"""A person with a browser, over HTTP: signs in, allows, confirms, and arrives where the provider sends them."""

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urljoin

import requests

from tests.playing import inputs

USERNAME, PASSWORD = "alice", "correct horse battery staple"
_ANSWERS = {
    "login": "login",
    "consent": "allow",
    "logout": "confirm",
    "device": "continue",
    "approve": "allow",
}
"""What is pressed on which page."""


@dataclass
class Person:
    """Alice. `seen` are the pages that she was shown, by the name of their form."""

    issuer: str
    seen: list[str] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def visit(self, url: str) -> dict[str, str]:
        """Where the browser ends: `url`, and `body` where it arrives by a form post. Nobody listens there."""
        answer = self.session.get(url, allow_redirects=False, timeout=20)
        for _ in range(12):
            if answer.is_redirect:
                target = urljoin(answer.url, answer.headers["Location"])
                if not target.startswith(self.issuer):
                    return {"url": target}
                answer = self.session.get(target, allow_redirects=False, timeout=20)
                continue
            if (
                'data-how="allowed"' in answer.text
            ):  # allowed for a program elsewhere: there is nowhere to go on to
                return {"url": answer.url}
            form = re.search(r'<form id="([a-z-]+)-form" method="post"(?: action="([^"]*)")?', answer.text)
            assert form, (answer.status_code, answer.text[:600])
            target = urljoin(answer.url, unescape(form[2] or answer.url))
            if form[1] == "form-post":
                return {"url": target, "body": urlencode(inputs(answer.text))}
            self.seen.append(form[1])
            filled = {
                **inputs(answer.text),
                "username": USERNAME,
                "password": PASSWORD,
                "action": _ANSWERS.get(form[1]) or _first(answer.text),
                "user_code": _typed(answer.text),
            }
            answer = self.session.post(target, data=filled, allow_redirects=False, timeout=20)
        raise AssertionError(f"went round and round: {self.seen}")


def _first(page: str) -> str:
    """The first of several that wait to be answered."""
    found = re.search(r'id="waiting-1"[^>]* value="([^"]+)"', page)
    assert found, page[:600]
    return found[1]


def _typed(page: str) -> str:
    """The code of a device with which its page is filled; "" on any other page."""
    found = re.search(r'<input id="user_code"[^>]* value="([^"]*)"', page)
    return found[1] if found else ""
