"""Files that hold secrets: who else of this machine may read or write them."""

from collections.abc import Iterator

from idp.config import ConfigError
from idp.control import exposure
from idp.control.doctor.finding import Examination, Finding, error
from idp.control.doctor.world import NotTried, World
from idp.signing import ring


def keys(world: World) -> Iterator[Finding]:
    """The folder of the key ring, and what lies in it."""
    if world.settings.key_ring is not None:
        raise NotTried("The key ring comes by IDP_KEY_RING, so there is no file of it.")
    folder = world.settings.keys
    if not folder.is_dir() or not _there(world):
        yield error(
            "files.no_ring",
            f"There is no key ring in {folder}, so no tenant can sign.",
            "IDP_KEYS",
            "Restore the folder from its backup, or name the right one.",
        )
        return
    for exposed in exposure.of_keys(folder):
        mode = f"(mode {exposed.mode:04o})"
        if exposed.folder:
            yield error(
                "files.keys_folder",
                f"Others may replace files in {exposed.path} {mode}.",
                str(exposed.path),
                f"chmod go-w {exposed.path}",
            )
        else:
            yield error(
                "files.readable",
                f"Others of this machine may read or change {exposed.path} {mode}.",
                str(exposed.path),
                f"chmod 600 {exposed.path}",
            )


def _there(world: World) -> bool:
    try:
        return ring.exists(world.settings)
    except ConfigError:  # it is there, and refused for what the examination is about to tell
        return True


EXAMINATIONS = (Examination("files", "Files of keys", keys),)
