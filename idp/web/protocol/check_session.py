"""check_session_iframe (OpenID Connect Session Management 1.0 §3.3): the provider's frame in an application's page.

It reads a cookie and compares; it asks nobody, and shows nothing that could be clicked. Only the origins of the
tenant's own applications may frame it.
"""

from flask import Response

from idp.oauth import origins, session_state
from idp.web import answers, cookies, errors, pages
from idp.web.gates import Door, Gate
from idp.web.reply import Reply

door = Door("check_session", __name__, gate=Gate.TENANT)

MOST_ORIGINS = 60
"""Of a policy that names each; beyond that it admits every https page, so that the header stays short."""


@door.route("/check-session", methods=("GET",), credentials=())
def check_session() -> Response | Reply:
    """The frame; nothing where the tenant's policy has no session management."""
    if not session_state.spoken():
        return errors.missing()
    html, csp = pages.frame(cookies.name(cookies.STATE), _ancestors())
    return answers.page(html, csp)


def _ancestors() -> tuple[str, ...]:
    found = sorted(origins.allowed())
    return tuple(found) if len(found) <= MOST_ORIGINS else ("https:",)
