"""Those who listen: each with a queue and a task of its own, so that a slow or raising one holds up nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from inspect import isawaitable

import msgspec

from backbone.operations.telemetry.events import Telemetry
from backbone.operations.telemetry.queue import Queue
from backbone.settings.redaction import redact

__all__ = ["Handler", "Listener", "ListenerStatistics"]

Handler = Callable[[Telemetry], Awaitable[None] | None]
"""What is called with each event, in order; it may wait, but not block the loop."""


class ListenerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One listener: what it listens to (empty: all), what waits for it, what it got, lost and failed at."""

    name: str
    topics: tuple[str, ...]
    queue_size: int
    queue_capacity: int
    handled: int
    dropped: int
    handler_errors: int
    last_handled_at: datetime | None
    last_error: str


class Listener:
    """A handler and what waits for it.

    Args:
        handler: is called with each event.
        topics: only these kinds; empty: all.
        capacity: events that wait for it at most; the oldest give way.
        closed: is told when it is over.
    """

    def __init__(
        self, handler: Handler, topics: Sequence[str], capacity: int, closed: Callable[[Listener], None]
    ) -> None:
        self.handler = handler
        self.topics = tuple(topics)
        self.name = getattr(handler, "__qualname__", type(handler).__qualname__)
        self._queue: Queue[Telemetry] = Queue(capacity)
        self._closed = closed
        self._handled = self._errors = 0
        self._last_at: datetime | None = None
        self._last_error = ""

    def put(self, event: Telemetry) -> None:
        """Keep an event for the handler, if it wants it."""
        if not self.topics or event.type in self.topics:
            self._queue.put(event)

    async def serve(self) -> None:
        """Call the handler with what comes, until it is closed; what it is at when this is interrupted comes again."""
        while (event := await self._queue.get()) is not None:
            done = False
            try:
                await self._handle(event)
                done = True
            finally:
                if not done:
                    self._queue.put_back(event)

    async def drain(self) -> None:
        """Call it with what still waits."""
        while (event := self._queue.get_nowait()) is not None:
            await self._handle(event)

    async def _handle(self, event: Telemetry) -> None:
        self._last_at = event.at
        try:
            waiting = self.handler(event)
            if isawaitable(waiting):
                await waiting
        except Exception as error:  # noqa: BLE001  the handler is the host's: it fails alone, and is counted
            self._errors += 1
            self._last_error = redact(f"{type(error).__name__}: {error}")
        else:
            self._handled += 1

    def close(self) -> None:
        """Listen no more; what waits is forgotten. A second call does nothing."""
        self._queue.close()
        self._closed(self)

    def statistics(self) -> ListenerStatistics:
        """How it is."""
        return ListenerStatistics(
            name=self.name,
            topics=self.topics,
            queue_size=len(self._queue),
            queue_capacity=self._queue.capacity,
            handled=self._handled,
            dropped=self._queue.dropped,
            handler_errors=self._errors,
            last_handled_at=self._last_at,
            last_error=self._last_error,
        )
