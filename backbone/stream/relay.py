"""The relay: invalidates the cache of what was committed, and publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio

from actors import Actor, StopReason, Subscription, handles
from backbone.calls import Calls
from backbone.domain.observing import Observe
from backbone.domain.probe import ProbeAnswer
from backbone.store.errors import CursorSetBack, PositionLost
from backbone.store.messages import OutboxGrew
from backbone.store.records import OutboxRow
from backbone.stream.anew import Anew
from backbone.stream.filling import Filling
from backbone.stream.follower import Follower
from backbone.stream.hints import Hints
from backbone.stream.leaving import leave
from backbone.stream.messages import DatabaseSetBack, ProbeStream
from backbone.stream.outlet import Outlet
from backbone.stream.pace import Pace
from backbone.stream.past import BATCH, Past, is_full
from backbone.stream.port import Stream
from backbone.stream.reach import HeldUp, Reach
from backbone.stream.survey import Survey
from backbone.stream.tenure import Tenure
from backbone.stream.ticks import LookAgain, NoteCursor, Poll, Renew, Retry
from backbone.stream.watching import watched
from backbone.stream.word import Word

__all__ = ["RelayActor"]

_HINTS = 64  # kept while the loop is busy; where one is lost, the next does not follow on what is known: a look
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds until it tries again what was held up


class RelayActor(Actor):
    """Takes the outbox in order, invalidates the cache, publishes, then moves the cursor: a crash in between re-sends.

    What was just committed comes with the store's hint; the outbox is read where no hint says what comes next. The
    stored cursor is moved at most twice a second. Where that is found to be smaller than it was moved to, the
    database was set back (restored, or failed over to one that lagged): cache and stream forget, and it goes on there.

    Of a stream that several processes share, one relay publishes: it holds the lease. The others follow: they have
    their caches forget what changed, and one of them takes over where the holder falls silent.

    It does so beside its mailbox, so that it answers and stops at once, however long store or stream take. Where one of
    them is down it keeps the cursor, says so, and tries again: 0.1 s later, then ever later up to every second.

    Args:
        stream: where to publish.
        calls: the store to read from and the cache to invalidate.
        embedded: why this stream is less than a real one, or None.
        poll_interval: seconds between looks without a hint.
        timeout: seconds for each request to store, cache and stream.
        observe: told of each batch and probe; None: nobody watches.
        linger: seconds to wait for more, where a commit has something to publish.
    """

    def __init__(
        self,
        stream: Stream,
        calls: Calls,
        embedded: str | None = None,
        poll_interval: float = 1.0,
        timeout: float = 10.0,
        observe: Observe | None = None,
        linger: float = 0.0,
    ) -> None:
        self._calls = calls
        self._embedded = embedded
        self._interval = poll_interval
        self._timeout = timeout
        self._observe = observe
        self._linger = linger
        self._outlet = Outlet(stream, timeout, lambda: self._reach.have_topics())
        self._located = self._pumping = False
        self._cursor = 0  # up to here all is published
        self._reach: Reach
        self._past: Past
        self._survey: Survey
        self._follower: Follower
        self._word: Word
        self._tenure: Tenure
        self._filling: Filling
        self._anew: Anew
        self._shared = stream.shared
        self._pace: Pace
        self._published = 0
        self._pause = 0.0
        self._known = Hints()
        self._hints: Subscription[OutboxGrew]

    async def on_start(self) -> None:
        """Connect where the cursor of the store stands; what is down is waited for in the pump."""
        self._reach = Reach(self._calls, self._timeout, self.context.log)
        self._tenure = Tenure(self._reach.ask, self.context.clock.time, shared=self._shared)
        self._past = Past(self._reach.ask, self._tenure)
        self._survey = Survey(self._reach, self._past, self._tenure)
        self._follower = Follower(self._reach)
        self._pace = Pace(self.context.clock.time)
        self._word = Word(self.context, self._tenure, self._embedded, _LONGEST_PAUSE)
        self._filling = Filling(self._reach.ask, self._outlet, self._tenure, self.context.log, self._word.filling)
        announce = partial(self.context.system.publish, DatabaseSetBack, self.context.ref.path)
        self._anew = Anew(self._reach, self._past, self._filling, announce, self.context.log)
        self._hints = self.context.system.events.subscribe(OutboxGrew, capacity=_HINTS)
        try:
            if self._shared:
                self.context.send_after(self._tenure.pause, Renew(), key="renew")
                await self._tenure.renew()
            await self._connect()
            await self._filling.some(self._cursor)
            if not self._tenure.held:  # it may have run out: until now nobody was there for Renew
                await self._take_lease()
        except HeldUp as error:
            self._word.behind(error)
        else:
            self._came_back()
        self.context.send_every(self._interval, Poll(), key="poll")

    async def after_start(self) -> None:
        """Publish what an earlier process left, and then what the store says that it has committed."""
        self._known.due = self._survey.due = True
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
        if self._tenure.held and self._calls.serves("store"):
            await leave(self._calls.ref("store"), self._past, self._tenure, self._cursor)
        await self._outlet.abandon()

    def inspect(self) -> dict[str, Any]:
        """Where the relay stands, whether it is the one that publishes, and since when something waits for it."""
        waiting = self._survey.waiting_since and self._survey.waiting_since.isoformat()
        role = "active" if self._tenure.held else "standby"
        facts = {"cursor": self._cursor, "published": self._published, "role": role, "unpublished_since": waiting}
        return facts if self._shared else {"cursor": self._cursor, "published": self._published}

    @handles
    def poll(self, message: Poll) -> None:
        """Publish what there is, whoever has committed it."""
        self._known.due = self._survey.due = True
        self._pump_soon()

    @handles
    def look_again(self, message: LookAgain) -> None:
        """See LookAgain."""
        self._known.due = True
        self._pump_soon()

    @handles
    def retry(self, message: Retry) -> None:
        """Look whether what held it up has passed."""
        self._start_pump()

    @handles
    def renew(self, message: Renew) -> None:
        """See Renew; the question is beside the mailbox."""
        self.context.run_task(self._renew(), name="lease")

    async def _renew(self) -> None:
        try:
            await self._take_lease()
        except HeldUp as error:
            self.context.log.info("the lease of the stream was not renewed", why=error.text)
        self.context.send_after(self._tenure.pause, Renew(), key="renew")

    async def _take_lease(self) -> None:
        """Ask for it; where that changes the role, find out anew where the store's cursor stands."""
        if await self._tenure.renew():
            self.context.log.info("the relay changes its role", role="active" if self._tenure.held else "standby")
            self._located = self._outlet.settled = False
            self._known.due = self._survey.due = True
            self._pump_soon()

    @handles
    def note(self, message: NoteCursor) -> None:
        """See NoteCursor."""
        self._pace.hurry()
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
            while True:
                await self._connect()
                await (self._publish() if self._tenure.held else self._follow())
                if self._located:  # else the role has changed meanwhile
                    break
        except HeldUp as error:
            if error.part == "stream" and self._shared:
                await self._forget_meanwhile()
            self._known.due = self._survey.due = True
            self._past.doubtful = self._past.doubtful or error.part == "store"
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self.context.send_after(self._pause, Retry(), key="retry")
            self._word.behind(error)
        else:
            self._came_back()
        finally:
            self._pumping = False

    async def _publish(self) -> None:
        """Publish until nothing is left, or another process is to do it."""
        while self._tenure.held and self._located:
            if self._filling.at_work and await self._fill():
                continue
            if self._linger:
                await anyio.sleep(self._linger)
            if self._past.agrees and (rows := self._known.take(self._cursor, BATCH)):
                await self._relay(rows)
            elif self._known.look(self._cursor):
                await self._look()
            elif not await self._note_cursor():
                if pause := self._known.unseen(self._cursor):
                    self.context.send_after(min(pause, self._interval), LookAgain(), key="look")
                break

    async def _fill(self) -> bool:
        """Fill on, once the cache forgot what waits behind that; returns whether there may be more to be filled."""
        await self._follow()
        await self._anew.tell(self._cursor)
        if not (goes_on := await self._filling.go_on(self._cursor)):
            self._came_back()
        return goes_on

    async def _look(self) -> None:
        """Read the outbox to its end; a second look is taken only where more may be there than came."""
        if self._survey.due or not self._past.agrees:  # else the read itself looks where the stored cursor stands
            status = await self._survey.take() if self._survey.due else None
            if (stored := await self._past.set_back(self._cursor, status)) is not None:
                await self._begin_again(stored)
                return  # nothing is read before it is known from which server
            if status is not None and status.newest <= self._cursor:
                return
        while self._tenure.held and (rows := await self._read()):
            await self._relay(rows)
            if not is_full(rows):
                return

    async def _follow(self) -> None:
        """Nobody publishes here: have the cache forget what has changed, and notice what is noticed by looking."""
        if self._survey.due:
            status = await self._survey.take()
            if not self._tenure.held:
                self._anew.leave_to(status.cursor)
            if (stored := await self._past.set_back(self._follower.position, status)) is not None:
                await self._forget_before(stored)
        self._known.look(self._cursor)  # whatever it tells of is in the outbox
        await self._follower.go_on()

    async def _forget_meanwhile(self) -> None:
        """The stream is down; the cache of this process serves nothing stale for that, whatever the database does."""
        try:
            if self._located:
                await self._follow()
        except HeldUp as error:
            self._past.doubtful = self._past.doubtful or error.part == "store"

    async def _read(self) -> Sequence[OutboxRow]:
        """What comes next in the outbox.

        Where another process has published rows and they were pruned before they were read here, readers of this
        process are sent to the outbox, which tells those that lost something.
        """
        while True:
            try:
                # what a shared stream lacks is not pruned, but for what was before it: that is nowhere to be had
                rows: Sequence[OutboxRow] = await self._reach.ask(self._past.read(self._cursor, whole=not self._shared))
            except HeldUp as error:
                if error.code == CursorSetBack.code:
                    await self._look_where_it_stands()
                    return ()
                stored = await self._past.stored() if error.code == PositionLost.code else 0
                if stored <= self._cursor:
                    raise
                await self._go_on_from(stored)
            else:
                return rows

    async def _look_where_it_stands(self) -> None:
        """The stored cursor is smaller than it was moved to: set back, or seen by a standby that lags a moment."""
        if (stored := await self._past.set_back(self._cursor, await self._survey.take())) is not None:
            await self._begin_again(stored)

    async def _begin_again(self, stored: int) -> None:
        """See Anew."""
        await self._forget_before(stored)
        if self._tenure.held:
            await self._anew.tell(stored)

    async def _forget_before(self, stored: int) -> None:
        """Stand where the database was set back to; the stream is told before anything is published."""
        self._known.forget()
        self._survey.due = True
        await self._anew.forget(stored)
        self._stand(stored)

    async def _go_on_from(self, position: int) -> None:
        """Stand at the stored cursor, where what lies between it and ours is not to be had."""
        await self._reach.forget()
        await self._outlet.resume(position)
        self._stand(position)

    def _stand(self, position: int) -> None:
        self._cursor = self._follower.position = position
        self._past.stand(position)

    async def _connect(self) -> None:
        """A publisher that stands where the store's cursor does.

        Raises:
            HeldUp: by the store or the stream.
        """
        if not self._located:
            await self._locate()
        await self._outlet.connect()
        if self._tenure.held:
            await self._anew.tell(self._cursor)
            await self._filling.stand(self._cursor)

    async def _locate(self) -> None:
        """Stand where the store's cursor does; also where a lease came back with another database behind it."""
        at = self._follower.position
        stored = await self._past.set_back(at, await self._survey.take()) if self._past.knows else None
        if stored is not None:
            await self._forget_before(stored)
        self._cursor = self._past.noted = await self._past.stored()
        self._follower.passed(self._cursor)
        await self._past.has_dropped()  # what the cache takes in from now on may hold rows that are dropped later
        if self.context.ref.incarnation > 1:
            await self._reach.forget()  # another process may have moved the cursor since we fell
        self._located = True

    async def _relay(self, rows: Sequence[OutboxRow]) -> None:
        """Invalidate, publish, move the cursor: who fetches on an update never reads what was before it."""
        with watched(self._observe, self.context.clock.time, "publish"):
            await self._reach.invalidate(rows)
            if not self._tenure.held:
                return
            await self._outlet.publish(rows)
            self._published += len(rows)
            self._cursor = rows[-1].position
            self._follower.passed(self._cursor)
            await self._note_cursor()
        if self._pause:
            self._came_back()

    async def _note_cursor(self) -> bool:
        """Move the stored cursor; soon, where that was done just now.

        Returns:
            Whether time has passed over it, in which there may have come something to be done.
        """
        if self._cursor == self._past.noted:
            return False
        if (rest := self._pace.rest(kept=self._past.kept)) > 0:
            self.context.send_after(rest, NoteCursor(), key="note")
            return False
        if (stored := await self._past.note(self._cursor)) is not None:
            await self._begin_again(stored)
        self._pace.moved()
        return True

    def _came_back(self) -> None:
        self._pause = 0.0
        if not self._filling.at_work:
            self._word.ok(self._survey.held_by)

    @handles
    def probe(self, message: ProbeStream) -> None:
        """See ProbeStream; the round trip is beside the mailbox."""
        self.context.run_task(self._probe(), name="probe", reply=self.context.defer_reply())

    async def _probe(self) -> ProbeAnswer:
        with watched(self._observe, self.context.clock.time, ProbeStream.__name__):
            return await self._outlet.probe(self.context.health.why)
