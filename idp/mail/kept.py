"""What a development would have sent: files in its home, newest first, for the page that shows them.

Production keeps none: `postbox.deliver` writes here in development alone, and `every` answers nothing elsewhere.
"""

import email
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from idp import clock, config
from idp.ids import unique

MOST = 200
"""Messages that are kept; the oldest go."""
_NAME = re.compile(r"[0-9]{20}\.[a-z0-9-]{1,63}\.[\w-]{8,32}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that was not sent."""

    name: str
    tenant: str
    to: str
    subject: str
    date: str
    text: str
    html: str


def folder() -> Path:
    """Where they are."""
    return config.settings().home / "mail"


def keep(slug: str, mail: EmailMessage) -> None:
    """Keep one instead of sending it."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{int(clock.now().timestamp() * 1e6):020d}.{slug}.{unique()}"
    waiting = folder() / f".{name}"
    waiting.write_bytes(mail.as_bytes())
    waiting.chmod(0o600)
    waiting.rename(folder() / f"{name}.eml")
    for old in sorted(folder().glob("*.eml"))[:-MOST]:
        old.unlink(missing_ok=True)


def every() -> tuple[Kept, ...]:
    """All that are kept, the newest first; none but in development."""
    if not config.settings().development or not folder().is_dir():
        return ()
    found = (read(path.name.removesuffix(".eml")) for path in sorted(folder().glob("*.eml"), reverse=True))
    return tuple(each for each in found if each is not None)


def read(name: str) -> Kept | None:
    """One of them by its name, or None; none but in development."""
    if not config.settings().development or not _NAME.fullmatch(name):
        return None
    try:
        raw = (folder() / f"{name}.eml").read_bytes()
    except OSError:
        return None
    mail = email.message_from_bytes(raw, policy=SMTP)
    return Kept(
        name=name,
        tenant=name.split(".")[1],
        to=str(mail["To"]),
        subject=str(mail["Subject"]),
        date=str(mail["Date"]),
        text=_part(mail, "plain"),
        html=_part(mail, "html"),
    )


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    return str(body.get_content()) if body is not None else ""
