"""The start pages: `{issuer}/` of a tenant and `{base}/` of the provider."""

from flask import Response

from idp import config
from idp.tenants import current
from idp.web import answers, asked, pages, showcase
from idp.web.gates import Door, Gate
from idp.web.languages import _

door = Door("tenant_home", __name__, gate=Gate.TENANT, page="error")
base = Door("home", __name__, gate=Gate.PUBLIC, page="error")


@door.route("/", credentials=())
def tenant_home() -> Response:
    """The tenant's name; in development the addresses that a developer wants next."""
    issuer = current().issuer
    links = (
        (_("Discovery document"), f"{issuer}/.well-known/openid-configuration"),
        (_("Signing keys (JWKS)"), f"{issuer}/jwks.json"),
        (_("Sign out"), f"{issuer}/logout"),
    )
    shown = links if config.settings().development else ()
    html, csp = pages.render(
        "tenant_home", tenant=pages.face(current()), links=shown, request_id=asked.request_id()
    )
    return answers.page(html, csp)


@base.route("/", credentials=())
def home() -> Response:
    """One quiet line; in development the tenants of the demo, their people and links."""
    development = config.settings().development
    html, csp = pages.render(
        "home",
        development=development,
        tenants=showcase.tenants() if development else (),
        links=_links() if development else (),
        request_id=asked.request_id(),
    )
    return answers.page(html, csp)


def _links() -> tuple[tuple[str, str], ...]:
    """Where a developer looks besides; the mail page where nothing is sent."""
    return () if config.settings().smtp_url else ((_("Mail that was not sent"), "/mail"),)
