"""`idp mail`: how a tenant's messages go out."""

import sys
from pathlib import Path

import click

from idp.cli import given, mail_text, session


@click.group("mail")
def command() -> None:
    """Set, show, remove a tenant's sender; try messages out; take those that came back."""


command.add_command(mail_text.words)

MOST_READ = 2_000_000
"""Bytes that are read of a message; a longer one is refused."""
_file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@command.command("set")
@given.tenant_option
@click.option("--address", help="Where messages come from, on a domain that the tenant has proved.")
@click.option("--name", help="The name beside it, instead of the tenant's.")
@click.option("--smtp", help="A server of the tenant's own, smtps://user@host:465, or smtp:// for STARTTLS.")
@click.option("--platform", is_flag=True, help="No server of its own: the platform's.")
@click.option(
    "--password-file", type=_file, help="A file that holds the server's password; - for standard input."
)
@session.options
def set_(
    slug: str,
    address: str | None,
    name: str | None,
    smtp: str | None,
    platform: bool,
    password_file: Path | None,
) -> None:
    """Set the sender, or change what is named of it."""
    from idp.control import mailing

    if platform and (smtp or password_file):
        raise click.UsageError("--platform stands for no server of one's own.")
    named = {"address": address, "name": name, "smtp": smtp}
    fields = {key: value for key, value in named.items() if value or (platform and key == "smtp")}
    password = given.from_file(password_file)
    with given.inside(slug):
        mailing.set_sender(fields, session.actor(), password=password)
        row = mailing.described()
    session.answer(row, given.lines(row))


@command.command("show")
@given.tenant_option
@session.options
def show(slug: str) -> None:
    """Show how messages go out now, never a password."""
    from idp.control import mailing

    with given.inside(slug):
        row = mailing.described()
    session.answer(row, given.lines(row))


@command.command("remove")
@given.tenant_option
@session.options
def remove(slug: str) -> None:
    """Let messages come from the platform again."""
    from idp.control import mailing

    with given.inside(slug):
        mailing.remove_sender(session.actor())
        row = mailing.described()
    session.answer(row, given.lines(row))


@command.command("preview")
@click.argument("kind")
@given.tenant_option
@click.option("--language", metavar="TAG", default="en", help="One that the tenant speaks.")
@click.option("--html", is_flag=True, help="Show the HTML instead of the text.")
@session.options
def preview(kind: str, slug: str, language: str, html: bool) -> None:
    """Show what a message looks like, with something in every field; nothing is sent."""
    from idp.control import mailing

    with given.inside(slug):
        made = mailing.preview(kind, language)
    row = {"subject": made.subject, "text": made.text, "html": made.html}
    text = made.html if html else f"Subject: {made.subject}\n\n{made.text}"
    session.answer(row, text)


@command.command("test")
@click.argument("address")
@given.tenant_option
@click.option("--language", metavar="TAG", help="Another one than the tenant's first.")
@session.options
def test(address: str, slug: str, language: str | None) -> None:
    """Send a message there now, and say what the server made of it."""
    from idp.control import mailing

    with given.inside(slug):
        mailing.test(address, language, session.actor())
    session.answer({"address": address, "sent": True}, f"The server took a message to {address}")


@command.command("bounce")
@session.options
def bounce() -> None:
    """Take a delivery status notification from standard input; status 1 where nothing follows from it.

    It suppresses the address to which the message in it went, and only that: nobody can name another one.
    """
    from idp.control import mailing
    from idp.errors import Invalid

    raw = sys.stdin.buffer.read(MOST_READ)
    with session.deployment():
        try:
            slug, new = mailing.bounce(raw)
        except Invalid as refusal:
            session.answer({"suppressed": False, "why": refusal.description}, refusal.description)
            session.no()
    words = "An address gets no messages any more" if new else "Nothing changes by it"
    session.answer({"suppressed": new, "tenant": slug}, f"{slug}: {words}")


@command.command("suppressed")
@given.tenant_option
@given.limit_option
@session.options
def suppressed(slug: str, limit: int) -> None:
    """List addresses to which nothing is sent, and why, the newest first."""
    from idp.control import mailing

    with given.inside(slug):
        rows = mailing.suppressed(limit)
    session.answer(rows, given.table(rows, ("address", "why", "status", "since")))


@command.command("lift")
@click.argument("address")
@given.tenant_option
@session.options
def lift(address: str, slug: str) -> None:
    """Write to an address again."""
    from idp.control import mailing

    with given.inside(slug):
        mailing.lift(address, session.actor())
    session.answer({"address": address, "lifted": True}, f"Messages go to {address} again")
