"""An application's own server, and a clock that moves by itself for nobody but what was read there."""

from collections.abc import Iterator
from typing import Any

import pytest

from idp import clock
from idp.oauth import metadata_documents
from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.receiving import Serving, document_server
from tests.spec.client_id_metadata.describing import describe


@pytest.fixture
def server() -> Iterator[Serving]:
    metadata_documents.forget()
    with document_server() as serving:
        describe(serving)
        yield serving
    metadata_documents.forget()


@pytest.fixture
def reads(acme: Tenant) -> Tenant:
    """Acme, which reads documents that lie on this machine."""
    return policy(acme, client_id_metadata_hosts=["localhost"])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock by which documents grow old."""
    moved, real = [0.0], clock.monotonic
    monkeypatch.setattr(metadata_documents.clock, "monotonic", lambda: real() + moved[0])

    def move(seconds: float) -> None:
        moved[0] += seconds

    return move
