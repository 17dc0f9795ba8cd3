"""Opening an installation for the whole life of a process that serves; what must hold first is in `readiness`."""

import atexit
from contextlib import ExitStack

from idp.config import Settings
from idp.control import installation

_opened = ExitStack()


def start(settings: Settings) -> None:
    """Open vault, ring and directory for the life of this process. Raises ConfigError."""
    _opened.enter_context(installation.opened(settings))
    atexit.register(_opened.close)
