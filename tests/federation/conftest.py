"""One server for all tests of a file that need no other state than new people's browsers."""

from collections.abc import Iterator
from typing import Any

import pytest

from idp import directory
from idp.audit import SYSTEM
from idp.config import Settings
from idp.control import blueprints
from tests.conftest import TWINS
from tests.federating import World, world


@pytest.fixture(scope="module")
def there(services: Any, vault: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The twins and corp, on a server of their own."""
    services.superuser("DELETE FROM tenants")
    directory.forget_all()
    blueprints.apply_files([TWINS], SYSTEM)
    directory.forget_all()
    with world(vault, tmp_path_factory.mktemp("federation") / "serve.log") as made:
        yield made
