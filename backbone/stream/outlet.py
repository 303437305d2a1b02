"""The publisher that the relay uses now: one that failed is abandoned, and the next try makes another one."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

import anyio

from backbone.domain.probe import ProbeAnswer
from backbone.store.records import OutboxRow
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.port import Publisher, Stream
from backbone.stream.reach import HeldUp

__all__ = ["Outlet"]

_CLOSE_TIMEOUT = 2.0


class Outlet:
    """Publishes, or says that the stream holds it up; it never waits for ever.

    Args:
        stream: makes the publishers.
        timeout: seconds for each call.
    """

    def __init__(self, stream: Stream, timeout: float) -> None:
        self._stream = stream
        self._timeout = timeout
        self._publisher: Publisher | None = None
        self._resumed = False

    async def connect(self) -> None:
        """Have a publisher that is open."""
        if self._publisher is None:
            self._publisher, self._resumed = self._stream.publisher(), False
            connected = False
            try:
                await self._sent(self._publisher.open(), "open")
                connected = True
            finally:
                if not connected:
                    await self.abandon()

    async def stand(self, position: int) -> None:
        """Say, to a publisher that has not heard it yet, up to where all was published."""
        if not self._resumed:
            await self.resume(position)
            self._resumed = True

    async def resume(self, position: int) -> None:
        """See the port."""
        await self._sent(self._open().resume(position), "resume")

    async def begin_again(self, position: int) -> None:
        """See the port."""
        await self._sent(self._open().begin_again(position), "begin again")

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """See the port."""
        await self._sent(self._open().publish(rows), "publish")

    async def probe(self) -> ProbeAnswer | None:
        """See the port; None: there is no publisher now."""
        return None if self._publisher is None else await self._publisher.probe()

    async def abandon(self) -> None:
        """Let go of the publisher, within a bound."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await publisher.close()

    def _open(self) -> Publisher:
        assert self._publisher is not None  # noqa: S101  the pump has connected
        return self._publisher

    async def _sent(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Wait for the stream, but not for ever; a publisher that failed is abandoned.

        Raises:
            HeldUp: it does not answer.
        """
        why = f"no answer within {self._timeout:g} s, it did not {what}"
        try:
            with anyio.move_on_after(self._timeout):
                return await work
        except (StreamUnavailable, StreamClosed) as error:
            why = str(error)
        await self.abandon()
        raise HeldUp("stream", StreamUnavailable.code, why)
