"""What a process remembers: mappings of bounded size that forget what was used longest ago. Safe among threads."""

from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of bounded size. No lock: each step is one operation of the interpreter.

    A plain dictionary keeps the order in which its keys came; an ordered one takes thrice the memory, and there
    is one of these for each of ten thousand tenants. Below half of its bound nothing is about to be forgotten,
    so that looking something up moves nothing.
    """

    __slots__ = ("_half", "_items", "_most")

    def __init__(self, most: int) -> None:
        """`most`: entries kept."""
        self._most = most
        self._half = most // 2
        self._items: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value under `key`, now the most recently used; None when there is none."""
        items = self._items
        value = items.get(key)
        if value is not None and len(items) > self._half:
            with suppress(KeyError):  # another thread's entry has pushed it out in between
                items[key] = items.pop(key)
        return value

    def put(self, key: K, value: V) -> V:
        """Keep `value`, which is answered; the oldest goes when there are too many."""
        items = self._items
        items.pop(key, None)
        items[key] = value
        while len(items) > self._most:
            # Other threads may be at it: then there is another first one, or none.
            with suppress(RuntimeError, StopIteration):
                items.pop(next(iter(items)), None)
        return value

    def everyone(self) -> list[K]:
        """The keys that are there."""
        return list(self._items)

    def drop(self, key: K) -> None:
        """Forget one entry."""
        self._items.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()

    def __len__(self) -> int:
        return len(self._items)
