"""Carries events to their topics: beside everything else, as long as it takes, and at the cost of nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import anyio
import msgspec

from backbone.operations.telemetry.queue import Queue
from backbone.stream.errors import StreamUnavailable
from backbone.stream.sink import Outgoing, Sink, TopicRefuses

__all__ = ["Carried", "Carrier", "CarrierStatistics"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds until it tries again


class Carried(NamedTuple):
    """One event on its way: to which topic, about what, and what it says."""

    topic: str
    key: str
    value: bytes


class CarrierStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events for topics.

    Attributes:
        queue_size, queue_capacity: events that wait, and may wait.
        sent: taken by their topics.
        dropped: they gave way to newer ones while the stream was down.
        refused: their topic does not take them; why, of the last one.
        last_error: why the stream did not answer, last; "" while it does.
    """

    queue_size: int
    queue_capacity: int
    sent: int
    dropped: int
    refused: int
    last_refusal: str
    last_error: str


class Carrier:
    """A bounded queue and who empties it.

    Args:
        sink: the way to the topics.
        capacity: events that wait at most; the oldest give way.
        changed: is told why the stream does not answer, and "" when it does again.
    """

    def __init__(self, sink: Sink, capacity: int, changed: Callable[[str], None]) -> None:
        self._sink = sink
        self._queue: Queue[Carried] = Queue(capacity)
        self._changed = changed
        self._sent = self._refused = 0
        self._refusal = self._error = ""

    def put(self, event: Carried) -> None:
        """Have it carried; never waits."""
        self._queue.put(event)

    async def serve(self) -> None:
        """Carry what comes, for ever; where the stream is down, ever later up to every 5 s."""
        pause = 0.0
        while (event := await self._queue.get()) is not None:
            if await self._carried(event):
                pause = 0.0
            else:
                pause = min(2 * pause or _FIRST_PAUSE, _LONGEST_PAUSE)
                await anyio.sleep(pause)

    async def drain(self) -> None:
        """Carry what still waits, once, until the stream does not answer."""
        while (event := self._queue.get_nowait()) is not None and await self._carried(event):
            pass

    async def close(self) -> None:
        """Let go of the way to the topics."""
        await self._sink.close()

    async def _carried(self, event: Carried) -> bool:
        """Whether it is dealt with; else, and where this is interrupted, it is the next one again."""
        done = False
        try:
            done = await self._carry(event)
        finally:
            if not done:
                self._queue.put_back(event)
        return done

    async def _carry(self, event: Carried) -> bool:
        try:
            await self._sink.publish(event.topic, [Outgoing(event.key.encode(), event.value)])
        except TopicRefuses as error:
            self._refused += 1
            self._refusal = str(error)
        except StreamUnavailable as error:
            self._say(str(error) or "no answer")
            return False
        else:
            self._sent += 1
        self._say("")
        return True

    def _say(self, error: str) -> None:
        if bool(error) != bool(self._error):
            self._changed(error)
        self._error = error

    def statistics(self) -> CarrierStatistics:
        """How it is."""
        return CarrierStatistics(
            queue_size=len(self._queue),
            queue_capacity=self._queue.capacity,
            sent=self._sent,
            dropped=self._queue.dropped,
            refused=self._refused,
            last_refusal=self._refusal,
            last_error=self._error,
        )
