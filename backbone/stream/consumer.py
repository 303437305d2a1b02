"""A consumer for each subscription: a cursor over the stream that is asked for what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors import Actor, Reject, StopReason, handles
from backbone.calls import Calls
from backbone.domain import decode
from backbone.domain.codec import CodecError
from backbone.domain.dimension import Dimension
from backbone.store.messages import ReadOutbox
from backbone.store.records import OutboxRow
from backbone.stream.errors import PositionGone, StreamClosed
from backbone.stream.messages import NextUpdates, Update, Updates
from backbone.stream.port import Log, Reader, Record, Start

__all__ = ["ConsumerActor"]


class ConsumerActor(Actor):
    """A cursor for one subscription. It is asked for what comes next, so a slow subscriber pauses it and loses nothing.

    Args:
        log: the stream.
        calls: the store, whose outbox goes back further than the log.
        dimension: what to deliver.
        symbols: whose rows; empty: all.
        start: where to begin: "latest", "earliest" or after a position.
        timeout: seconds for each request to the store.
    """

    def __init__(
        self,
        log: Log,
        calls: Calls,
        dimension: Dimension,
        symbols: Sequence[str] = (),
        start: Start = "latest",
        timeout: float = 10.0,
    ) -> None:
        self._log = log
        self._calls = calls
        self._dimension = dimension
        self._symbols = frozenset(symbols)
        self._start = start
        self._timeout = timeout
        self._reader: Reader

    async def on_start(self) -> None:
        """Take a cursor."""
        self._reader = self._reader_from(0 if self._start == "earliest" else self._start)

    def _reader_from(self, start: Start) -> Reader:
        return self._log.reader(dimension=self._dimension, symbols=tuple(self._symbols), after=start)

    async def on_stop(self, reason: StopReason) -> None:
        """Give the cursor back."""
        await self._reader.close()

    def inspect(self) -> dict[str, Any]:
        """Where the subscription stands."""
        return {"position": self._reader.position, "lag": self._reader.lag()}

    @handles
    def next(self, message: NextUpdates) -> None:
        """See NextUpdates; the wait is outside the mailbox, so that a stop is not held up by it."""
        self.context.run_task(self._next(message), name="poll", reply=self.context.defer_reply())

    async def _next(self, message: NextUpdates) -> Updates:
        if message.after is not None and message.after != self._reader.position:
            self._reader.seek(message.after)
        try:
            records: Sequence[Record | OutboxRow] = await self._reader.poll(message.limit, message.timeout)
        except PositionGone:
            records = await self._from_outbox(message.limit)
        except StreamClosed as error:
            raise Reject("unavailable", str(error)) from error
        return Updates(tuple(_update(each) for each in records), self._reader.position)

    async def _from_outbox(self, limit: int) -> list[OutboxRow]:
        """What the log no longer has, from the outbox; the cursor moves past all that was looked at."""
        after = self._reader.position
        request = ReadOutbox(after, limit)
        rows = await self._calls.ask("store", request, self._timeout)
        if not rows and self._start == "earliest":
            self._reader = self._reader_from("earliest")
            return []
        if not rows:
            raise Reject(
                "position_lost",
                f"position {after} given; log and outbox do not go back so far: fetch, then subscribe from 'latest'",
            )
        self._reader.seek(rows[-1].position)
        return [row for row in rows if row.dimension == self._dimension and self._wanted(row.symbol)]

    def _wanted(self, symbol: str) -> bool:
        return not self._symbols or symbol in self._symbols


def _update(each: Record | OutboxRow) -> Update:
    """What a subscriber gets.

    Raises:
        Reject: the payload is no frame.
    """
    symbol = each.key if isinstance(each, Record) else each.symbol
    try:
        return Update(each.event_id, each.position, symbol, decode(each.payload))
    except CodecError as error:
        text = f"the change at position {each.position} can't be read: {error}; subscribe from a later position"
        raise Reject("store", text) from error
