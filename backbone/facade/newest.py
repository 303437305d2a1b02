"""Up to where the outbox goes, asked of the store once for all who want to know at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from backbone.domain.errors import BackboneError

__all__ = ["Newest"]


class Newest:
    """Shares the answers to one question. Who comes while it is asked shares the next answer: this one may be too old.

    A refusal is an answer, too: else callers behind a store that is silent would wait for its silence one by one.

    Args:
        ask: asks the store.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._turn = anyio.Lock(fast_acquire=True)
        self._asked = self._answered = self._position = 0
        self._refusal: BackboneError | None = None

    async def position(self) -> int:
        """The newest position, as it was at some moment since the call.

        Raises:
            StoreError: the store refuses.
        """
        wanted = self._asked + 1
        async with self._turn:
            if self._answered < wanted:
                await self._ask_anew()
            if self._refusal is not None:
                raise self._refusal.with_traceback(None)
            return self._position

    async def _ask_anew(self) -> None:
        number = self._asked = self._asked + 1
        try:
            self._position, self._refusal = await self._ask(), None
        except BackboneError as error:
            self._refusal = error
        self._answered = number
