"""Telling the rest of the house that a tenant has changed, at once or when a larger change is complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from idp import directory
from idp.signing import rotation
from idp.tenants import current

BORN_WITH = frozenset({"RS256", "ES256"})  # every tenant has keys for these

_later: ContextVar[bool] = ContextVar("idp_telling_later", default=False)


@contextmanager
def later() -> Iterator[None]:
    """Tell nobody inside the block: it is part of a transaction that may not commit."""
    mark = _later.set(True)
    try:
        yield
    finally:
        _later.reset(mark)


def changed(*algorithms: object) -> None:
    """The entered tenant has changed; where it names algorithms for the first time, keys are made for them."""
    if _later.get():
        return
    directory.forget(current().id)
    if any(each is not None and each not in BORN_WITH for each in algorithms):
        rotation.ensure(current())
