"""What names look like: user names, e-mail addresses, slugs, scopes, client ids, host names, display texts.

Owns: the one way in which each kind of name is prepared and compared, so that no two names that a person
cannot tell apart are two accounts. Leaves to others: whether a name is taken (the store's unique keys).

User names follow PRECIS UsernameCaseMapped (RFC 8265 section 3.3, RFC 8264), with NFKC instead of the width
mapping alone, a single script (UTS 39 section 5.2) of those recommended for identifiers (UAX 31 table 5), and
are unique by their skeleton (UTS 39 section 4). ASCII stands for itself: `rn` is not `m`.

Every function raises ValueError with one ASCII clause that fits behind the field's name ("must …").
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

USERNAME_LONGEST = 128  # characters after preparation
EMAIL_LONGEST = 254  # characters, RFC 5321 section 4.5.3.1.3 less the angle brackets
TEXT_LONGEST = 64  # characters of a name on a page

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~@:/+-]{1,200}", re.ASCII)
_SCOPE = re.compile(r"[!#-\[\]-~]{1,128}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/+-]{0,126}[A-Za-z0-9])?", re.ASCII)
_CLAIM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}", re.ASCII)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*", re.ASCII)

_TEXT_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_IDENTIFIER_CLASS = {"Ll", "Lu", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd"}
# Default-ignorable code points and conjoining jamo with a category of letters or marks (RFC 8264 section 9)
_NOT_IN_NAMES = (
    (0x034F, 0x034F), (0x1100, 0x11FF), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xA960, 0xA97F),
    (0xD7B0, 0xD7FF), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF),
)  # fmt: skip
_SCRIPTS = frozenset(
    {
        "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC", "THAANA", "DEVANAGARI",
        "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA",
        "THAI", "LAO", "TIBETAN", "MYANMAR", "KHMER", "ETHIOPIC", "HANGUL", "HIRAGANA", "KATAKANA", "CJK",
        "BOPOMOFO",
    }
)  # fmt: skip
# UTS 39 section 5.2, "highly restrictive": scripts that are written together
_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
# What looks like a Latin letter and is another one (from the data of UTS 39), in lower case
_LOOKALIKES = {
    "a": "аɑα", "b": "ьƅ", "c": "сϲᴄ", "d": "ԁ", "e": "еҽ℮", "f": "ƒϝք", "g": "ɡց", "h": "һհ",
    "i": "іıιɩӏ", "j": "јϳ", "k": "кκĸ", "l": "ǀן", "m": "м", "n": "ոռη", "o": "оοσօסᴏ",
    "p": "рρ", "q": "ԛգզ", "r": "гᴦ", "s": "ѕꜱ", "t": "тτ", "u": "υսʋᴜ", "v": "νѵᴠט", "w": "ԝաѡɯω",
    "x": "хχ", "y": "уγүʏყ", "z": "ᴢ", "3": "зʒӡ", "4": "ч", "6": "б",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2212",
}  # fmt: skip
_SKELETON = {ord(alike): plain for plain, all_alike in _LOOKALIKES.items() for alike in all_alike}


def text(value: object, longest: int = TEXT_LONGEST) -> str:
    """A name for people to read, in NFC, on one line, without invisible or direction-changing characters."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    composed = unicodedata.normalize("NFC", value)
    if not composed or composed != composed.strip():
        raise ValueError("must not be empty and must not begin or end with a blank")
    if len(composed) > longest:
        raise ValueError(f"must have at most {longest} characters")
    if any(unicodedata.category(character) in _TEXT_REFUSED for character in composed):
        raise ValueError("must have no control, invisible or direction-changing characters")
    return composed


def username(value: object) -> str:
    """The prepared user name: case-folded NFKC of the identifier class, one script; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if not 0 < len(value) <= 4 * USERNAME_LONGEST:
        raise ValueError(f"must have 1 to {USERNAME_LONGEST} characters")
    prepared = _fold(value)
    if not 0 < len(prepared) <= USERNAME_LONGEST:
        raise ValueError(f"must have 1 to {USERNAME_LONGEST} characters")
    for character in prepared:
        if not (_in_identifier_class(character)):
            raise ValueError("must consist of letters, digits and visible ASCII characters")
    if unicodedata.category(prepared[0]).startswith("M"):
        raise ValueError("must not begin with a combining mark")
    _one_script(prepared)
    _bidi(prepared)
    return prepared


def username_key(value: object) -> str | None:
    """What user names are looked up by (`username_norm`), or None when it can be nobody's name."""
    try:
        return username(value)
    except ValueError:
        return None


def _fold(value: str) -> str:
    folded = unicodedata.normalize("NFKC", value)
    for _ in range(3):  # stable after two rounds for all of Unicode 14; the third proves it
        again = unicodedata.normalize("NFKC", folded.casefold())
        if again == folded:
            return folded
        folded = again
    raise ValueError("must have a stable lower-case form")


def _in_identifier_class(character: str) -> bool:
    if character < "\x80":
        return "!" <= character <= "~"
    if unicodedata.category(character) not in _IDENTIFIER_CLASS:
        return False
    return not any(first <= ord(character) <= last for first, last in _NOT_IN_NAMES)


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """The script by the first word of the character's Unicode name; '' for marks and ASCII signs."""
    if character < "\x80":
        return "LATIN" if character.isalpha() else ""
    category = unicodedata.category(character)
    if category.startswith("M") and unicodedata.name(character, "").startswith("COMBINING"):
        return ""
    return unicodedata.name(character, "UNKNOWN").split(" ")[0].split("-")[0]


