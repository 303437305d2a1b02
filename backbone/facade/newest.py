"""Up to where the outbox goes, asked of the store once for all who want to know at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

__all__ = ["Newest"]


class Newest:
    """Shares the answers to one question. Who comes while it is asked shares the next answer: this one may be too old.

    Args:
        ask: asks the store.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._turn = anyio.Lock(fast_acquire=True)
        self._asked = self._answered = self._position = 0

    async def position(self) -> int:
        """The newest position, as it was at some moment since the call.

        Raises:
            StoreError: the store refuses; who waits for the same asks again.
        """
        wanted = self._asked + 1
        async with self._turn:
            if self._answered < wanted:
                number = self._asked = self._asked + 1
                self._position = await self._ask()
                self._answered = number
            return self._position
