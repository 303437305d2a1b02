"""The relay, which publishes what was committed, and the consumers, one for each subscription."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from actors import Actor, ActorError, Message, Reject, StopReason, handles
from backbone.domain import decode
from backbone.domain.codec import CodecError
from backbone.domain.dimension import Dimension
from backbone.messages import (
    AdvanceRelay,
    Invalidate,
    NextUpdates,
    OutboxGrew,
    ProbeStream,
    ReadOutbox,
    RelayCursor,
    Update,
    Updates,
)
from backbone.peers import Peers, ask_through
from backbone.store.records import OutboxRow
from backbone.stream.errors import PositionGone, StreamClosed
from backbone.stream.port import Log, Reader, Record, Start, StreamInfo

__all__ = ["ConsumerActor", "RelayActor"]

_BATCH = 500


class Poll(Message, frozen=True):
    """The relay's own clock: look at the outbox, whether a hint came or not."""


class RelayActor(Actor):
    """Reads the outbox in order, publishes, invalidates the cache, then moves the cursor: a crash in between re-sends.

    It does so beside its mailbox, so that it answers and stops at once, however long store or log take.

    Args:
        log: the stream; in process it is the log itself and outlives this actor.
        peers: the store to read from and the cache to invalidate.
        embedded: why this stream is less than a real one, or None.
        poll_interval: seconds between looks without a hint.
        timeout: seconds for each request to the store.
    """

    def __init__(
        self, log: Log, peers: Peers, embedded: str | None = None, poll_interval: float = 1.0, timeout: float = 10.0
    ) -> None:
        self._log = log
        self._peers = peers
        self._embedded = embedded
        self._interval = poll_interval
        self._timeout = timeout
        self._cursor = 0
        self._published = 0
        self._resumed = False
        self._pumping = False
        self._due = False

    async def on_start(self) -> None:
        """Open the log where the cursor of the store stands; a store that is down is waited for in the pump."""
        await self._log.open()
        try:
            await self._resume()
        except Reject as reject:
            self._report_behind(reject)
        else:
            self._report_ok()
        self.context.send_every(self._interval, Poll(), key="poll")

    async def after_start(self) -> None:
        """Publish what an earlier process left."""
        self._pump_soon()

    async def _resume(self) -> None:
        if not self._resumed:
            self._cursor = await self._ask(RelayCursor())
            await self._log.resume(self._cursor)
            self._resumed = True

    async def on_stop(self, reason: StopReason) -> None:
        """Close the log only where the backbone ends: consumers read on through a restart of the relay."""
        if reason.kind == "shutdown":
            await self._log.close()

    def inspect(self) -> dict[str, Any]:
        """Where the relay stands."""
        return {"cursor": self._cursor, "published": self._published}

    def _report_ok(self) -> None:
        if self._embedded is None:
            self.context.report_health("ok")
        else:
            self.context.report_health(
                "degraded",
                f"in-process log: {self._embedded}",
                "subscribers of this process get every change",
                "nothing: Kafka is not built yet",
            )

    async def _ask(self, request: Any) -> Any:
        return await ask_through(lambda: self._peers.store, request, self._timeout)

    @handles
    def poll(self, message: Poll) -> None:
        """Publish what there is."""
        self._pump_soon()

    @handles
    def grew(self, message: OutboxGrew) -> None:
        """Publish at once, unless that was done since the hint was given."""
        if message.position > self._cursor:
            self._pump_soon()

    def _pump_soon(self) -> None:
        """One pump at a time; one that is at work looks once more before it ends."""
        self._due = True
        if not self._pumping:
            self._pumping = True
            self.context.run_task(self._pump(), name="pump")

    async def _pump(self) -> None:
        try:
            await self._resume()
            while self._due:
                self._due = False
                while rows := await self._ask(ReadOutbox(self._cursor, _BATCH)):
                    await self._publish(rows)
        except Reject as reject:
            self._report_behind(reject)
        else:
            self._report_ok()
        finally:
            self._pumping = False

    def _report_behind(self, reject: Reject) -> None:
        following = f"tries again every {self._interval:g} s; nothing is lost, the outbox keeps it"
        self.context.report_health(
            "degraded", f"store: {reject.text}", following, "see the store's own line in backbone status"
        )

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        result = await self._log.publish(rows)
        self._published += result.published
        changed: dict[Dimension, dict[str, int]] = defaultdict(dict)
        for row in rows:
            changed[row.dimension][row.symbol] = row.position
        for dimension, positions in changed.items():
            await self._invalidate(Invalidate(dimension, positions))
        await self._ask(AdvanceRelay(rows[-1].position))
        self._cursor = rows[-1].position

    async def _invalidate(self, message: Invalidate) -> None:
        """A cache that is down keeps nothing that could be stale: it comes back empty."""
        try:
            await self._peers.cache.tell(message)
        except ActorError as error:
            self.context.log.warning("cache not invalidated", why=str(error))

    @handles
    async def probe(self, message: ProbeStream) -> StreamInfo:
        """See ProbeStream."""
        return await self._log.probe()


class ConsumerActor(Actor):
    """A cursor for one subscription. It is asked for what comes next, so a slow subscriber pauses it and loses nothing.

    Args:
        log: the stream.
        peers: the store, whose outbox goes back further than the log.
        dimension: what to deliver.
        symbols: whose rows; empty: all.
        start: where to begin: "latest", "earliest" or after a position.
        timeout: seconds for each request to the store.
    """

    def __init__(
        self,
        log: Log,
        peers: Peers,
        dimension: Dimension,
        symbols: Sequence[str] = (),
        start: Start = "latest",
        timeout: float = 10.0,
    ) -> None:
        self._log = log
        self._peers = peers
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
        rows = await ask_through(lambda: self._peers.store, request, self._timeout)
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
