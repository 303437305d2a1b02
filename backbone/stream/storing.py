"""Has the store keep what nobody could read, then the topic for it: one request at a time, and again after failures."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from actors import ActorDead, Reject
from backbone.calls import Calls
from backbone.store.letters import named, those_at
from backbone.store.messages import KeepDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.errors import StreamError
from backbone.stream.feed import within
from backbone.stream.port import Subscriber

__all__ = ["Storing"]

_AT_ONCE = 200
_MOST = 1000  # that wait for their topic; more are in the store alone
_SEND_TIMEOUT = 30.0


class Storing:
    """Letters wait where they are until the store has them, and then here until their topic has those that are new.

    All processes read the same messages, so the store says who was first, and that one sends a letter on. Killed in
    between, it has sent it to nobody; where an answer of the store was lost, it may send it twice.

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
        self._asked: Sequence[DeadLetter] = ()
        self._unsent: list[DeadLetter] = []
        self._refused = 0

    def inspect(self) -> dict[str, int]:
        """Letters that are in the store alone, since their topic did not take them; none where it took all."""
        return {"dead_letters_unsent": count} if (count := self._refused + len(self._unsent)) else {}

    def watch(self, subscriber: Subscriber) -> None:
        """Store what comes, when it comes."""
        subscriber.letters.told = partial(self.soon, subscriber)

    def soon(self, subscriber: Subscriber) -> None:
        """Begin, where something waits and nobody stores."""
        if (subscriber.letters.waiting or self._unsent) and not self._busy:
            self._busy = True
            with suppress(ActorDead):
                self._run(self._store(subscriber))

    async def _store(self, subscriber: Subscriber) -> None:
        try:
            while waiting := subscriber.letters.waiting[:_AT_ONCE]:
                self._note(await self._kept(waiting))
                subscriber.letters.stored(waiting)
            await self._pass_on(subscriber)
        except (Reject, StreamError):
            return  # it is tried again with the next question
        finally:
            self._busy = False

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

    async def _pass_on(self, subscriber: Subscriber) -> None:
        while some := self._unsent[:_AT_ONCE]:
            self._refused += await within(_SEND_TIMEOUT, subscriber.pass_on(some), "take dead letters")
            del self._unsent[: len(some)]
