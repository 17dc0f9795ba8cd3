"""How sure a sign-in is: what happened (`amr`, RFC 8176 §2) and what that is worth (`acr`, OpenID Connect Core 1.0 §2).

There are two classes, "1" for one factor and "2" for two. A class is never chosen: it is read off what happened, so
that nothing can say more than was done.
"""

from collections.abc import Iterable, Sequence

from idp.tenants import current

ONE, TWO = "1", "2"
PASSWORD = "pwd"
ONE_TIME_CODE = "otp"
HARDWARE_KEY, SOFTWARE_KEY = "hwk", "swk"  # a passkey that cannot leave its device, and one that can
PRESENT = "user"
MULTIPLE = "mfa"
_LEVELS = {ONE: 1, TWO: 2}


def reachable() -> tuple[str, ...]:
    """The classes that the entered tenant's people can reach: what discovery publishes, and nothing else."""
    return (ONE,) if current().policy.second_factor == "off" else (ONE, TWO)


def acr(amr: Iterable[str]) -> str:
    """The class of a sign-in in which this happened; never one that the tenant does not speak of."""
    return TWO if MULTIPLE in amr and TWO in reachable() else ONE


def level(name: str) -> int:
    """The class as a number, 0 for a name that is none of ours."""
    return _LEVELS.get(name, 0)


def together(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """What happened in a sign-in with two factors, each method once."""
    return tuple(dict.fromkeys((*(each for each in first if each != MULTIPLE), *second, MULTIPLE)))


def by_mail(amr: Sequence[str]) -> bool:
    """Whether a code by e-mail was the first factor: no other one-time code is a first one."""
    return ONE_TIME_CODE in amr and MULTIPLE not in amr


def known(names: Iterable[str]) -> tuple[int, ...]:
    """The levels among `names` that can be reached here, in their order."""
    return tuple(level(name) for name in names if name in reachable())
