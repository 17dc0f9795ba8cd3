"""Which language is spoken at the moment, and our words in it: for pages and for mails.

Words are marked with `_` in templates and in Python, and stand in `templates/languages/*.po`; English is what is
written at the mark. Leaves to others: what a browser or an application asks for (`idp.web.languages` listens to that).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from babel.units import format_unit

from idp import paths
from idp.tenants import LANGUAGES, maybe_current

WRITTEN = LANGUAGES[0]
"""The language at the marks."""
_RIGHT_TO_LEFT = frozenset({"ar"})
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))

_speaking: ContextVar[str | None] = ContextVar("idp_language", default=None)
_ears: list[Callable[[], str | None]] = []


@cache
def catalogue(language: str) -> NullTranslations:
    """Every word in that language; of the language in which they are written, none is needed."""
    if language == WRITTEN:
        return NullTranslations()
    compiled = BytesIO()
    with (paths.templates() / "languages" / f"{language}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def _(text: str, **values: object) -> str:
    """A sentence in the language of the moment: `_("Signed in as %(name)s", name=name)`."""
    said = str(catalogue(now()).gettext(text))
    return said % values if values else said


def plural(one: str, many: str, num: int, **values: object) -> str:
    """One of two sentences by a number: `plural("%(num)d day", "%(num)d days", days)`."""
    said = str(catalogue(now()).ngettext(one, many, num))
    return said % {"num": num, **values}


class Sentence(str):
    """English text that knows the mark under which catalogues have it, and what varies in it."""

    __slots__ = ("mark", "values")
    mark: str
    values: Mapping[str, object]


def say(mark: str, **values: object) -> Sentence:
    """A sentence that is written before anybody knows in which language it will be read: by a constant, or a refusal.

    It is English text like any other, until `told` says it; without values it may get them there.
    """
    made = Sentence(mark % values if values else mark)
    made.mark, made.values = mark, values
    return made


def told(text: str, **values: object) -> str:
    """What `say` has marked, in the language of the moment; any other text as it is."""
    return _(text.mark, **text.values, **values) if isinstance(text, Sentence) else text


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak `language` inside the block, whatever is asked: for mails, pictures and tests. None: what is asked."""
    mark = _speaking.set(language)
    try:
        yield
    finally:
        _speaking.reset(mark)


def listen(ear: Callable[[], str | None]) -> None:
    """Let `ear` say for which language the request of the moment asks; it answers None where it does not."""
    _ears[:] = [ear]


def asked() -> str | None:
    """The language that is to be spoken: said by `speaking`, or asked for by the request; None where neither is."""
    said = _speaking.get()
    return said if said is not None else next((ear() for ear in _ears), None)


def now() -> str:
    """The language of the moment; where nobody asks, that in which words are written, if the tenant speaks it."""
    mine = allowed()
    return asked() or (WRITTEN if WRITTEN in mine else mine[0])


def to_person(locale: object) -> str:
    """The language in which somebody is written to.

    Their own (`locale`, OpenID Connect Core 1.0 section 5.1) where the tenant speaks it, else that of the request that
    asks, else the tenant's first.
    """
    mine = allowed()
    own = first([locale.replace("_", "-")], mine) if isinstance(locale, str) else None
    wish = asked()
    return own or (wish if wish in mine else None) or mine[0]


def allowed() -> tuple[str, ...]:
    """The languages of the entered tenant, of every language where none is entered."""
    tenant = maybe_current()
    return LANGUAGES if tenant is None else tenant.policy.ui_locales


def first(tags: Iterable[str], mine: tuple[str, ...]) -> str | None:
    """The first tag that is spoken, each cut from its end until it is (RFC 4647 section 3.4)."""
    for tag in tags:
        parts = tag.lower().split("-")
        for length in range(len(parts), 0, -1):
            if (whole := "-".join(parts[:length])) in mine:
                return whole
    return None


def direction(language: str) -> str:
    """`rtl` or `ltr`, as HTML's `dir` says it."""
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


@cache
def own_name(language: str) -> str:
    """What a language is called by those who speak it."""
    name = str(Locale.parse(language).get_display_name() or language)
    return name[:1].upper() + name[1:]


def duration(seconds: int) -> str:
    """Seconds in words, at most two units, rounded up to a whole second: "1 hour 30 minutes"."""
    left, said = max(int(seconds), 0), []
    language = now()
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            said.append(format_unit(count, f"duration-{unit}", "long", locale=language))
        if len(said) == 2:
            break
    return " ".join(said) or _("a moment")
