"""What a password must be that a person chooses (NIST SP 800-63B-4 §3.1.1.2, OWASP ASVS 6.2).

Long enough, not the name of whom or what it is for; no rules of composition, no age. Passwords that operators and
blueprints set are theirs to choose and are not asked here.
"""

import unicodedata

from idp.accounts import breached, factors, passwords
from idp.errors import Invalid
from idp.speech import say
from idp.store.durable.users import User
from idp.tenants import current

ALONE = 15  # characters where the password alone signs in
BESIDE = 8  # characters beside a second factor
_SPECIFIC = 4  # a name of fewer characters is in many a good password


class Weak(Invalid):
    """The password may not be chosen; `reason` says in one word why."""

    def __init__(self, description: str, reason: str) -> None:
        """`description`: what to do instead, in a sentence; `reason`: short, long, repeats, breached, names."""
        super().__init__(description, rule=f"strength.{reason}")
        self.reason = reason


def least(user: User | None) -> int:
    """How many characters the person's new password must have."""
    return BESIDE if user is not None and factors.held_by(user.id).own else ALONE


def check(password: str, user: User | None, called: tuple[str, ...] = ()) -> None:
    """Raise Weak unless this may become the password of `user`, or of somebody new who is `called` so."""
    length, needed = len(password), least(user)
    if length < needed:
        raise Weak(
            say("Use at least %(least)s characters. A few unrelated words are a good choice.", least=needed),
            "short",
        )
    if length > passwords.LONGEST:
        raise Weak(say("Use at most %(most)s characters.", most=passwords.LONGEST), "long")
    folded = _folded(password)
    if len(set(folded)) < 5 or _repeats(folded):
        raise Weak(say("This password repeats itself. Use a few unrelated words."), "repeats")
    if breached.known(password):
        raise Weak(
            say("This password is on lists of stolen passwords. Use a few unrelated words."), "breached"
        )
    rest = folded
    for name in _names(user, called):
        rest = rest.replace(name, "")
    if len(rest) < needed // 2:
        raise Weak(
            say("This password is mostly your own name or address. Use a few unrelated words."), "names"
        )


def _repeats(text: str) -> bool:
    """Whether it is a short piece over and over."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 3 + 1))


def _names(user: User | None, called: tuple[str, ...]) -> list[str]:
    """Words that anybody would try for this person, the longest first."""
    tenant = current()
    told = [tenant.slug, tenant.name, *called, *(part for each in called for part in each.split("@"))]
    if user is not None:
        told += [user.username, user.email or "", *(user.email or "").split("@")]
        told += [str(value) for name, value in user.claims.items() if "name" in name]
    found = {_folded(word) for text in told for word in (text, *text.split())}
    return sorted((each for each in found if len(each) >= _SPECIFIC), key=len, reverse=True)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
