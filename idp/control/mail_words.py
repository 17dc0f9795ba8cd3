"""Operators' verbs for the entered tenant's own words in messages, each with one event in the same transaction."""

from collections.abc import Mapping
from typing import Any

from idp import audit, clock, speech
from idp.audit import Actor, Event
from idp.errors import Invalid, NotFound
from idp.ids import uuid7
from idp.mail import Kind, texts
from idp.store.database import transaction
from idp.store.durable import mail_texts
from idp.store.durable.mail_texts import Words


def checked(kind: object, language: object, given: Mapping[str, Any]) -> dict[str, str]:
    """Words of a message. Raises Invalid for an unknown kind or language, or naming the part."""
    if kind not in set(Kind):
        raise Invalid(f"There is no message {kind}: {', '.join(Kind)}.", rule="kind")
    if language not in speech.allowed():
        raise Invalid(
            f"The tenant does not speak {language}: {', '.join(speech.allowed())}.", rule="language"
        )
    return texts.checked(Kind(str(kind)), given)


def set_text(kind: str, language: str, given: Mapping[str, Any], actor: Actor | None = None) -> list[str]:
    """Say what is given of a message in one's own words, None in ours again; what of it is new. Raises Invalid."""
    with transaction():
        present = mail_texts.find(kind, language)
        kept = dict(present.parts) if present is not None else {}
        wanted = {name: text for name, text in {**kept, **given}.items() if text is not None}
        parts = checked(kind, language, wanted)
        if not parts:
            raise Invalid("Name a part of the message.", rule="text")
        changed = [name for name in texts.PARTS if parts.get(name) != kept.get(name)]
        if changed:
            mail_texts.put(Words(present.id if present else uuid7(), kind, language, parts, clock.now()))
            audit.record(Event.MAIL_TEXT_SET, actor, kind=kind, language=language, changed=changed)
    return changed


def remove_text(kind: str, language: str, actor: Actor | None = None) -> None:
    """Say a message in our words again. Raises NotFound."""
    with transaction():
        if not mail_texts.remove(kind, language):
            raise NotFound(
                "The tenant has no words of its own for this message in this language.", rule="kind"
            )
        audit.record(Event.MAIL_TEXT_REMOVED, actor, kind=kind, language=language)


def list_() -> list[dict[str, Any]]:
    """Everything that the tenant says in its own words."""
    return [{"kind": each.kind, "language": each.language, **each.parts} for each in mail_texts.every()]


def kinds() -> list[dict[str, Any]]:
    """Every message, and the fields that its words may name."""
    return [{"kind": kind.value, "fields": list(texts.fields(kind))} for kind in Kind]
