"""The surface as data: every route with its gate and the credentials it takes."""

from dataclasses import dataclass

from flask import Flask

from idp.web import gates


@dataclass(frozen=True, slots=True)
class Route:
    """One route: `path` with its variables in braces, methods that its rule answers."""

    path: str
    methods: tuple[str, ...]
    gate: str
    credentials: tuple[str, ...]
    cors: str
    endpoint: str


def table(app: Flask) -> list[Route]:
    """Every rule of the URL map, sorted by path."""
    known = gates.declarations(app)
    found = [
        Route(
            path=known[rule.endpoint].pattern,
            methods=tuple(sorted(rule.methods or ())),
            gate=known[rule.endpoint].gate.value,
            credentials=known[rule.endpoint].credentials,
            cors=known[rule.endpoint].cors.value,
            endpoint=rule.endpoint,
        )
        for rule in app.url_map.iter_rules()
    ]
    return sorted(found, key=lambda route: (route.path, route.endpoint))
