"""An application's own server, and a clock that moves by itself for nobody but what was read there."""

from collections.abc import Iterator
from typing import Any

import pytest

from idp import clock
from idp.oauth import metadata_documents
from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.receiving import Serving
from tests.spec.client_id_metadata.describing import serving_documents


@pytest.fixture
def server() -> Iterator[Serving]:
    with serving_documents() as serving:
        yield serving


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
