"""Verbs for the modules about signing out: sign in, leave, look whether one is out."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

from tests.playing import RelyingParty, inputs, local, query

STATE = "s" * 128
BACK = "http://localhost:8001/"


def signed_in(rp: RelyingParty, **changes: str | None) -> tuple[Any, dict[str, Any]]:
    """A browser that is signed in, and the claims of its ID token beside the token itself."""
    browser = rp.browser()
    tokens = rp.exchange(rp.authorize(browser, **changes).login("alice").code)
    return browser, {**rp.verified(tokens["id_token"], rp.client_id), "hint": tokens["id_token"]}


def leave(rp: RelyingParty, browser: Any, **params: str) -> Any:
    """Ask for the sign-out, confirm it where the question is put; the answer that follows."""
    path = f"/t/{rp.tenant.slug}/logout"
    page = browser.get(f"{path}?{urlencode(params)}")
    if 'id="logout-form"' not in page.get_data(as_text=True):
        return page
    return browser.post(f"{path}/confirm", data={**inputs(page.get_data(as_text=True)), "action": "confirm"})


def landed(rp: RelyingParty, browser: Any, answer: Any) -> Any:
    """The page of ours that the answer leads to."""
    while answer.status_code == 303 and answer.headers["Location"].startswith(rp.tenant.issuer):
        answer = browser.get(local(answer.headers["Location"], rp.tenant))
    return answer


def out(rp: RelyingParty, browser: Any) -> bool:
    """Whether a silent request finds nobody signed in."""
    return rp.authorize(browser, prompt="none").params.get("error") == "login_required"


def frames(page: str) -> list[str]:
    """The addresses that the page loads in frames."""
    return [unescape(found) for found in re.findall(r'<iframe class="fc-logout" src="([^"]*)"', page)]


def onward(page: str) -> str:
    """Where the page leads: its link, which is where it goes by itself too."""
    link = re.search(r'<a id="logout-continue"[^>]* href="([^"]*)"', page)
    refresh = re.search(r'http-equiv="refresh" content="\d+; url=([^"]*)"', page)
    assert link and refresh and link[1] == refresh[1], page
    return unescape(link[1])


def policy_of(answer: Any) -> dict[str, str]:
    """The directives of the page's Content-Security-Policy."""
    parts = answer.headers["Content-Security-Policy"].split(";")
    return dict(part.strip().partition(" ")[::2] for part in parts)


def only_state(url: str) -> bool:
    """Whether the address is the registered one with `state` and nothing else."""
    return url.startswith(BACK) and query(url) == {"state": [STATE]}
