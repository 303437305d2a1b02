"""One tail for all subscribers of a process, while there are any: else each would fetch and unpack all that comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.tail import Tail
from backbone.stream.letters import Letters, Message
from backbone.stream.topics import Topics

__all__ = ["Copies", "Tails", "tails_of"]

_CLOSE_TIMEOUT: Final = 5.0


class Copies:
    """What nobody can read goes to each subscriber's letters, of which each has its own keeper."""

    def __init__(self) -> None:
        self.all: list[Letters] = []

    def add(self, at: tuple[str, int], offset: int, reason: str, message: Message) -> None:
        """See `Letters`."""
        for letters in self.all:
            letters.add(at, offset, reason, message)


class Tails:
    """Opens the tail for the first who joins, and closes it after the last who leaves.

    For example the consumer and what feeds `last` are two actors, each with a subscriber of its own, so that either
    may fall alone. Both read the same records: one client of Kafka fetches them for both.

    Args:
        make: a new tail, not open yet, that tells these of what nobody can read.
    """

    def __init__(self, make: Callable[[Copies], Tail]) -> None:
        self._make = make
        self._lock = anyio.Lock(fast_acquire=True)
        self._copies = Copies()
        self._tail: Tail | None = None

    async def join(self, letters: Letters) -> Tail:
        """The open tail; from now on it tells these letters, too. Who has joined has to leave.

        Raises:
            StreamUnavailable: no broker answers, or a topic is missing.
        """
        async with self._lock:
            if self._tail is None:
                self._copies = Copies()
                self._tail = await self._opened(self._make(self._copies))
                self._copies.all.append(letters)
                return self._tail
            tail, joined = self._tail, False
            self._copies.all.append(letters)  # now: else it might be closed meanwhile
            try:
                await tail.join()
                joined = True
                return tail
            finally:
                if not joined:
                    with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                        await self.leave(letters)

    async def _opened(self, tail: Tail) -> Tail:
        opened = False
        try:
            await tail.open()
            opened = True
        finally:
            if not opened:
                with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                    await tail.close()
        return tail

    async def leave(self, letters: Letters) -> None:
        """Close the tail after the last one."""
        self._copies.all = [each for each in self._copies.all if each is not letters]
        if not self._copies.all:
            tail, self._tail = self._tail, None
            if tail is not None:
                await tail.close()


def tails_of(connection: Connection, topics: Topics, judge: Judge) -> Tails:
    """For all subscribers of one stream."""
    return Tails(lambda copies: Tail(connection, topics, copies, judge))
