"""The consumer: one actor, and one client of the stream, for all subscriptions of a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio.lowlevel

from actors import Actor, Reject, StopReason, TaskHandle, handles
from backbone.calls import Calls, refuse
from backbone.domain.codec import CodecError
from backbone.domain.observing import Observe
from backbone.store.errors import PositionLost
from backbone.store.messages import ReadOutbox, ReadReached
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.feed import Change, Feed, let_go, within
from backbone.stream.generation import database_generation
from backbone.stream.joint import Joint
from backbone.stream.latency import Latencies
from backbone.stream.messages import LeaveStream, NextUpdates, ReadLag, StopWaiting, Update, Updates
from backbone.stream.port import Start, Stream, Subscriber
from backbone.stream.reached import require_told
from backbone.stream.readable import frame_of
from backbone.stream.records import PartitionLag, Place, Record
from backbone.stream.resume import Resume
from backbone.stream.storing import Storing
from backbone.stream.watching import watched

__all__ = ["ConsumerActor"]

_OPEN_TIMEOUT = 3.0
_CLOSE_TIMEOUT = 5.0
_GENERATION_TIMEOUT = 2.0
_AT_ONCE_BYTES = 128 * 1024  # of payloads that are read before others get their turn
_EVENT = 8  # letters of an event_id in a token
_INSTEAD = "subscribe from 'latest', then fetch"

Begin = Place | Resume | Start


class _Subscribed:
    """One subscription: a cursor once it has one, where it began, and one question at a time."""

    def __init__(self, after: Begin) -> None:
        self.feed: Feed | None = None
        self.after = after
        self.question: TaskHandle[Updates] | None = None
        self.lock = anyio.Lock(fast_acquire=True)

    @property
    def place(self) -> Place | None:
        """Where it stands; None: nowhere yet."""
        return None if self.feed is None else self.feed.place


class ConsumerActor(Actor):
    """Serves all subscriptions. Each is asked for what comes next, so a slow one pauses alone and loses nothing.

    A subscription is a place in the stream and nothing else: no rows wait here for anybody. Where this actor falls, the
    next incarnation learns of each subscription by its next question.

    Args:
        stream: what to read.
        calls: the store, whose outbox goes back further than the stream.
        timeout: seconds for each request to the store.
        observe: told of each question, its waiting included; None: nobody watches.
    """

    def __init__(self, stream: Stream, calls: Calls, timeout: float = 10.0, observe: Observe | None = None) -> None:
        self._stream = stream
        self._calls = calls
        self._timeout = timeout
        self._observe = observe
        self._subscriptions: dict[str, _Subscribed] = {}
        self._subscriber: Subscriber | None = None
        self._opening = anyio.Lock(fast_acquire=True)
        self._database = ""
        self._generation = Joint(partial(database_generation, calls, _GENERATION_TIMEOUT))
        self._reached = Joint(partial(calls.ask, "store", ReadReached(), timeout), (Reject,))
        self._latencies = Latencies()
        self._store = Storing(calls, timeout, lambda work: self.context.run_task(work, name="dead letters"))

    async def on_stop(self, reason: StopReason) -> None:
        """Let go of the stream, within a bound; who waits is refused, what nobody could read is kept."""
        await self._store.leave()
        if self._subscriber is not None:
            await let_go(self._subscriber)

    def inspect(self) -> dict[str, Any]:
        """Where each subscription stands, and how long changes took from their commit to here."""
        places = {name: each.place for name, each in self._subscriptions.items()}
        standing = {name: place.position if place else None for name, place in places.items()}
        return {"subscriptions": standing, "latency": self._latencies.facts(), **self._store.inspect()}

    @handles
    def next(self, message: NextUpdates) -> None:
        """See NextUpdates; the wait is outside the mailbox, so that neither a stop nor others are held up by it."""
        mine = self._subscriptions.get(message.subscription)
        if mine is None:  # noted here, in the order of the mailbox: a LeaveStream behind it finds it
            mine = self._subscriptions[message.subscription] = _Subscribed(message.after)
        reply = self.context.defer_reply()
        mine.question = self.context.run_task(self._watched(message, mine), name="poll", reply=reply)

    @handles
    def stop_waiting(self, message: StopWaiting) -> None:
        """See StopWaiting."""
        mine = self._subscriptions.get(message.subscription)
        if mine is not None and mine.question is not None:
            mine.question.cancel()

    @handles
    def lag(self, message: ReadLag) -> None:
        """See ReadLag; asked beside the mailbox."""
        self.context.run_task(self._lag(), name="lag", reply=self.context.defer_reply())

    async def _lag(self) -> tuple[PartitionLag, ...]:
        try:
            subscriber = await self._opened()
            return await within(_OPEN_TIMEOUT, subscriber.lag(), "say how far reading is behind")
        except (StreamClosed, StreamUnavailable) as error:
            raise refuse(error) from error

    @handles
    async def leave(self, message: LeaveStream) -> None:
        """See LeaveStream."""
        mine = self._subscriptions.pop(message.subscription, None)
        if mine is not None and mine.feed is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT):
                await mine.feed.close()

    async def _watched(self, message: NextUpdates, mine: _Subscribed) -> Updates:
        with watched(self._observe, self.context.clock.time, type(message).__name__):
            try:
                return await self._next(message, mine)
            except Reject as reject:
                if reject.code == PositionLost.code:
                    self._database = ""  # it may be another one by now
                raise
            except StreamClosed as error:
                raise Reject(StreamUnavailable.code, str(error)) from error
            except StreamUnavailable as error:
                self._report_down(error)
                raise refuse(error) from error

    async def _next(self, message: NextUpdates, mine: _Subscribed) -> Updates:
        subscriber = await self._opened()
        async with mine.lock:
            feed = mine.feed
            if feed is None:
                feed = mine.feed = Feed(subscriber, self._calls, message.dimension, message.symbols, self._timeout)
            await self._stand(mine, feed, message)
            changes = await feed.next(message.limit, message.timeout)
            self._store.soon()
            if self.context.health.level != "ok":
                self.context.report_health("ok")
            return await self._readable(changes, feed, subscriber)

    async def _readable(self, changes: Sequence[Change], feed: Feed, subscriber: Subscriber) -> Updates:
        """What a subscriber gets: all up to a change that can't be read, which is refused when it comes first.

        Raises:
            Reject: the first payload is no frame.
        """
        updates: list[Update] = []
        before, size = Place(0), 0
        for each in changes:
            if size > _AT_ONCE_BYTES:
                await anyio.lowlevel.checkpoint()
                size = 0
            size += len(each.payload)
            try:
                updates.append(self._update(each, subscriber))
            except Reject as refusal:
                if not (isinstance(each, Record) and subscriber.set_aside(each, str(refusal.__cause__))):
                    if not updates:
                        raise
                    await feed.seek(before)
                    break
            before = _place(each)
        assert feed.place is not None  # noqa: S101  it stands
        return Updates(tuple(updates), feed.place)

    async def _opened(self) -> Subscriber:
        """The one client of the stream, connected by the first who needs it."""
        async with self._opening:
            if self._subscriber is None:
                subscriber, connected = self._stream.subscriber(), False
                try:
                    await within(_OPEN_TIMEOUT, subscriber.open(), "open")
                    connected = True
                finally:
                    if not connected:
                        await let_go(subscriber)
                self._subscriber = subscriber
                self._store.watch(subscriber)
            return self._subscriber

    async def _stand(self, mine: _Subscribed, feed: Feed, message: NextUpdates) -> None:
        """Where the question says: who asks the same again, since the answer was lost, gets the same rows."""
        if self._is_over(mine, message):
            raise StreamClosed(f"the subscription {message.subscription} is over")
        if feed.place is None:
            await feed.open(await self._beginning(message.after))
            if self._is_over(mine, message):
                await feed.close()  # who asked has left meanwhile
        elif message.after == feed.place:
            return
        elif isinstance(message.after, Place) and message.after != mine.after:
            await feed.seek(message.after)
        else:
            await feed.begin_again()

    def _is_over(self, mine: _Subscribed, message: NextUpdates) -> bool:
        return self._subscriptions.get(message.subscription) is not mine

    async def _beginning(self, after: Begin) -> Start | Place:
        """What a token means now: its place, where it is of this stream, else its position.

        Raises:
            Reject: "position_lost": its position is of another database, or of later than this one has come to.
            StreamUnavailable: a standby answers, which may lag.
        """
        if not self._database:
            self._database = await self._generation.ask()
        if isinstance(after, Resume):
            self._require_ours(after)
            await self._require_reached(after.position)
            await self._require_same(after)
            assert self._subscriber is not None  # noqa: S101  who asks has opened it
            return after.place if after.stream == self._subscriber.generation else Place(after.position)
        if isinstance(after, int | Place):  # a place is known from an incarnation that fell
            await self._require_reached(after if isinstance(after, int) else after.position)
        return after

    def _require_ours(self, token: Resume) -> None:
        """Another database may give the same positions to other changes: to go on by them would pass changes over."""
        if token.database and self._database and token.database != self._database:
            raise refuse(PositionLost(f"the resume token is of another database; {_INSTEAD}"))

    async def _require_reached(self, position: int) -> None:
        """Of a database that was restored to before a position, what comes next would be passed over in silence."""
        if not position:
            return
        reached = await self._reached.ask()
        require_told(reached, position)
        if position > (newest := reached.newest):
            text = f"position {position} given; this database has only come to {newest}, was it restored? {_INSTEAD}"
            raise refuse(PositionLost(text))

    async def _require_same(self, token: Resume) -> None:
        """A database that was put back to a copy, and has gone on since, has another change at the position, or none.

        Positions have gaps; what was pruned may have been anywhere in it, and nobody can tell any more.
        """
        if not token.event:
            return
        try:
            rows = await self._calls.ask("store", ReadOutbox(token.position - 1, 1, whole=True), self._timeout)
        except Reject as reject:
            if reject.code != PositionLost.code:
                raise
            return
        if not rows or rows[0].position != token.position or not rows[0].event_id.startswith(token.event):
            text = f"the change at position {token.position} is not in this database, was it restored? {_INSTEAD}"
            raise refuse(PositionLost(text))

    def _update(self, each: Change, subscriber: Subscriber) -> Update:
        """What a subscriber gets.

        Raises:
            Reject: the payload is no frame.
        """
        symbol = each.key if isinstance(each, Record) else each.symbol
        if each.created_at is not None:
            self._latencies.record(each.created_at, self.context.clock.now(), each.dimension)
        place = _place(each)
        event = each.event_id[:_EVENT] if place.position == each.position else ""
        token = Resume(self._database, subscriber.generation, place.position, place.mark, event)
        try:
            return Update(each.event_id, each.position, token.text(), symbol, frame_of(each))
        except CodecError as error:
            text = f"the change at position {each.position} can't be read: {error}; subscribe from a later position"
            raise Reject("store", text) from error

    def _report_down(self, error: StreamUnavailable) -> None:
        following = "subscribers wait and ask again; what was committed is in the outbox"
        self.context.report_health("failed", str(error), following, "start or mend what does not answer; nothing else")


def _place(each: Change) -> Place:
    """Where one stands behind a change."""
    return (each.place if isinstance(each, Record) else None) or Place(each.position)
