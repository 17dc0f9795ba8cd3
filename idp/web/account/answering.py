"""How the account pages answer: a page with what all of them show, or the way back to one."""

from typing import Any

from flask import Response

from idp.accounts import people
from idp.tenants import current
from idp.web import answers, asked, cookies, languages, pages, signed
from idp.web.persons import Visit

_SAID = b"said"


def page(visit: Visit, name: str, section: str, *, status: int = 200, **shown: Any) -> Response:
    """An account page for the person who visits; `section`: its place in the navigation."""
    html, csp = pages.render(
        f"account/{name}",
        tenant=pages.face(current()),
        user=people.name_of(visit.user),
        section=section,
        csrf=visit.csrf(),
        said=_said(visit),
        request_id=asked.request_id(),
        **shown,
    )
    response = answers.page(html, csp, status=status, binding=visit.binding)
    cookies.clear(response, cookies.SAID)
    return response


def done(visit: Visit, path: str, sentence: str) -> Response:
    """Back to a page, which says once what has been done."""
    response = answers.see_other(f"{current().issuer}/{path}")
    cookies.write(
        response,
        cookies.SAID,
        signed.write(_SAID, {"s": str(visit.session.id), "w": languages.told(sentence)}),
    )
    return response


def _said(visit: Visit) -> str:
    kept = signed.read(_SAID, cookies.read(cookies.SAID))
    return str(kept["w"]) if kept is not None and kept["s"] == str(visit.session.id) else ""
