"""One running deployment for every proof of a worker."""

from collections.abc import Iterator

import pytest

from tests.running import Up, up


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A provider as people run it, without tenants."""
    with up(tmp_path_factory.mktemp("proved") / "home") as running:
        running.wait_ready()
        yield running
        running.end()
