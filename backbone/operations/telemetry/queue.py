"""A bounded queue whose oldest gives way: who fills it never waits, and what was lost is counted."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import anyio

__all__ = ["Queue"]

T = TypeVar("T")


class Queue(Generic[T]):
    """One reader, who waits where there is nothing.

    Args:
        capacity: items at most.

    Attributes:
        dropped: items that gave way, since the start.
    """

    policy = "the oldest gives way"

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.dropped = 0
        self._items: deque[T] = deque()
        self._filled = anyio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Keep an item for the reader."""
        if self._closed:
            return
        if len(self._items) >= self.capacity:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._filled.set()

    def put_back(self, item: T) -> None:
        """Give back what was taken and could not be dealt with: it is the oldest, and so the first to give way."""
        if len(self._items) >= self.capacity:
            self.dropped += 1
        elif not self._closed:
            self._items.appendleft(item)
            self._filled.set()

    def get_nowait(self) -> T | None:
        """The oldest item, or None."""
        return self._items.popleft() if self._items else None

    async def get(self) -> T | None:
        """The oldest item, waiting for one; None: closed, and nothing is left."""
        while not self._items and not self._closed:
            self._filled = anyio.Event()
            await self._filled.wait()
        return self.get_nowait()

    def close(self) -> None:
        """Forget what waits, and send the reader home."""
        self._closed = True
        self._items.clear()
        self._filled.set()
