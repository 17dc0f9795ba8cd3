"""The shortest way to the endpoints that machines call all day: past the framework's router and contexts.

A request whose method and path name a plain route exactly goes to that route's guarded view, the very one that
the framework calls for every other spelling, preflight and method. What is left out costs more than half of a
token otherwise.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from idp.errors import Refusal
from idp.web import errors, gates
from idp.web.gates import Declared, Guarded
from idp.web.reply import Reply

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_SLUG = re.compile(gates.SLUG)


class Direct:
    """WSGI, behind the doorstep: `app` is asked whatever is not a plain route."""

    def __init__(self, app: Application, declared: Mapping[str, Declared]) -> None:
        """`declared`: every route's declaration."""
        self._app = app
        self._views: dict[tuple[str, str], Guarded] = {
            (method, one.pattern.removeprefix("/t/{slug}/")): one.plain
            for one in declared.values()
            if one.plain is not None
            for method in one.methods
            if method != "OPTIONS"
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        path: str = environ["PATH_INFO"]
        slug, _, rest = path[3:].partition("/")
        view = self._views.get((environ["REQUEST_METHOD"], rest))
        if view is None or path[:3] != "/t/" or _SLUG.fullmatch(slug) is None:
            return self._app(environ, start_response)
        return _answer(view, slug).send(start_response)


def _answer(view: Guarded, slug: str) -> Reply:
    """What the view answers; what its gate itself could not decide is written as the framework would."""
    try:
        return view(slug)
    except Refusal as refusal:
        return errors.json_answer(refusal)
    except Exception as error:
        return errors.json_answer(errors.unexpected(error))
