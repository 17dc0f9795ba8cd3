"""Reading a blueprint: YAML of which every value knows its line, and secrets that stand elsewhere.

Only plain YAML is read: no tags of languages, no merge keys, no key twice, bounded in size, depth and (aliases
included) in values. Dates stay texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from idp.config import environment
from idp.errors import Invalid, Refusal

LARGEST = 8 * 1024 * 1024  # bytes of a file
DEEPEST = 24  # collections inside one another
MOST_VALUES = 500_000  # after every alias has been written out
LARGEST_SECRET = 4096  # bytes of a file that holds one

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = {"null", "bool", "int", "float", "str", "timestamp"}


class Mistake(Invalid):
    """A blueprint is wrong; the description begins with file, line and field."""


@dataclass(slots=True)
class File:
    """A blueprint: its content, and the line of every field by the field's path (`tenants[0].slug`)."""

    path: Path
    content: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)

    def mistake(self, where: str, clause: str) -> Mistake:
        """The refusal for the field `where`; the nearest field above it that stands in the file gives the line."""
        at = where
        while at and at not in self.lines:
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        return Mistake(f"{self.path}:{self.lines.get(at, 1)}: {where or 'blueprint'}: {clause}", rule=where)

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Turn a refusal inside the block into a Mistake about the field `where`, or the member that it names."""
        try:
            yield
        except Mistake:
            raise
        except Refusal as refusal:
            if refusal.status >= 500:
                raise
            raise self.mistake(self._member(where, refusal), refusal.description) from refusal

    def _member(self, where: str, refusal: Refusal) -> str:
        """The field that a refusal is about: its rule's where that stands in the file, or begins the sentence."""
        member = refusal.rule or ""
        if f"{where}.{member}" in self.lines:
            return f"{where}.{member}"
        missing = member.isidentifier() and refusal.description.startswith(f"{member} ")
        if missing and any(line.startswith(f"{where}.") for line in self.lines):
            return f"{where}.{member}"
        return where


def read(path: Path) -> File:
    """The blueprint in a file. Raises Mistake."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise Mistake(f"{path}: cannot be read ({problem.strerror}).") from None
    if len(data) > LARGEST:
        raise Mistake(f"{path}: is larger than {LARGEST} bytes.")
    try:
        text = data.decode("utf-8-sig")
        _bound_depth(text, path)
        root = yaml.compose(text, Loader=_LOADER)
    except UnicodeDecodeError:
        raise Mistake(f"{path}:1: is not UTF-8.") from None
    except yaml.YAMLError as problem:
        raise _unreadable(path, text, problem) from None
    reader = _Reader(path)
    content = {} if root is None else reader.value(root, "")
    if not isinstance(content, dict):
        raise Mistake(f"{path}:1: must be a mapping with the key tenants.")
    return File(path, content, reader.lines)


def _bound_depth(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Mistake(f"{path}:{event.start_mark.line + 1}: is nested deeper than {DEEPEST} levels.")


_BEGUN = ("quoted scalar", "flow sequence", "flow mapping", "simple key")


def _unreadable(path: Path, text: str, problem: yaml.YAMLError) -> Mistake:
    # the problem's own words only: its snippet could show a secret
    words = getattr(problem, "problem", None) or "holds a character that YAML does not know"
    return Mistake(f"{path}:{_line_of(text, problem)}: is no YAML: {words}.")


def _line_of(text: str, problem: yaml.YAMLError) -> int:
    """Where to mend it: where that began which never ended, and never behind the last line that says anything."""
    if isinstance(problem, yaml.reader.ReaderError):
        return text.encode()[: problem.position].count(b"\n") + 1
    mark = getattr(problem, "problem_mark", None)
    if str(getattr(problem, "context", None) or "").endswith(_BEGUN):
        mark = getattr(problem, "context_mark", None) or mark
    last = text.rstrip().count("\n") + 1
    return min(mark.line + 1, last) if mark is not None else 1


class _Reader:
    """Nodes to values; keeps the line of each field and counts what it makes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self.made = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, where: str) -> Any:
        self.made += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(where, line)
        if self.made > MOST_VALUES or where.count(".") + where.count("[") > DEEPEST:
            raise Mistake(f"{self.path}:{line}: holds too many values, or an alias of itself.")
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [self.value(member, f"{where}[{index}]") for index, member in enumerate(node.value)]
        return self._scalar(node, where, line)

    def _mapping(self, node: yaml.MappingNode, where: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                raise Mistake(f"{self.path}:{line}: {where or 'blueprint'}: has a key that is no text.")
            key = key_node.value
            inside = f"{where}.{key}" if where else key
            if key in made:
                raise Mistake(f"{self.path}:{line}: {inside}: stands here twice.")
            self.lines[inside] = line
            made[key] = self.value(value_node, inside)
        return made

    def _scalar(self, node: yaml.Node, where: str, line: int) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if not isinstance(node, yaml.ScalarNode) or tag not in _PLAIN:
            raise Mistake(f"{self.path}:{line}: {where}: has a tag that is not read here.")
        if tag in ("str", "timestamp"):
            return node.value
        try:
            made = self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            raise Mistake(f"{self.path}:{line}: {where}: cannot be read as {tag}.") from None
        if isinstance(made, float) and not -1e15 < made < 1e15:
            raise Mistake(f"{self.path}:{line}: {where}: is not a number that can be kept.")
        return made


def secret(file: File, where: str, given: object, *, plain: bool) -> str | None:
    """The secret that stands at `where`: itself where `plain` is allowed, `{env: NAME}` or `{file: PATH}`.

    Raises Mistake; never says the value.
    """
    if given is None or isinstance(given, str):
        if given is not None and not plain:
            raise file.mistake(
                where, "must be {env: NAME} or {file: PATH}; a plain secret is refused in production."
            )
        return given
    if not isinstance(given, Mapping) or len(given) != 1 or not isinstance(next(iter(given.values())), str):
        raise file.mistake(where, "must be a string, {env: NAME} or {file: PATH}.")
    ((kind, name),) = given.items()
    if kind == "env":
        value = environment().get(name)
        if not value:
            raise file.mistake(where, f"the environment has no {name}.")
        return value
    if kind == "file":
        return _from_file(file, where, name)
    raise file.mistake(where, "must be a string, {env: NAME} or {file: PATH}.")


def _from_file(file: File, where: str, name: str) -> str:
    try:
        data = (file.path.parent / name).read_bytes()
        if not data or len(data) > LARGEST_SECRET:
            raise file.mistake(where, f"the file {name} must have 1 to {LARGEST_SECRET} bytes.")
        text = data.decode()
    except UnicodeDecodeError:
        raise file.mistake(where, f"the file {name} is not UTF-8.") from None
    except (OSError, ValueError):
        raise file.mistake(where, f"the file {name} cannot be read.") from None
    return text.removesuffix("\n").removesuffix("\r")
