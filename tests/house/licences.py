"""The licences of everything that is installed with the provider, held against a list.

What the provider links with at run time must be permissive, or be named below with the reason why it may stay.
Tools of the development set are not passed on to anyone and may carry any licence of the second list.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[2] / "requirements"
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|PostgreSQL|Unlicense|0BSD|CC0|HPND|Zlib)\b",
    re.IGNORECASE,
)
WEAK = re.compile(r"\b(MPL|Mozilla|LGPL|Lesser General Public)\b", re.IGNORECASE)
REASONS = {
    "certifi": "MPL-2.0 covers its own file, the list of certificate authorities, which is passed on unchanged",
    "psycopg2-binary": "LGPL with exceptions; used as a library, unmodified, replaceable by its owner",
}


def locked(name: str) -> list[str]:
    """The package names of a lock file, in its order, those for other platforms included."""
    return re.findall(r"^([A-Za-z0-9._-]+)==", (LOCKS / name).read_text(), re.MULTILINE)


def licence(found: Distribution) -> str:
    """What a package says of its licence: the expression, else classifiers, free text, the first line of its file."""
    meta = found.metadata
    classifiers = [line for line in meta.get_all("Classifier") or [] if line.startswith("License ::")]
    text = meta.get("License-Expression") or "; ".join(line.rpartition(" :: ")[2] for line in classifiers)
    files = (found.read_text(f"licenses/{name}") or "" for name in meta.get_all("License-File") or [])
    for words in (text, meta.get("License") or "", *files):
        if words.strip():
            return words.strip().splitlines()[0][:80]
    return ""


def verdict(name: str, text: str, *, runtime: bool) -> str | None:
    """Why this licence may not be here; None when it may."""
    if name.lower() in REASONS or PERMISSIVE.search(text) or (not runtime and WEAK.search(text)):
        return None
    return f"{name}: {text or 'says nothing of its licence'}"


def main() -> int:
    """Exit status: 0 when every installed package is on the list."""
    runtime = set(locked("image.txt"))
    refused, seen = [], 0
    for name in locked("dev.txt"):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # locked for another platform
        seen += 1
        why = verdict(name, licence(found), runtime=name in runtime)
        if why:
            refused.append(why)
    print("\n".join(refused) or f"{seen} licences on the list")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
