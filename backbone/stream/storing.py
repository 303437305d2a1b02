"""Has the store keep what nobody could read, then the topic for it: one request at a time, and again after failures."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import anyio

from actors import ActorDead, Reject
from backbone.calls import Calls
from backbone.store.letters import named, those_at
from backbone.store.messages import KeepDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.errors import StreamError
from backbone.stream.feed import within
from backbone.stream.letters import Letters
from backbone.stream.port import Subscriber

__all__ = ["Storing"]

_AT_ONCE = 200
_MOST = 1000  # that wait for their topic; more are in the store alone
_SEND_TIMEOUT = 30.0
_LEAVE_TIMEOUT = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 8.0  # seconds until it tries again what was not taken


class Storing:
    """Letters wait where they are until the store has them, and then here until their topic has those that are new.

    All processes read the same messages, so the store says who was first, and that one sends a letter on. Killed in
    between, it has sent it to nobody; where an answer of the store was lost, it may send it twice.

    Args:
        calls: where the store is.
        timeout: seconds for a request.
        run: has work done beside the mailbox of whoever reads.
    """

    def __init__(self, calls: Calls, timeout: float, run: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._calls = calls
        self._timeout = timeout
        self._run = run
        self._busy = False
        self._again = anyio.Event()
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        self._subscriber: Subscriber | None = None
        self._asked: Sequence[DeadLetter] = ()
        self._unsent: list[DeadLetter] = []
        self._refused = 0

    def inspect(self) -> dict[str, int]:
        """What came, and letters that are in the store alone, since their topic did not take them; none of 0."""
        count = self._refused + len(self._unsent)
        return {**self._letters.inspect(), **({"dead_letters_unsent": count} if count else {})}

    def watch(self, subscriber: Subscriber) -> None:
        """Store what comes, when it comes; what waits at the one before is not lost with it."""
        if subscriber is not self._subscriber:
            subscriber.letters.take_over(self._letters)
        self._subscriber = subscriber
        subscriber.letters.told = self.soon
        self.soon()

    def soon(self) -> None:
        """Begin, where something waits and nobody stores; who pauses after a failure tries again now."""
        self._again.set()
        if (self._letters.waiting or self._unsent) and not self._busy:
            self._busy = True
            with suppress(ActorDead):
                self._run(self._store())

    @property
    def _letters(self) -> Letters:
        return Letters() if self._subscriber is None else self._subscriber.letters

    async def _store(self) -> None:
        """All that waits, and what comes meanwhile: over failures, for nobody may ask for long."""
        pause = _FIRST_PAUSE
        try:
            while self._letters.waiting or self._unsent:
                try:
                    await self.keep()
                    await self._pass_on()
                except (Reject, StreamError):
                    await self._rest(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._busy = False

    async def _rest(self, pause: float) -> None:
        self._again = anyio.Event()
        with anyio.move_on_after(pause):
            await self._again.wait()

    async def keep(self) -> None:
        """Return once the store has all that came.

        Raises:
            Reject: it does not take it.
        """
        async with self._one_at_a_time:
            while waiting := self._letters.waiting[:_AT_ONCE]:
                self._note(await self._kept(waiting))
                self._letters.stored(waiting)

    async def leave(self) -> None:
        """The same within a bound, before its reader ends: the next one may begin behind what waits."""
        with anyio.move_on_after(_LEAVE_TIMEOUT, shield=True), suppress(Reject, ActorDead):
            await self.keep()

    async def _kept(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Those that were not kept before; where it is not known what came of the last request, all of that."""
        doubtful, self._asked = [*map(named, self._asked)], letters
        new = await self._calls.ask("store", KeepDeadLetters(letters), self._timeout)
        self._asked = ()
        return those_at(letters, [*map(named, new), *doubtful])

    def _note(self, new: Sequence[DeadLetter]) -> None:
        self._unsent += new
        self._refused += len(self._unsent[_MOST:])
        del self._unsent[_MOST:]

    async def _pass_on(self) -> None:
        """A few at a time; what came for the store meanwhile goes first."""
        assert self._subscriber is not None  # noqa: S101  it was there for what waits
        if some := self._unsent[:_AT_ONCE]:
            refused = await within(_SEND_TIMEOUT, self._subscriber.pass_on(some), "take dead letters")
            self._refused += refused
            del self._unsent[: len(some)]
