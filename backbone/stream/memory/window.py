"""A list that forgets its head: items keep the absolute index they were appended at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar, cast

__all__ = ["Window"]

T = TypeVar("T")


class Window(Generic[T]):
    """Append at the end, drop at the start, read anywhere, each in constant (amortised) time.

    A deque reads its middle in linear time, which a reader far behind would pay on every poll.
    """

    def __init__(self) -> None:
        self._items: list[T | None] = []
        self._dropped = 0
        self._base = 0

    @property
    def start(self) -> int:
        """Absolute index of the oldest item held."""
        return self._base + self._dropped

    @property
    def end(self) -> int:
        """Absolute index that the next item gets."""
        return self._base + len(self._items)

    def __len__(self) -> int:
        return len(self._items) - self._dropped

    def __getitem__(self, index: int) -> T:
        if not self.start <= index < self.end:
            raise IndexError(f"index {index} given; held are {self.start} up to, not including, {self.end}")
        item = self._items[index - self._base]
        assert item is not None  # noqa: S101  only dropped slots are None
        return item

    def append(self, item: T) -> None:
        """Add an item at index `end`."""
        self._items.append(item)

    def drop_first(self) -> T:
        """Forget the oldest item and return it."""
        item = self[self.start]
        self._items[self._dropped] = None
        self._dropped += 1
        if self._dropped > 1024 and self._dropped * 2 > len(self._items):
            del self._items[: self._dropped]
            self._base += self._dropped
            self._dropped = 0
        return item

    def since(self, index: int) -> Iterator[T]:
        """Items from `index` (or the oldest held, if later) to the end as it is now."""
        return iter(cast("list[T]", self._items[max(index - self._base, self._dropped) :]))
