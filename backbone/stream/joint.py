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
        refusals: errors that are an answer, too: else callers would wait one by one for somebody who is silent.
    """

    def __init__(self, question: Callable[[], Awaitable[T]], refusals: tuple[type[Exception], ...] = ()) -> None:
        self._question = question
        self._refusals = refusals
        self._lock = anyio.Lock(fast_acquire=True)
        self._begun = self._ended = 0
        self._answers: list[T] = []
        self._refused: Exception | None = None

    async def ask(self) -> T:
        """The answer to a question that was put after this call."""
        mine = self._begun + 1
        async with self._lock:
            if self._ended < mine:
                await self._ask_anew()
            if self._refused is not None:
                raise self._refused.with_traceback(None)
            return self._answers[0]

    async def _ask_anew(self) -> None:
        self._begun = number = self._begun + 1
        try:
            self._answers, self._refused = [await self._question()], None
        except self._refusals as error:
            self._refused = error
        self._ended = number
