"""Making the filter by which stolen passwords are refused."""

from pathlib import Path

from idp.accounts import breached


def build(source: Path, target: Path, least: int = 8) -> int:
    """Write a filter of a list, a password or a SHA-1 digest a line, to `target`; how many entries it has.

    `least`: plain passwords of fewer characters are left out, because nobody may choose them anyway.
    """
    digests: set[bytes] = set()
    with source.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            digest = breached.digest_of(line) if len(line.rstrip("\r\n")) >= least else None
            if digest is not None:
                digests.add(digest)
    return breached.build(sorted(digests), target)
