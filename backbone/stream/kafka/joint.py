"""One question for all who ask at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

__all__ = ["Joint"]

T = TypeVar("T")


class Joint(Generic[T]):
    """Asks what nobody needs more than one answer to: who comes while it is under way shares the next one with others.

    An answer is never older than the call that gets it.

    Args:
        question: what to ask.
    """

    def __init__(self, question: Callable[[], Awaitable[T]]) -> None:
        self._question = question
        self._lock = anyio.Lock(fast_acquire=True)
        self._begun = 0
        self._last: tuple[int, T] | None = None

    async def ask(self) -> T:
        """The answer to a question that was put after this call."""
        mine = self._begun + 1
        async with self._lock:
            if self._last is not None and self._last[0] >= mine:
                return self._last[1]
            self._begun = number = self._begun + 1
            answer = await self._question()
            self._last = number, answer
            return answer
