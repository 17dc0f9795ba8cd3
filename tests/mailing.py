"""A real SMTP server for tests, and what it was given."""

import email
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from idp.jobs import worker


@dataclass
class Sink:
    """Takes every message; `answers` are what it says to the next ones instead of taking them."""

    url: str = ""
    envelopes: list[Any] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    people: list[str] = field(default_factory=list)

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient, or say what was asked for."""
        if self.answers and self.answers[0].startswith("rcpt "):
            return self.answers.pop(0)[5:]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        """Take a message, or say what was asked for."""
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    @property
    def mails(self) -> list[EmailMessage]:
        """Every message, the first first."""
        return [email.message_from_bytes(each.original_content, policy=SMTP) for each in self.envelopes]

    def deliver(self) -> list[EmailMessage]:
        """Let the worker go round; the messages that came by it."""
        before = len(self.envelopes)
        worker.once()
        return self.mails[before:]


def _free() -> int:
    """A port that nobody has now; the library connects to the one that it was told."""
    with closing(socket.socket()) as looked:
        looked.bind(("127.0.0.1", 0))
        return int(looked.getsockname()[1])


@contextmanager
def sink(*, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None,
         password: str | None = None) -> Iterator[Sink]:  # fmt: skip
    """An SMTP server on this machine; `tls`: from the first byte; `password`: of the user `idp`, who must sign in."""
    taken = Sink()

    def authenticated(_server: Any, _session: Any, _envelope: Any, _kind: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        taken.people.append(given.login.decode())
        return AuthResult(success=(given.login, given.password) == (b"idp", (password or "").encode()))

    controller = Controller(
        taken, hostname="127.0.0.1", port=_free(), ssl_context=tls, tls_context=starttls,
        require_starttls=starttls is not None,
        auth_required=password is not None and starttls is not None, auth_require_tls=starttls is not None,
        authenticator=authenticated if password is not None else None,
    )  # fmt: skip
    controller.start()
    try:
        port = controller.server.sockets[0].getsockname()[1]
        who = f"idp:{password}@" if password else ""
        taken.url = f"{'smtps' if tls else 'smtp'}://{who}localhost:{port}"
        yield taken
    finally:
        controller.stop()


def text(mail: EmailMessage) -> str:
    """The plain part."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link(mail: EmailMessage) -> str:
    """The one address that the message wants opened."""
    [found] = [line for line in text(mail).splitlines() if re.fullmatch(r"https?://\S+", line)]
    return found
