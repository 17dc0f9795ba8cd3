"""What a process remembers: mappings of bounded size that forget what was used longest ago. Safe among threads."""

from collections import OrderedDict
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of bounded size. No lock: each step is one operation of the interpreter.

    Below half of its bound nothing is about to be forgotten, so that looking something up moves nothing.
    """

    __slots__ = ("_half", "_items", "_most")

    def __init__(self, most: int) -> None:
        """`most`: entries kept."""
        self._most = most
        self._half = most // 2
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value under `key`, now the most recently used; None when there is none."""
        items = self._items
        value = items.get(key)
        if value is not None and len(items) > self._half:
            with suppress(KeyError):  # another thread's entry has pushed it out in between
                items.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> V:
        """Keep `value`, which is answered; the oldest goes when there are too many."""
        items = self._items
        items[key] = value
        with suppress(KeyError):  # another thread may have taken it, or the last of them, away again
            items.move_to_end(key)
            while len(items) > self._most:
                items.popitem(last=False)
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
