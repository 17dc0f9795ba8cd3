"""`idp mail text`: a tenant's own words in messages."""

from pathlib import Path

import click

from idp.cli import given, session


@click.group("text")
def words() -> None:
    """Say messages in the tenant's own words: plain text, with fields in braces."""


_file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_language = click.option("--language", metavar="TAG", required=True, help="One that the tenant speaks.")


@words.command("kinds")
@session.options
def kinds() -> None:
    """List every message, and the fields that its words may name."""
    from idp.control import mail_words

    rows = mail_words.kinds()
    session.answer(rows, given.table(rows, ("kind", "fields")))


@words.command("set")
@click.argument("kind")
@given.tenant_option
@_language
@click.option("--subject", help="The line in the list of messages.")
@click.option("--heading", help="What stands on top.")
@click.option("--text-file", type=_file, help="A file that holds the paragraphs; - for standard input.")
@click.option("--button", help="What the button says.")
@session.options
def set_(
    kind: str, slug: str, language: str, subject: str | None, heading: str | None, text_file: Path | None,
    button: str | None,
) -> None:  # fmt: skip
    """Say some parts of a message in one's own words; the others stay ours."""
    from idp.control import mail_words

    named = {"subject": subject, "heading": heading, "text": given.from_file(text_file), "button": button}
    with given.inside(slug):
        changed = mail_words.set_text(
            kind, language, {name: text for name, text in named.items() if text is not None}, session.actor()
        )
    session.answer(
        {"kind": kind, "language": language, "changed": changed}, ", ".join(changed) or "nothing new"
    )


@words.command("list")
@given.tenant_option
@session.options
def list_(slug: str) -> None:
    """List what the tenant says in its own words."""
    from idp.control import mail_words

    with given.inside(slug):
        rows = mail_words.list_()
    session.answer(rows, given.table(rows, ("kind", "language", "subject", "heading", "button")))


@words.command("remove")
@click.argument("kind")
@given.tenant_option
@_language
@session.options
def remove(kind: str, slug: str, language: str) -> None:
    """Say a message in our words again."""
    from idp.control import mail_words

    with given.inside(slug):
        mail_words.remove_text(kind, language, session.actor())
    session.answer(
        {"kind": kind, "language": language, "removed": True}, f"{kind} is said in our words again"
    )
