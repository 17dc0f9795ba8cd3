"""What the page is told on which a person names their organization. Imports no Flask."""

from dataclasses import dataclass
from typing import Final

from idp.web.faces import ClientFace, Form, Page, TenantFace


@dataclass(frozen=True, kw_only=True)
class Organization(Form):
    """Which tenant a person belongs to, who came to the platform's issuer. The field's name and id are public."""

    tenant: TenantFace
    client: ClientFace
    said: str = ""
    """What was entered and led nowhere."""


PAGES: Final[dict[str, type[Page]]] = {"organization": Organization}
