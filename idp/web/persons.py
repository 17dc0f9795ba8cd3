"""The gate of the account pages: who comes in is signed in, lately where it matters, and posts what they were shown.

Who is not signed in goes through the hosted sign-in and comes back to the page that they asked for; a post is not
kept meanwhile. Owns the visit, which is all that a view of these pages gets to know of the browser.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Response

from idp import clock
from idp.accounts import assurance, factors, people, sessions
from idp.errors import Forbidden
from idp.oauth import flow
from idp.oauth.request import Browser
from idp.web import answers, asked, csrf

if TYPE_CHECKING:
    from idp.store.durable.sessions import Session
    from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Visit:
    """A person at their account: who, in which session and browser; `form` is what a good post said."""

    user: "User"
    session: "Session"
    browser: Browser
    binding: str
    path: str
    """The page below the issuer, such as `account/sessions`."""
    form: Mapping[str, str]

    def csrf(self) -> str:
        """The token for the form of this page, in this browser and session."""
        return csrf.token(self.binding, _step(self.path, self.session))


def _step(path: str, session: "Session") -> str:
    return f"{path}|{session.id}"


def signed_in(view: Callable[..., Any], rule: str, *, fresh: bool) -> Callable[..., Any]:
    """`view`, called with a Visit, behind the gate. `rule`: the page's path below the issuer, without variables."""
    path = rule.lstrip("/")
    most = sessions.FRESH if fresh else None

    @wraps(view)
    def guarded(**values: Any) -> Response:
        browser, binding = answers.browser()
        session = sessions.read(browser.session_token)
        user = people.of(session.user_id) if session is not None else None
        if session is None or user is None or not _fresh(session, most) or _half(user, session, fresh):
            known = browser if user is not None else replace(browser, session_token=None)
            acr = (
                assurance.TWO
                if user is not None and session is not None and _half(user, session, fresh)
                else ""
            )
            return answers.go(flow.begin_own(path, known, max_age=most, acr=acr), binding)
        form = _posted(path, session, binding) if asked.method() == "POST" else {}
        visit = Visit(user, sessions.touch(session), browser, binding, path, form)
        response: Response = view(visit, **values)
        return response

    return guarded


def _half(user: "User", session: "Session", fresh: bool) -> bool:
    """Whether something dangerous waits for the second factor of somebody who has one."""
    if not fresh or session.acr == assurance.TWO or assurance.TWO not in assurance.reachable():
        return False
    return factors.held_by(user.id).own


def _fresh(session: "Session", most: int | None) -> bool:
    return most is None or clock.now() < session.auth_time + timedelta(seconds=most)


def _posted(path: str, session: "Session", binding: str) -> dict[str, str]:
    """The form. Raises Forbidden for one of another site, page, browser or session."""
    form = asked.page_form()
    if asked.foreign():
        raise Forbidden("This form was sent from another site.", rule="csrf.origin")
    if not csrf.good(form.get("csrf"), binding, _step(path, session)):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    return form
