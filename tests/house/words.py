"""The words of pages and mails, and which of them a language still lacks: `python -m tests.house.words [--write]`.

Words are found at their marks, in templates and in Python. `--write` puts those that a catalogue lacks into it,
empty, takes out those that nobody says any more, and keeps the rest: afterwards fill what is empty.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from idp import errors, paths
from idp.tenants import LANGUAGES
from idp.web import languages

TOP = Path(__file__).resolve().parents[2]
FOLDER = paths.templates() / "languages"
KEYWORDS: dict[str, Any] = {
    "_": None, "gettext": None, "ngettext": (1, 2), "plural": (1, 2), "say": None,
}  # fmt: skip
_MARKED = re.compile(rb"(?<![\w.])(?:_|plural|say)\(\s*[\"\x27]")
"""What a Python file has that marks words."""
OPTIONS = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
_SILENT = (
    r"\{#.*?#\}", r"<(script|style)\b.*?</\1>", r"\{%-?\s*block (?:main|shape|head)\s*-?%\}.*?\{%-?\s*endblock\s*-?%\}",
    r"\b(?:_|ngettext)\(\s*(\"[^\"]*\"(?:,\s*\"[^\"]*\")?|\x27[^\x27]*\x27)", r"strftime\(\"[^\"]*\"\)",
)  # fmt: skip
"""What is no text of a page, or is marked."""
REFUSALS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
"""What they say is for developers; pages have words of their own."""
Id = str | tuple[str, str]


def templates() -> list[Path]:
    """Every template of pages and of messages."""
    return [
        each
        for each in sorted((*paths.templates().rglob("*.html"), *mails()))
        if "integrations" not in each.parts and each.name != "check_session.html"
    ]


def mails() -> list[Path]:
    """Every template of messages, and the frame of their text."""
    return sorted((*(paths.templates() / "email").glob("*.jinja"), paths.templates() / "email" / "frame.txt"))


def modules() -> list[Path]:
    """Every Python file that marks words."""
    return [each for each in sorted((TOP / "idp").rglob("*.py")) if _MARKED.search(each.read_bytes())]


@cache
def said() -> dict[Id, list[str]]:
    """Every marked sentence, a pair where it has a plural, and the files that say it."""
    found: dict[Id, list[str]] = {}
    for path in (*templates(), *modules()):
        with path.open("rb") as source:
            method = "jinja2.ext:babel_extract" if path.suffix != ".py" else "python"
            for _line, message, _comments, _context in extract(method, source, KEYWORDS, options=OPTIONS):
                key = tuple(message) if isinstance(message, tuple | list) else message
                found.setdefault(key, []).append(path.relative_to(TOP).as_posix())  # type: ignore[arg-type]
    return found


def catalogue(language: str) -> Catalog:
    """What stands in the catalogue of a language."""
    with (FOLDER / f"{language}.po").open("rb") as source:
        return read_po(source, locale=language)


def waiting(language: str) -> Iterator[Id]:
    """What that language does not say yet."""
    there = {entry.id: entry.string for entry in catalogue(language) if entry.id}
    for key in said():
        text = there.get(key)  # type: ignore[call-overload]
        if not text or (isinstance(text, tuple) and not all(text)):
            yield key


def write(language: str) -> None:
    """Bring the catalogue of a language to what is said."""
    old = {entry.id: entry.string for entry in catalogue(language) if entry.id}
    new = Catalog(locale=language, fuzzy=False, charset="utf-8")
    for key in sorted(said(), key=str):
        new.add(key, old.get(key))
    with (FOLDER / f"{language}.po").open("wb") as target:
        write_po(target, new, omit_header=False, width=0, no_location=True)
    text = (FOLDER / f"{language}.po").read_text()
    head = f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    head += f'"Plural-Forms: {new.plural_forms}\\n"\n\n'
    body = text.split("\n\n", 1)[1]
    (FOLDER / f"{language}.po").write_text(head + body)


def unmarked(path: Path) -> list[str]:
    """Words that stand in a template without a mark: text, attributes that people read, quoted sentences."""
    text = path.read_text()
    for pattern in _SILENT:
        text = re.sub(pattern, "\n", text, flags=re.DOTALL)
    code = " ".join(re.findall(r"\{[{%].*?[%}]\}", text, re.DOTALL))
    bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
    read = re.findall(r"\b(?:aria-label|title|placeholder|alt|label)=\"([^\"]*)\"", bare)
    between = re.sub(r"<code>.*?</code>|<[^>]*>|&\w+;", "\n", bare, flags=re.DOTALL).split("\n")
    quoted = re.findall(r"\"([A-Z][a-z]+[^\"]*)\"", code)
    return [each.strip() for each in (*read, *between, *quoted) if re.search(r"[A-Za-z]{2}", each)]


def spoken() -> list[Path]:
    """The Python that speaks to people: views and faces."""
    web = TOP / "idp" / "web"
    return sorted(
        (*web.glob("account/*.py"), *web.glob("hosted/*.py"), *web.glob("*faces.py"), web / "showcase.py")
    )


def bare(path: Path) -> list[str]:
    """Sentences and labels that stand in Python without a mark.

    Left out are docstrings, what a refusal says to developers, and names of headers and browsers.
    """
    tree = ast.parse(path.read_text())
    passed: set[ast.AST] = set()
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        name = (
            called.id
            if isinstance(called, ast.Name)
            else called.attr
            if isinstance(called, ast.Attribute)
            else ""
        )
        if isinstance(node, ast.Subscript):
            passed |= set(ast.walk(node.slice))
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            passed |= set(ast.walk(node.annotation))
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            passed |= set(ast.walk(node.returns))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(node.value)
        elif name in KEYWORDS or name in REFUSALS or name == "get":
            passed |= set(ast.walk(node))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node not in passed and isinstance(node.value, str)
        and re.match(r"[A-Z][a-z]+( |$|[.?:])", node.value)
    ]  # fmt: skip


def main(given: list[str] | None = None) -> int:
    """Exit status: 0 when every language says everything."""
    parser = argparse.ArgumentParser(description="Which words a language lacks.")
    parser.add_argument("--write", action="store_true", help="put what is lacking into the catalogues, empty")
    write_them = parser.parse_args(given).write
    lacking = False
    for language in LANGUAGES[1:]:
        if write_them:
            write(language)
        for key in waiting(language):
            lacking = True
            print(f"{language}: {key if isinstance(key, str) else key[0]}")
    for path in templates():
        pieces = unmarked(path)
        if pieces:
            name = path.relative_to(paths.templates()).as_posix()
            print(f"in {languages.WRITTEN} alone: {name} ({len(pieces)} pieces of text)")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
