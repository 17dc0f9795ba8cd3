"""A web process that dies by SIGKILL at a named place: `python -m tests.faults.crashing PLACE PORT`.

The places are functions of the product that this program wraps; the product itself knows nothing of them, so that
there is nothing to be left on in production. `before` and `after` say on which side of the call it dies.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from werkzeug.serving import make_server

from idp.config import Settings
from idp.control import running

PLACES: dict[str, tuple[str, str, str]] = {
    "code: burned in Redis, nothing in Postgres": ("idp.store.ephemeral.codes", "burn", "after"),
    "code: grant written": ("idp.store.durable.grants", "add", "after"),
    "code: minted, not committed": ("idp.oauth.issue", "mint", "after"),
    "code: committed, not answered": ("idp.oauth.grants.authorization_code", "redeem", "after"),
    "refresh: consumed": ("idp.store.durable.grants", "consume", "after"),
    "refresh: committed, not answered": ("idp.oauth.grants.refresh_token", "_answer", "after"),
    "sign-in: session written": ("idp.store.durable.sessions", "begin", "after"),
    "sign-in: ended in Redis": ("idp.store.ephemeral.transactions", "finish", "after"),
    "sign-in: code in Redis, session not committed": ("idp.store.ephemeral.codes", "put", "after"),
    "sign-in: committed, not answered": ("idp.oauth.flow", "sign_in", "after"),
    "revocation: written": ("idp.store.durable.grants", "revoke", "after"),
}
"""What is interrupted, and where: module, function, side."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _armed(function: Callable[..., Any], side: str) -> Callable[..., Any]:
    def dying(*args: Any, **kwargs: Any) -> Any:
        if side == "before":
            _die()
        result = function(*args, **kwargs)
        _die()
        return result

    return dying


def main(place: str, port: int) -> None:
    """Serve one application in this process until the place is reached."""
    import importlib

    settings = Settings.load()
    running.start(settings)
    from idp.app import create_app

    app = create_app(settings)
    module, name, side = PLACES[place]
    holder = importlib.import_module(module)
    setattr(holder, name, _armed(getattr(holder, name), side))
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
