"""The publisher that the relay uses now: one that failed is abandoned, and the next try makes another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

import anyio

from actors import Reject
from backbone.calls import refuse
from backbone.domain.probe import ProbeAnswer
from backbone.store.records import OutboxRow
from backbone.stream.errors import StreamClosed, StreamUnavailable, TopicsMissing
from backbone.stream.port import Publisher, Stream
from backbone.stream.reach import HeldUp

__all__ = ["Outlet"]

_CLOSE_TIMEOUT = 2.0
_PROBE_TIMEOUT = 4.0  # who asks waits 5 s: a stream that says nothing has failed, and is not busy

T = TypeVar("T")


class _Lacking(HeldUp):
    """The brokers answer and lack topics."""


class Outlet:
    """Publishes, or says that the stream holds it up; it never waits for ever.

    Args:
        stream: makes the publishers.
        timeout: seconds for each call.
        have_topics: has missing topics made, and tells whether all are there; None: nobody makes any.

    Attributes:
        settled: the publisher of now knows where all was published, and its stream lacks nothing of it.
    """

    def __init__(
        self, stream: Stream, timeout: float, have_topics: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        self._stream = stream
        self._timeout = timeout
        self._have_topics = have_topics
        self._publisher: Publisher | None = None
        self.settled = False

    async def connect(self) -> None:
        """Have a publisher that is open; one that met what is no outage is let go of when its actor ends.

        Brokers that come back empty are given their topics by this, and not by whoever looks for them at times.
        """
        if self._publisher is None:
            try:
                await self._opened_anew()
            except _Lacking:
                if self._have_topics is None or not await self._have_topics():
                    raise
                await self._opened_anew()

    async def _opened_anew(self) -> None:
        self._publisher, self.settled = self._stream.publisher(), False
        await self._sent(self._publisher.open(), "open")

    async def resume(self, position: int, filled: Collection[str] = ()) -> Collection[str]:
        """See the port."""
        return await self._sent(self._open().resume(position, filled), "resume")

    async def holds_anything(self) -> bool:
        """See the port."""
        return await self._sent(self._open().holds_anything(), "say what it holds")

    async def begin_again(self, position: int) -> None:
        """See the port."""
        await self._sent(self._open().begin_again(position), "begin again")

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """See the port."""
        await self._sent(self._open().publish(rows), "publish")

    async def probe(self, why: str) -> ProbeAnswer:
        """See the port.

        Args:
            why: there is no publisher now, where there is none; "": nobody knows.

        Raises:
            Reject: there is none, or the stream does not answer.
        """
        if self._publisher is None:
            raise Reject(StreamUnavailable.code, why or "the stream is not open yet")
        try:
            with anyio.fail_after(_PROBE_TIMEOUT):
                return await self._publisher.probe()
        except (StreamUnavailable, StreamClosed) as error:
            raise refuse(error) from error
        except TimeoutError as error:
            raise Reject(StreamUnavailable.code, f"no answer within {_PROBE_TIMEOUT:g} s") from error

    async def abandon(self) -> None:
        """Let go of the publisher, within a bound."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await publisher.close()

    def _open(self) -> Publisher:
        if self._publisher is None:  # the role changed while the stream was away
            raise HeldUp("stream", StreamUnavailable.code, "the publisher is not open yet")
        return self._publisher

    async def _sent(self, work: Coroutine[Any, Any, T], what: str) -> T:
        """Wait for the stream, but not for ever; a publisher that failed is abandoned.

        Raises:
            HeldUp: it does not answer.
        """
        kind, why = HeldUp, f"no answer within {self._timeout:g} s, it did not {what}"
        try:
            with anyio.move_on_after(self._timeout):
                return await work
        except (StreamUnavailable, StreamClosed) as error:
            kind, why = _Lacking if isinstance(error, TopicsMissing) else HeldUp, str(error)
        await self.abandon()
        raise kind("stream", StreamUnavailable.code, why)
