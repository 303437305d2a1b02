"""Has the store keep what nobody could read, one request at a time, and again where the store was away."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from actors import ActorDead, Reject
from backbone.calls import Calls
from backbone.store.messages import KeepDeadLetters
from backbone.stream.letters import Letters

__all__ = ["Storing"]

_AT_ONCE = 200


class Storing:
    """Letters wait where they are until the store has them.

    Args:
        calls: where the store is.
        timeout: seconds for each request.
        run: starts a task of the actor.
    """

    def __init__(self, calls: Calls, timeout: float, run: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._calls = calls
        self._timeout = timeout
        self._run = run
        self._busy = False

    def watch(self, letters: Letters) -> None:
        """Store what comes, when it comes."""
        letters.told = partial(self.soon, letters)

    def soon(self, letters: Letters) -> None:
        """Begin, where something waits and nobody stores."""
        if letters.waiting and not self._busy:
            self._busy = True
            with suppress(ActorDead):
                self._run(self._store(letters))

    async def _store(self, letters: Letters) -> None:
        try:
            while waiting := letters.waiting[:_AT_ONCE]:
                await self._calls.ask("store", KeepDeadLetters(waiting), self._timeout)
                letters.stored(waiting)
        except Reject:
            return  # it is tried again with the next question
        finally:
            self._busy = False
