"""The page that shows all pictures, and the table of what axe-core found."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from tests.pictures.shots import Shot

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 110rem; padding: 0 1.5rem; }
h2 { margin: 3rem 0 .5rem; font-size: 1.1rem; }
.row { display: flex; gap: 1rem; overflow-x: auto; align-items: flex-start; padding-bottom: .5rem; }
figure { margin: 0; flex: 0 0 auto; }
figure img { display: block; width: 20rem; border: 1px solid #8884; border-radius: 8px; }
figure img.phone { width: 11rem; }
figcaption { font-size: .85rem; opacity: .7; padding-top: .25rem; }
table { border-collapse: collapse; }
td, th { text-align: start; padding: .25rem 1rem .25rem 0; vertical-align: top; border-bottom: 1px solid #8884; }
"""


def write(folder: Path, shots: Sequence[Shot]) -> Path:
    """`index.html` in the folder of the pictures."""
    states = dict.fromkeys(shot.state for shot in shots)
    views = dict.fromkeys(shot.view for shot in shots)
    body = Markup("").join(_row(state, [shot for shot in shots if shot.state == state]) for state in states)
    html = Markup(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Pages</title><style>{style}</style>'
        "<h1>{states} states, {views} views, {shots} pictures</h1>{found}{body}</html>"
    ).format(
        style=Markup(_STYLE),
        states=len(states),
        views=len(views),
        shots=len(shots),
        found=_found(shots),
        body=body,
    )
    path = folder / "index.html"
    path.write_text(html, encoding="utf-8")
    return path


def _row(state: str, shots: Sequence[Shot]) -> Markup:
    figures = Markup("").join(
        Markup(
            '<figure><a href="{file}"><img class="{kind}" loading="lazy" src="{file}" alt="{state}, {view}"></a>'
            "<figcaption>{view}</figcaption></figure>"
        ).format(file=shot.picture.name, kind=shot.view.partition("-")[0], state=state, view=shot.view)
        for shot in shots
    )
    return Markup('<h2 id="{0}">{0}</h2><div class="row">{1}</div>').format(state, figures)


def _found(shots: Sequence[Shot]) -> Markup:
    rows = table(shots)
    if not rows:
        return Markup("<p>axe-core found nothing, and no page complained on the console.</p>")
    cells = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(escape(cell)) for cell in row)
        )
        for row in rows
    )
    return Markup(
        "<table><tr><th>Rule</th><th>Impact</th><th>What</th><th>Where</th><th>Pictures</th></tr>{}</table>"
    ).format(cells)


def table(shots: Sequence[Shot]) -> list[tuple[str, str, str, str, str]]:
    """What was found, one row a rule: its name, impact, words, the first place, and in how many pictures."""
    found: dict[tuple[str, str, str], list[tuple[Shot, str]]] = {}
    for shot in shots:
        for each in shot.violations:
            found.setdefault((each.rule, each.impact, each.help), []).append((shot, each.targets[0]))
        for error in shot.errors:
            found.setdefault(("console", "error", error[:120]), []).append((shot, ""))
    return [
        (rule, impact, words, f"{where[0][0].state}: {where[0][1]}", str(len(where)))
        for (rule, impact, words), where in sorted(found.items())
    ]
