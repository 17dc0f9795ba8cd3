"""Verbs of an application that describes itself at the address that is its client_id."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from idp.oauth import metadata_documents
from idp.tenants import Tenant
from tests.playing import RelyingParty
from tests.receiving import Serving, document_server

CALLBACK = "https://app.example.com/cb"


def said(server: Serving, **changes: Any) -> dict[str, Any]:
    """A good document; None leaves a member out."""
    document = {
        "client_id": server.uri,
        "client_name": "Describes Itself",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        **changes,
    }
    return {name: value for name, value in document.items() if value is not None}


def describe(server: Serving, **changes: Any) -> None:
    """Serve it."""
    server.json(said(server, **changes))


@contextmanager
def serving_documents() -> Iterator[Serving]:
    """An application's own server with its good document, of which nothing is remembered before and after."""
    metadata_documents.forget()
    with document_server() as serving:
        describe(serving)
        yield serving
    metadata_documents.forget()


def party(app: Any, tenant: Tenant, server: Serving) -> RelyingParty:
    """The application itself."""
    return RelyingParty(app, tenant, server.uri, None, CALLBACK, "none")
