"""The relay: invalidates the cache of what was committed, and publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio

from actors import (
    Actor,
    ActorError,
    Message,
    Reject,
    StopReason,
    Subscription,
    handles,
)
from backbone.calls import Calls, refuse
from backbone.domain.advice import INSTEAD
from backbone.domain.observing import Observe
from backbone.domain.probe import ProbeAnswer
from backbone.store.errors import PositionLost
from backbone.store.messages import OutboxGrew, OutboxState, ReadOutbox, RelayCursor
from backbone.store.records import OutboxRow, OutboxStatus
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.hints import Hints
from backbone.stream.messages import DatabaseSetBack, ProbeStream
from backbone.stream.outlet import Outlet
from backbone.stream.past import Past
from backbone.stream.port import Stream
from backbone.stream.reach import HeldUp, Reach
from backbone.stream.watching import watched

__all__ = ["RelayActor"]

_BATCH = 500
_HINTS = 64  # kept while the loop is busy; where one is lost, the next does not follow on what is known: a look
_FULL_BYTES = 7 * 2**20  # where a read gives so much, more may have been left out: it gives 8 MiB, and whole payloads
_NOTE_EVERY = 0.5  # seconds between moves of the stored cursor; what a crash repeats is passed over by its event_id
_KEPT_NOTE_EVERY = 60.0  # the same, of a role that may only read: it may have been granted more meanwhile
_LONG_AGO = float("-inf")
_NOTE_TIMEOUT = 1.0  # seconds for the last of them, on leaving
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds until it tries again what was held up


class Poll(Message, frozen=True):
    """The relay's own clock: look at the outbox, whether a hint came or not."""


class Retry(Message, frozen=True):
    """Time to try again what was held up."""


class NoteCursor(Message, frozen=True):
    """Time to note in the store up to where all is published."""


