"""The relay: invalidates the cache of what was committed, and publishes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Coroutine, Sequence
from typing import Any

import anyio

from actors import (
    Actor,
    ActorDead,
    AskRejected,
    AskTimeout,
    ChildNotFound,
    MailboxFull,
    Message,
    Reject,
    Request,
    StopReason,
    Subscription,
    handles,
)
from backbone.cache.messages import ForgetWindows, Invalidate
from backbone.calls import Calls, refuse
from backbone.domain.advice import INSTEAD
from backbone.domain.dimension import Dimension
from backbone.domain.observing import Observe
from backbone.domain.probe import ProbeAnswer
from backbone.store.messages import AdvanceRelay, OutboxGrew, ReadOutbox, RelayCursor
from backbone.store.records import OutboxRow
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.messages import ProbeStream
from backbone.stream.port import Publisher, Stream
from backbone.stream.watching import watched

__all__ = ["RelayActor"]

_BATCH = 500
_HINTS = 16  # kept while the loop is busy; what is lost is found by the next look
_CLOSE_TIMEOUT = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds until it tries again what was held up


class Poll(Message, frozen=True):
    """The relay's own clock: look at the outbox, whether a hint came or not."""


class Retry(Message, frozen=True):
    """Time to try again what was held up."""


class HeldUp(Reject):
    """Nothing can be published now, and nothing is lost by waiting; `part` is who holds it up."""

    def __init__(self, part: str, code: str, why: str) -> None:
        super().__init__(code, f"{part}: {why}")
        self.part = part


class RelayActor(Actor):
    """Reads the outbox in order, invalidates the cache, publishes, then moves the cursor: a crash in between re-sends.

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
        self._stream = stream
        self._calls = calls
        self._embedded = embedded
        self._interval = poll_interval
        self._timeout = timeout
        self._observe = observe
        self._publisher: Publisher | None = None
        self._located = self._resumed = False
        self._cursor = 0
        self._published = 0
        self._pause = 0.0
        self._pumping = False
        self._due = False
        self._hints: Subscription[OutboxGrew]

    async def on_start(self) -> None:
        """Connect where the cursor of the store stands; what is down is waited for in the pump."""
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
        self._pump_soon()
        self.context.run_task(self._listen(), name="hints")

    async def _listen(self) -> None:
        store = f"{self._calls.base}/store"  # there may be other backbones in this system
        async for hint in self._hints:
            if hint.path == store and hint.position > self._cursor:
                self._pump_soon()

    async def on_stop(self, reason: StopReason) -> None:
        """Let go of the stream, within a bound; consumers read on."""
        self._hints.close()
        await self._abandon()

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
                INSTEAD["stream"],
            )

    @handles
    def poll(self, message: Poll) -> None:
        """Publish what there is."""
        self._pump_soon()

    @handles
    def retry(self, message: Retry) -> None:
        """Look whether what held it up has passed."""
        self._start_pump()

    def _pump_soon(self) -> None:
        """One pump at a time; one that is at work looks once more before it ends. What is held up has its own pace."""
        self._due = True
        if not self._pause:
            self._start_pump()

    def _start_pump(self) -> None:
        if not self._pumping:
            self._pumping = self._due = True
            self.context.run_task(self._pump(), name="pump")

    async def _pump(self) -> None:
        try:
            await self._connect()
            while self._due:
                self._due = False
                while rows := await self._ask(ReadOutbox(self._cursor, _BATCH)):
                    await self._relay(rows)
        except HeldUp as error:
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self.context.send_after(self._pause, Retry(), key="retry")
            self._report_behind(error)
        else:
            self._came_back()
        finally:
            self._pumping = False

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
        if self._publisher is None:
            self._publisher, self._resumed = self._stream.publisher(), False
            try:
                await self._sent(self._publisher.open(), "open")
            except BaseException:
                await self._abandon()
                raise
        if not self._located:
            self._cursor = await self._ask(RelayCursor())
            if self.context.ref.incarnation > 1:
                await self._tell_cache(ForgetWindows())  # another process may have moved the cursor since we fell
            self._located = True
        if not self._resumed:
            await self._sent(self._publisher.resume(self._cursor), "resume")
            self._resumed = True

    async def _abandon(self) -> None:
        """A publisher that failed is not asked again; the next try makes another one."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await publisher.close()

    async def _relay(self, rows: Sequence[OutboxRow]) -> None:
        """Invalidate, publish, move the cursor: who fetches on an update never reads what was before it."""
        with watched(self._observe, self.context.clock.time, "publish"):
            await self._invalidate(rows)
            publisher = self._publisher
            assert publisher is not None  # noqa: S101  the pump has connected
            await self._sent(publisher.publish(rows), "publish")
            self._published += len(rows)
            await self._ask(AdvanceRelay(rows[-1].position))
            self._cursor = rows[-1].position
        if self._pause:
            self._came_back()

    def _came_back(self) -> None:
        self._pause = 0.0
        self._report_ok()

    async def _invalidate(self, rows: Sequence[OutboxRow]) -> None:
        """Wait until the cache serves nothing older."""
        changed: dict[Dimension, dict[str, int]] = defaultdict(dict)
        for row in rows:
            changed[row.dimension][row.symbol] = row.position
        await self._tell_cache(Invalidate(dict(changed)))

    async def _tell_cache(self, what: Request[None]) -> None:
        """Have the cache acknowledge. One that is down keeps nothing that could be stale.

        Raises:
            HeldUp: the cache runs, but does not say that it has forgotten.
        """
        try:
            cache = self._calls.ref("cache")
            if cache.is_alive:
                await cache.ask(what, self._timeout)
        except (ActorDead, ChildNotFound) as error:
            self.context.log.warning("cache not invalidated, it is down", why=str(error))
        except AskRejected as error:
            raise HeldUp("cache", error.code, error.text) from error
        except (AskTimeout, MailboxFull) as error:
            raise HeldUp("cache", "busy", str(error)) from error

    async def _ask(self, request: Any) -> Any:
        try:
            return await self._calls.ask("store", request, self._timeout)
        except Reject as reject:
            raise HeldUp("store", reject.code, reject.text) from reject

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
        await self._abandon()
        raise HeldUp("stream", StreamUnavailable.code, why)

    @handles
    def probe(self, message: ProbeStream) -> None:
        """See ProbeStream; the round trip is beside the mailbox."""
        self.context.run_task(self._probe(), name="probe", reply=self.context.defer_reply())

    async def _probe(self) -> ProbeAnswer:
        with watched(self._observe, self.context.clock.time, ProbeStream.__name__):
            if self._publisher is None:
                raise Reject(StreamUnavailable.code, self.context.health.why or "the stream is not open yet")
            try:
                with anyio.fail_after(self._timeout):
                    return await self._publisher.probe()
            except (StreamUnavailable, StreamClosed) as error:
                raise refuse(error) from error
            except TimeoutError as error:
                raise Reject(StreamUnavailable.code, f"no answer within {self._timeout:g} s") from error