def _one_script(prepared: str) -> None:
    scripts = {script for script in map(_script, prepared) if script}
    if not scripts <= _SCRIPTS:
        raise ValueError("must be written in a script that is in common use")
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise ValueError("must not mix letters of different scripts")


def _bidi(prepared: str) -> None:
    """The Bidi rule (RFC 5893 section 2), which RFC 8265 asks for when a right-to-left character is there."""
    classes = [unicodedata.bidirectional(character) for character in prepared]
    if not {"R", "AL", "AN"} & set(classes):
        return
    last = next((name for name in reversed(classes) if name != "NSM"), "")
    wrong_class = set(classes) - {"R", "AL", "AN", "EN", "ES", "CS", "ET", "ON", "BN", "NSM"}
    wrong_end = classes[0] not in {"R", "AL"} or last not in {"R", "AL", "EN", "AN"}
    if wrong_class or wrong_end or {"EN", "AN"} <= set(classes):
        raise ValueError("must not mix directions of writing")


def skeleton(prepared: str) -> str:
    """What a prepared name looks like: equal skeletons cannot be told apart by eye (UTS 39 section 4)."""
    if prepared.isascii():
        return prepared
    bare = unicodedata.normalize("NFC", unicodedata.normalize("NFD", prepared).replace("i\u0307", "i"))
    plain = "".join(_plain(character) for character in bare)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).casefold())


def _plain(character: str) -> str:
    if character >= "\x80" and unicodedata.category(character) == "Nd":
        return str(unicodedata.digit(character))
    return _SKELETON.get(ord(character), character)


def host_name(value: str) -> str:
    """A DNS name in lower case, letters-digits-hyphen, A-labels valid and no look-alike of an ASCII name."""
    if not value or len(value) > 253:
        raise ValueError("must have 1 to 253 characters")
    for label in value.split("."):
        if not _SLUG.fullmatch(label):
            raise ValueError("must consist of labels of lower-case letters, digits and hyphens")
        if label[2:4] == "--":
            _a_label(label)
    return value


def _a_label(label: str) -> None:
    try:
        shown = idna.decode(label)
        if idna.encode(shown).decode() != label:
            raise ValueError
        _one_script(_fold(shown))
    except (ValueError, UnicodeError):
        raise ValueError("must have valid internationalised labels of one script") from None
    if skeleton(_fold(shown)).isascii():
        raise ValueError("must not imitate an ASCII name")


def email(value: object) -> str:
    """An address `dot-atom@domain.tld`, its domain in lower-case A-labels; raises ValueError.

    A strict subset of RFC 5321: no quotes, comments, literals or a second @, and an ASCII local part.
    """
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if len(value) > EMAIL_LONGEST or value.count("@") != 1:
        raise ValueError(f"must have exactly one @ and at most {EMAIL_LONGEST} characters")
    local, domain = value.split("@")
    if len(local) > 64 or not _LOCAL.fullmatch(local):
        raise ValueError("must have a plain part of at most 64 characters before the @")
    try:
        ascii_domain = domain.lower() if domain.isascii() else idna.encode(_fold(domain)).decode()
        host_name(ascii_domain)
    except (ValueError, UnicodeError):
        raise ValueError("must have a valid domain after the @") from None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or len(local) + 1 + len(ascii_domain) > EMAIL_LONGEST:
        raise ValueError("must have a valid domain after the @")
    return f"{local}@{ascii_domain}"


def email_key(value: object) -> str | None:
    """What addresses are looked up and unique by, or None when it can be nobody's address."""
    try:
        return email(value).lower()
    except ValueError:
        return None


def slug(value: object) -> str:
    """A tenant's short name: a DNS label without `--` in places three and four (RFC 5891 section 4.2.3.1)."""
    if not isinstance(value, str) or not _SLUG.fullmatch(value) or value[2:4] == "--":
        raise ValueError("must have 1 to 63 lower-case letters, digits and hyphens, as a DNS label has")
    return value


def client_id(value: object) -> str:
    """A client identifier: visible ASCII that needs no escaping in logs, URLs and Basic headers."""
    if not isinstance(value, str) or not _CLIENT_ID.fullmatch(value):
        raise ValueError("must have 1 to 200 letters, digits and signs of . _ ~ @ : / + -")
    return value


def name(value: object) -> str:
    """The name of a group or a role: it stands in tokens and is compared exactly, so it is ASCII."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            "must have 1 to 128 letters, digits, blanks and signs of . _ : / + - (no sign at an end)"
        )
    return value


def claim_name(value: object) -> str:
    """The name of a claim: a plain word, or a collision-resistant name as a URL (RFC 7519 section 4.2)."""
    if not isinstance(value, str) or not _CLAIM.fullmatch(value):
        raise ValueError("must have 1 to 128 letters, digits and signs of _ . : / -")
    return value


def scope_token(value: object) -> str:
    """One scope-token (RFC 6749 section 3.3)."""
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise ValueError("must have 1 to 128 visible ASCII characters, no quotation mark and no backslash")
    return value


def scope_set(value: object) -> tuple[str, ...]:
    """The tokens of a space-separated scope in their order, each once; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be a string of scopes with single blanks between them")
    if not value:
        return ()
    tokens = tuple(scope_token(part) for part in value.split(" "))
    return tuple(dict.fromkeys(tokens))
