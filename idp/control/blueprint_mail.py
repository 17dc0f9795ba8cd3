"""How messages of a blueprint's tenant go out: from which address, by which server, and in which words."""

from collections.abc import Mapping
from typing import Any

from idp.control import mail_words, mailing
from idp.control.blueprint_file import File, secret
from idp.control.blueprint_work import Work, absent, gone, named, same_source, source
from idp.mail import texts
from idp.store.durable import mail_senders, mail_texts

_APART = ("password", "state")


def sender(work: Work, given: object, where: str) -> None:
    """The tenant's one sender, set or removed."""
    entry = named(work, given, where, "address", ("name", "smtp", "password"))
    address = entry["address"]
    if absent(entry):
        return gone(work, "sender", address, lambda: mailing.remove_sender(work.actor))
    value = secret(work.file, f"{where}.password", entry.get("password"), plain=work.plain_secrets)
    present = mail_senders.find()
    kept = present.source_digest if present is not None else None
    new = value is not None and not same_source(kept, "mail_password", address, value)
    _, changed = mailing.set_sender(
        {name: member for name, member in entry.items() if name not in _APART},
        work.actor,
        password=value if new else None,
        source_digest=source("mail_password", address, value) if new else None,
    )
    if changed:
        work.note("sender", address, *(("change", *changed) if present is not None else ("create",)))
    return None


def check_sender(file: File, entry: Mapping[str, Any], at: str, plain: bool) -> None:
    """What a sender says, before its tenant is there."""
    mailing.checked({name: member for name, member in entry.items() if name not in _APART})
    secret(file, f"{at}.password", entry.get("password"), plain=plain)


def words(work: Work, given: object, where: str) -> None:
    """The tenant's own words for a kind of message in a language, said or taken back."""
    entry = named(work, given, where, "kind", ("language", *texts.PARTS))
    kind, language = entry["kind"], str(entry.get("language"))
    shown = f"{kind} in {language}"
    if absent(entry):
        return gone(work, "words", shown, lambda: mail_words.remove_text(kind, language, work.actor))
    present = mail_texts.find(kind, language)
    changed = mail_words.set_text(kind, language, _parts(entry), work.actor)
    if changed:
        work.note("words", shown, *(("change", *changed) if present is not None else ("create",)))
    return None


def check_words(_file: File, entry: Mapping[str, Any], _at: str, _plain: bool) -> None:
    """What words say, before their tenant is there."""
    mail_words.checked(entry["kind"], entry.get("language"), _parts(entry))


def _parts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in entry.items() if name not in ("kind", "language", "state")}
