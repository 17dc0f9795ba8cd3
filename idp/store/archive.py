"""A backup as a file: one member a table in Postgres' own COPY text, and a manifest that says what there is.

Rows only, and nothing of the key ring or of the context's keys: the schema with its policies and grants comes from
the migrations, the keys from the ring's own backup. The manifest is written last; a file without one is half a file.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
_PIECE = 1 << 20


class Damaged(Exception):
    """The file is no backup, or not as it was written; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """One table: its columns in the order of the member's text, its rows, SHA-256 of the text."""

    table: str
    columns: tuple[str, ...]
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds, tables in an order in which every reference finds its row."""

    version: str
    """Of the program that wrote it."""
    schema: str
    """The revision that the rows belong to."""
    postgres: str
    taken_at: str
    last_transaction: int
    """The highest transaction that wrote an audit row; 0 where there is none."""
    ring_keys: tuple[str, ...]
    """Ids of the ring's keys that open its signing keys."""
    parts: tuple[Part, ...]
    format: int = FORMAT

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(part.rows for part in self.parts)


class _Counted:
    """A writable that counts lines, which are rows, and digests what passes."""

    def __init__(self, into: IO[bytes]) -> None:
        self.into, self.rows, self.sha = into, 0, hashlib.sha256()

    def write(self, piece: bytes) -> int:
        self.rows += piece.count(b"\n")
        self.sha.update(piece)
        return self.into.write(piece)


class Writer:
    """A backup that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        """`file`: open for writing, its owner's alone."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3)

    @contextmanager
    def member(self, table: str) -> Iterator[_Counted]:
        """Where a table's text goes; it counts what it is given."""
        with self._zip.open(f"{table}.copy", "w", force_zip64=True) as member:
            yield _Counted(member)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, which makes it a whole one."""
        self._zip.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))

    def close(self) -> None:
        """Write the end of the file."""
        self._zip.close()


class Reader:
    """A backup that was read through and found whole."""

    def __init__(self, path: Path) -> None:
        """Raises Damaged unless every table is as the manifest says."""
        try:
            self._zip = zipfile.ZipFile(path)
            with self._zip.open(MANIFEST) as member:
                self.manifest = _parsed(json.load(member))
            for part in self.manifest.parts:
                self._compare(part)
        except FileNotFoundError:
            raise Damaged(f"There is no file {path}.") from None
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as problem:
            raise Damaged(f"{path} is not a whole backup ({problem or type(problem).__name__}).") from None

    def _compare(self, part: Part) -> None:
        sha, rows = hashlib.sha256(), 0
        with self.member(part) as member:
            while piece := member.read(_PIECE):
                sha.update(piece)
                rows += piece.count(b"\n")
        if (sha.hexdigest(), rows) != (part.digest, part.rows):
            raise ValueError(f"the rows of {part.table} are not those that were written")

    def member(self, part: Part) -> IO[bytes]:
        """The text of a table."""
        return self._zip.open(f"{part.table}.copy")

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


def _parsed(document: Any) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}, and this program reads {FORMAT}")
    parts = tuple(Part(**{**each, "columns": tuple(each["columns"])}) for each in document["parts"])
    return Manifest(**{**document, "ring_keys": tuple(document["ring_keys"]), "parts": parts})