class RelayActor(Actor):
    """Takes the outbox in order, invalidates the cache, publishes, then moves the cursor: a crash in between re-sends.

    What was just committed comes with the store's hint; the outbox is read where no hint says what comes next. The
    stored cursor is moved at most twice a second. Where that is found to be smaller than it was moved to, the
    database was set back (restored, or failed over to one that lagged): cache and stream forget, and it goes on there.

    It does so beside its mailbox, so that it answers and stops at once, however long store or stream take. Where one of
    them is down it keeps the cursor, says so, and tries again: 0.1 s later, then ever later up to every 2 s.

    Args:
        stream: where to publish.
        calls: the store to read from and the cache to invalidate.
        embedded: why this stream is less than a real one, or None.
        poll_interval: seconds between looks without a hint.
        timeout: seconds for each request to store, cache and stream.
        observe: told of each batch and probe; None: nobody watches.
    """

    def __init__(
        self,
        stream: Stream,
        calls: Calls,
        embedded: str | None = None,
        poll_interval: float = 1.0,
        timeout: float = 10.0,
        observe: Observe | None = None,
    ) -> None:
        self._calls = calls
        self._embedded = embedded
        self._interval = poll_interval
        self._timeout = timeout
        self._observe = observe
        self._outlet = Outlet(stream, timeout)
        self._located = False
        self._cursor = 0  # up to here all is published
        self._reach: Reach
        self._past: Past
        self._noted_at = _LONG_AGO
        self._published = 0
        self._pause = 0.0
        self._pumping = self._survey = False
        self._held_by: str | None = None
        self._known = Hints()
        self._hints: Subscription[OutboxGrew]

    async def on_start(self) -> None:
        """Connect where the cursor of the store stands; what is down is waited for in the pump."""
        self._reach = Reach(self._calls, self._timeout, self.context.log)
        self._past = Past(self._reach.ask)
        self._hints = self.context.system.events.subscribe(OutboxGrew, capacity=_HINTS)
        try:
            await self._connect()
        except HeldUp as error:
            self._report_behind(error)
        else:
            self._report_ok()
        self.context.send_every(self._interval, Poll(), key="poll")

    async def after_start(self) -> None:
        """Publish what an earlier process left, and then what the store says that it has committed."""
        self._known.due = self._survey = True
        self._pump_soon()
        self.context.run_task(self._listen(), name="hints")

    async def _listen(self) -> None:
        store = f"{self._calls.base}/store"  # there may be other backbones in this system
        async for hint in self._hints:
            if hint.path == store and hint.position > self._cursor:
                self._known.note(hint)
                self._pump_soon()

    async def on_stop(self, reason: StopReason) -> None:
        """Note up to where all is published and let go of the stream, each within a bound; consumers read on."""
        self._hints.close()
        due = self._cursor > self._past.noted and not self._past.kept
        if due and self._past.agrees and self._calls.serves("store"):
            store = self._calls.ref("store")
            with suppress(ActorError):
                await store.ask(self._past.moved_to(self._cursor), _NOTE_TIMEOUT)
        await self._outlet.abandon()

    def inspect(self) -> dict[str, Any]:
        """Where the relay stands."""
        return {"cursor": self._cursor, "published": self._published}

    def _report_ok(self) -> None:
        if self._held_by is not None:
            self.context.report_health(
                "degraded",
                f"publishing is held back by another's open transaction: {self._held_by}",
                "goes on by itself once that has ended; what was committed is in the store, nothing is lost",
                "end that transaction, or have its owner do so",
            )
        elif self._embedded is None:
            self.context.report_health("ok")
        else:
            self.context.report_health(
                "degraded",
                f"in-process log: {self._embedded}",
                "subscribers of this process get every change",
                INSTEAD["stream"],
            )

    @handles
    def poll(self, message: Poll) -> None:
        """Publish what there is, whoever has committed it."""
        self._known.due = self._survey = True
        self._pump_soon()

    @handles
    def retry(self, message: Retry) -> None:
        """Look whether what held it up has passed."""
        self._start_pump()

    @handles
    def note(self, message: NoteCursor) -> None:
        """See NoteCursor."""
        self._noted_at = _LONG_AGO
        self._pump_soon()

    def _pump_soon(self) -> None:
        """One pump at a time; one that is at work ends when nothing is left. What is held up has its own pace."""
        if not self._pause:
            self._start_pump()

    def _start_pump(self) -> None:
        if not self._pumping:
            self._pumping = True
            self.context.run_task(self._pump(), name="pump")

    async def _pump(self) -> None:
        try:
            await self._connect()
            while True:
                if self._past.agrees and (rows := self._known.take(self._cursor, _BATCH)):
                    await self._relay(rows)
                elif self._known.look(self._cursor):
                    await self._look()
                elif not await self._note_cursor():
                    break
        except HeldUp as error:
            self._known.due = self._survey = True
            self._past.doubtful = self._past.doubtful or error.part == "store"
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self.context.send_after(self._pause, Retry(), key="retry")
            self._report_behind(error)
        else:
            self._came_back()
        finally:
            self._pumping = False

    async def _look(self) -> None:
        """Read the outbox to its end; a second look is taken only where more may be there than came."""
        status = await self._surveyed() if self._survey else None
        if (stored := await self._past.set_back(self._cursor, status)) is not None:
            await self._begin_again(stored)
            return  # nothing is read before it is known from which server
        if status is not None and status.newest <= self._cursor:
            return
        while rows := await self._read():
            await self._relay(rows)
            full = len(rows) >= _BATCH or sum(len(row.payload) for row in rows) > _FULL_BYTES
            if not full:
                return

    async def _surveyed(self) -> OutboxStatus:
        """Look at what no hint tells of: drops, who holds publishing back, how far the outbox goes."""
        if await self._past.has_dropped():
            await self._reach.forget()
        status: OutboxStatus = await self._reach.ask(OutboxState())
        self._held_by, self._survey = status.held_by, False
        return status

    async def _read(self) -> Sequence[OutboxRow]:
        """What comes next in the outbox.

        Where another process has published rows and they were pruned before they were read here, readers of this
        process are sent to the outbox, which tells those that lost something.
        """
        while True:
            try:
                rows: Sequence[OutboxRow] = await self._reach.ask(
                    ReadOutbox(self._cursor, _BATCH, whole=True, first=True)
                )
            except HeldUp as error:
                stored = await self._reach.ask(RelayCursor()) if error.code == PositionLost.code else 0
                if stored <= self._cursor:
                    raise
                await self._go_on_from(stored)
            else:
                return rows

    async def _begin_again(self, stored: int) -> None:
        """Begin anew: the database was set back, or is another one, and positions may come again for others.

        Subscribers are told last: who then fetches reads nothing of before, and asks for no position of before.
        """
        self.context.log.warning("the database was set back; cache and stream begin anew", cursor=stored)
        self._known.forget()
        self._survey = True
        self._past.forget()
        self.context.system.publish(DatabaseSetBack, self.context.ref.path)
        await self._reach.forget()
        await self._outlet.begin_again(stored)
        self._stand(stored)

    async def _go_on_from(self, position: int) -> None:
        """Stand at the stored cursor, where what lies between it and ours is not to be had."""
        await self._reach.forget()
        await self._outlet.resume(position)
        self._stand(position)

    def _stand(self, position: int) -> None:
        self._cursor = position
        self._past.stand(position)

    def _report_behind(self, error: HeldUp) -> None:
        following = f"tries again at least every {_LONGEST_PAUSE:g} s; nothing is lost, the outbox keeps it"
        if error.part == "stream":
            action = "start or mend the stream; nothing else has to be done"
            self.context.report_health("failed", error.text, following, action)
        else:
            action = f"see the {error.part}'s own line in backbone status"
            self.context.report_health("degraded", error.text, following, action)

    async def _connect(self) -> None:
        """A publisher that stands where the store's cursor does.

        Raises:
            HeldUp: by the store or the stream.
        """
        await self._outlet.connect()
        if not self._located:
            self._cursor = self._past.noted = await self._reach.ask(RelayCursor())
            await self._past.has_dropped()  # what the cache takes in from now on may hold rows that are dropped later
            if self.context.ref.incarnation > 1:
                await self._reach.forget()  # another process may have moved the cursor since we fell
            self._located = True
        await self._outlet.stand(self._cursor)

    async def _relay(self, rows: Sequence[OutboxRow]) -> None:
        """Invalidate, publish, move the cursor: who fetches on an update never reads what was before it."""
        with watched(self._observe, self.context.clock.time, "publish"):
            await self._reach.invalidate(rows)
            await self._outlet.publish(rows)
            self._published += len(rows)
            self._cursor = rows[-1].position
            await self._note_cursor()
        if self._pause:
            self._came_back()

    async def _note_cursor(self) -> bool:
        """Move the stored cursor; soon, where that was done just now: it costs the store as much as a live commit.

        Returns:
            Whether time has passed over it, in which there may have come something to be done.
        """
        if self._cursor == self._past.noted:
            return False
        now, every = self.context.clock.time(), _KEPT_NOTE_EVERY if self._past.kept else _NOTE_EVERY
        if now - self._noted_at < every:
            self.context.send_after(self._noted_at + every - now, NoteCursor(), key="note")
            return False
        if (stored := await self._past.note(self._cursor)) is not None:
            await self._begin_again(stored)
        self._noted_at = now
        return True

    def _came_back(self) -> None:
        self._pause = 0.0
        self._report_ok()

    @handles
    def probe(self, message: ProbeStream) -> None:
        """See ProbeStream; the round trip is beside the mailbox."""
        self.context.run_task(self._probe(), name="probe", reply=self.context.defer_reply())

    async def _probe(self) -> ProbeAnswer:
        with watched(self._observe, self.context.clock.time, ProbeStream.__name__):
            try:
                with anyio.fail_after(self._timeout):
                    answer = await self._outlet.probe()
            except (StreamUnavailable, StreamClosed) as error:
                raise refuse(error) from error
            except TimeoutError as error:
                raise Reject(StreamUnavailable.code, f"no answer within {self._timeout:g} s") from error
            if answer is None:
                raise Reject(StreamUnavailable.code, self.context.health.why or "the stream is not open yet")
            return answer
