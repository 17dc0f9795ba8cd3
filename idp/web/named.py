"""Which tenant a request to the platform's issuer is about: what it shows names it, and nothing else does.

A name decides only where something is looked for; whether it is good is judged there. One that leads nowhere leaves
the request with the platform's realm, where no code, token or person is known.
"""

from dataclasses import replace
from uuid import UUID

from idp import directory, platform
from idp.errors import Refusal
from idp.oauth.request import Answer
from idp.tenants import Tenant
from idp.web import asked, parse

SHOWN = ("code", "refresh_token", "token")
"""The members of a form that may have a tenant's name before them."""


def tenant(realm: Tenant) -> Tenant:
    """The tenant that the request names, as the platform speaks for it; the realm where it names none that is active.

    No tenant is entered yet. Raises Unavailable.
    """
    name = _name()
    found = directory.by_id(name) if name is not None else None
    return platform.face(found) if found is not None and found.active else realm


def _name() -> UUID | None:
    """The id of the tenant that a credential names; what is malformed is refused by whoever reads it in earnest."""
    try:
        header = asked.access_token()
        if header is not None:
            return platform.about(header[1])
        if asked.method() != "POST" or not asked.environ().get("CONTENT_TYPE", "").startswith(parse.FORM):
            return None
        form = dict(parse.pairs(asked.body()))
    except Refusal:
        return None
    shown = next((form[name] for name in (*SHOWN, "access_token") if name in form), "")
    return platform.unnamed(shown)[0] or platform.about(shown)


def understood(form: dict[str, str]) -> dict[str, str]:
    """The form without the names before what stands in it."""
    return {name: platform.unnamed(value)[1] if name in SHOWN else value for name, value in form.items()}


def told(answer: Answer) -> Answer:
    """The answer with the entered tenant's name before the refresh token that it gives."""
    if not isinstance(answer.body, dict) or "refresh_token" not in answer.body:
        return answer
    return replace(
        answer, body={**answer.body, "refresh_token": platform.before(answer.body["refresh_token"])}
    )
