"""Files that hold secrets: who else of this machine may read or write them."""

import stat
from collections.abc import Iterator
from pathlib import Path

from idp.control.doctor.finding import Examination, Finding, error
from idp.control.doctor.world import NotTried, World

_RING = "kek.json"


def keys(world: World) -> Iterator[Finding]:
    """The folder of the key ring, and what lies in it."""
    if world.settings.key_ring is not None:
        raise NotTried("The key ring comes by IDP_KEY_RING, so there is no file of it.")
    folder = world.settings.keys
    if not (folder / _RING).is_file():
        yield error(
            "files.no_ring",
            f"There is no key ring in {folder}, so no tenant can sign.",
            "IDP_KEYS",
            "Restore the folder from its backup, or name the right one.",
        )
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    # A sticky folder is one where everybody may make files and nobody another's.
    if mode & 0o022 and not mode & stat.S_ISVTX:
        yield error(
            "files.keys_folder",
            f"Others may replace files in {folder} (mode {mode:04o}).",
            str(folder),
            f"chmod go-w {folder}",
        )
    for file in sorted(folder.iterdir()):
        yield from _secret(file)


def _secret(file: Path) -> Iterator[Finding]:
    """A file that its owner alone may read; a group may where an orchestrator hands it over so."""
    if not file.is_file() or file.suffix not in {".json", ".key", ".pem"}:
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o037:
        yield error(
            "files.readable",
            f"Others of this machine may read or change {file} (mode {mode:04o}).",
            str(file),
            f"chmod 600 {file}",
        )


EXAMINATIONS = (Examination("files", "Files of keys", keys),)
