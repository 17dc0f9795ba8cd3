"""Builds the application: doors, gates, headers, and the layers in front of Flask.

Nothing imports this but servers and tests.
"""

import importlib
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, MapAdapter, RequestRedirect

from idp import config, lanes, logs, throttle
from idp.accounts import passwords
from idp.config import Settings
from idp.errors import Refusal
from idp.web import bodies, errors, gates, languages, shares
from idp.web.direct import Direct
from idp.web.environ import Doorstep
from idp.web.fast import Fast
from idp.web.gates import Door

DOORS = (
    "idp.web.health", "idp.web.wellknown", "idp.web.assets", "idp.web.protocol", "idp.web.hosted", "idp.web.account",
)  # fmt: skip
"""The packages that have doors, each in a tuple `DOORS`."""
THREADS = 16
"""Threads that answer requests in one process."""


class _Slug(BaseConverter):
    """What a tenant may be called; anything else is no route at all."""

    regex = gates.SLUG


class _NoSession(SessionInterface):
    """The framework's own session does not exist: ours live in the vault and have their own cookie."""

    def open_session(self, app: Flask, request: Any) -> None:
        """None."""

    def is_null_session(self, obj: object) -> bool:
        """Always, so that nothing is ever saved."""
        return True


class Application(Flask):
    """Flask without what this house does not use."""

    session_interface = _NoSession()

    def make_null_session(self) -> Any:
        """None is as good as an empty one, and costs nothing."""
        return None

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The router for a request whose host `environ` has settled already."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        path = environ["PATH_INFO"].encode("latin-1", "replace").decode("utf-8", "replace")
        return MapAdapter(
            self.url_map,
            environ["HTTP_HOST"],
            "/",
            "",
            environ["wsgi.url_scheme"],
            path,
            environ["REQUEST_METHOD"],
            environ.get("QUERY_STRING", ""),
        )


def create_app(settings: Settings, doors: tuple[Door, ...] | None = None) -> Application:
    """The application for `settings`, with every door or the given ones.

    Raises gates.Undeclared when a route has no gate, ValueError when a trusted proxy is no address.
    """
    config.use(settings)
    app = Application("idp", static_folder=None, template_folder=None)
    app.config.update(SERVER_NAME=settings.host, MAX_CONTENT_LENGTH=None, PROPAGATE_EXCEPTIONS=False)
    app.url_map.converters["slug"] = _Slug
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    gates.register(app, every_door() if doors is None else doors)
    languages.speak(app)
    _wire(app)
    inner = Doorstep(Direct(app.wsgi_app, gates.declarations(app)), settings)
    app.wsgi_app = Fast(  # type: ignore[method-assign]
        inner, proxied=bool(settings.trusted_proxies), hsts=settings.hsts
    )
    return app


def every_door() -> tuple[Door, ...]:
    """The doors of all packages that have any."""
    return tuple(door for name in DOORS for door in importlib.import_module(name).DOORS)


def _wire(app: Application) -> None:
    """The answers where no view was found, and to what nothing else caught."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        if error.code == 404 or isinstance(error, RequestRedirect):
            return errors.missing().framed()
        return errors.json_answer(errors.from_http(error)).framed()

    @app.errorhandler(Refusal)
    def away(refusal: Refusal) -> Response:
        return errors.json_answer(refusal).framed()

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        return errors.json_answer(errors.unexpected(error)).framed()


def wsgi(settings: Settings, threads: int = THREADS, processes: int = 1) -> Application:
    """What a server's worker process loads: logs, directory and shares of this process, then the application.

    `threads`: of this process; `processes`: that serve beside each other and share a tenant's budgets.
    """
    config.use(settings)
    logs.setup(settings.log_level)
    from idp.control import running

    running.start(settings)
    lanes.open_()
    shares.threads(threads)
    bodies.threads(threads)
    passwords.share_of(threads)
    throttle.share(processes)
    return create_app(settings)
