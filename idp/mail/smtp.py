"""Sending over SMTP (RFC 5321): TLS from the first byte or by STARTTLS, never in clear but on this machine.

A tenant's own server gets nothing in clear anywhere, is reached at a public address alone (`idp.outbound`) and has a
minute for all of it, however slowly it speaks.

A header cannot be broken out of: each is set through the standard library's registry, which takes addresses and text
and refuses a line break in either.
"""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from idp import clock, outbound
from idp.config import LOOPBACK
from idp.ids import unique
from idp.outbox import Undelivered
from idp.tenants import current

PATIENCE = 15.0
"""Seconds that the server may be silent."""
LONGEST = 60.0
"""Seconds that a tenant's own server may take altogether."""
_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_PERMANENT = range(500, 600)


_ENHANCED = re.compile(rb"\s*(5\.\d{1,3}\.\d{1,3})\b")


class Refused(Exception):
    """The server will not take this message, now or later; `status` is its code (RFC 5321 section 4.2).

    `nobody`: where it was the recipient that was refused, the enhanced status (RFC 3463), 5.0.0 where it says none.
    """

    def __init__(self, status: int, nobody: str | None = None) -> None:
        """`status`: 5xx."""
        super().__init__(f"refused with {status}")
        self.status = status
        self.nobody = nobody


def composed(letter: Mapping[str, str], sender: str, address: str) -> EmailMessage:
    """The message with its headers. `sender`: the name it comes from; `address`: where from.

    Raises ValueError for what cannot stand in a header.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(_NAME.sub(" ", sender).strip()[:64], addr_spec=address)
    mail["To"] = _address(letter["to"])
    mail["Subject"] = _NAME.sub(" ", letter["subject"])
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = f"<{letter.get('mark') or unique()}@{address.rpartition('@')[2]}>"
    # RFC 3834: no vacation notice answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter["text"])
    mail.add_alternative(letter["html"], subtype="html")
    if letter.get("language"):
        mail["Content-Language"] = letter[
            "language"
        ]  # RFC 3282; what comes before the parts goes into the first
    return mail


def nobody(issuer: str) -> str:
    """The sender's address of a development that was told none."""
    host = urlsplit(issuer).hostname or "localhost"
    return f"no-reply@{host}"


def _address(given: str) -> Address:
    """One address, its domain as the wire has it (RFC 5891). Raises ValueError."""
    local, _, domain = given.rpartition("@")
    wired = domain.encode("idna").decode() if not domain.isascii() else domain
    try:
        return Address(addr_spec=f"{local}@{wired}")
    except (MessageError, IndexError) as problem:
        raise ValueError("not one e-mail address") from problem


def send(url: str, mail: EmailMessage, authority: Path | None = None, *, own: bool = False) -> None:
    """Hand a message to the server at `url` (`IDP_SMTP_URL`, or a tenant's `own`). Raises Refused, Undelivered."""
    try:
        with connected(url, authority, own=own) as server:
            server.send_message(mail)
    except outbound.NotSent as problem:
        raise Undelivered(f"smtp: {problem}", silent=True) from None
    except smtplib.SMTPRecipientsRefused as refused:
        status, said = max(refused.recipients.values(), default=(450, b""))
        found = _ENHANCED.match(said)
        _judged(status, silent=False, nobody=found[1].decode() if found else "5.0.0")
    except smtplib.SMTPNotSupportedError:
        raise Refused(553) from None
    except smtplib.SMTPResponseException as answer:
        _judged(int(answer.smtp_code), silent=not isinstance(answer, smtplib.SMTPDataError))
    except (OSError, smtplib.SMTPException) as problem:
        raise Undelivered(f"smtp: {type(problem).__name__}", silent=True) from None


def _judged(status: int, *, silent: bool, nobody: str | None = None) -> None:
    """A refusal for good, or a try that is repeated: of a server that takes nobody's mail now, all of them."""
    if status in _PERMANENT and not silent:
        raise Refused(status, nobody)
    raise Undelivered(f"smtp answered {status}", silent=silent)


class _Own(smtplib.SMTP):
    """A tenant's own server: at the very address that was judged, and not for longer than LONGEST."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._address, self._tls = outbound.mail_server(host, port), tls
        self._line: socket.socket | None = None
        # What this machine is called is nobody's business there.
        super().__init__(host, port, urlsplit(current().issuer).hostname, timeout=PATIENCE)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        raw = socket.create_connection((self._address, port), timeout)
        self._line = raw.dup()
        self._timer = threading.Timer(LONGEST, self._hang_up)
        self._timer.daemon = True
        self._timer.start()
        try:
            return raw if self._tls is None else self._tls.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            self._over()
            raise

    def _hang_up(self) -> None:
        with suppress(OSError):
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)

    def _over(self) -> None:
        if self._line is not None:
            self._timer.cancel()
            self._line.close()
            self._line = None

    def close(self) -> None:
        """End the connection."""
        super().close()
        self._over()


def connected(url: str, authority: Path | None = None, *, own: bool = False) -> smtplib.SMTP:
    """A connection to the server at `url`, encrypted and signed in. Raises OSError, smtplib.SMTPException.

    `smtps://` is TLS from the first byte, `smtp://` STARTTLS, which must be there, but for a server on this machine
    that is not a tenant's `own`. For that one raises outbound.NotSent where it is nowhere public.
    """
    parts = urlsplit(url)
    host, context = parts.hostname or "", ssl.create_default_context()
    if authority is not None:
        context.load_verify_locations(authority)
    if own:
        tls = parts.scheme == "smtps"
        server: smtplib.SMTP = _Own(host, parts.port or (465 if tls else 587), context if tls else None)
    elif parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=PATIENCE, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=PATIENCE)
    try:
        if parts.scheme == "smtp" and (own or host not in LOOPBACK):
            server.starttls(context=context)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server
