"""The relay: publishes what was committed, and invalidates the cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from actors import Actor, Message, Reject, StopReason, Subscription, handles
from backbone.cache.messages import Invalidate
from backbone.calls import Calls
from backbone.domain.advice import INSTEAD
from backbone.domain.dimension import Dimension
from backbone.store.messages import AdvanceRelay, OutboxGrew, ReadOutbox, RelayCursor
from backbone.store.records import OutboxRow
from backbone.stream.messages import ProbeStream
from backbone.stream.port import Log, StreamInfo

__all__ = ["RelayActor"]

_BATCH = 500
_HINTS = 16  # kept while the loop is busy; what is lost is found by the next look


class Poll(Message, frozen=True):
    """The relay's own clock: look at the outbox, whether a hint came or not."""


class RelayActor(Actor):
    """Reads the outbox in order, publishes, invalidates the cache, then moves the cursor: a crash in between re-sends.

    It does so beside its mailbox, so that it answers and stops at once, however long store or log take.

    Args:
        log: the stream; in process it is the log itself and outlives this actor.
        calls: the store to read from and the cache to invalidate.
        embedded: why this stream is less than a real one, or None.
        poll_interval: seconds between looks without a hint.
        timeout: seconds for each request to the store.
    """

    def __init__(
        self, log: Log, calls: Calls, embedded: str | None = None, poll_interval: float = 1.0, timeout: float = 10.0
    ) -> None:
        self._log = log
        self._calls = calls
        self._embedded = embedded
        self._interval = poll_interval
        self._timeout = timeout
        self._cursor = 0
        self._published = 0
        self._resumed = False
        self._pumping = False
        self._due = False
        self._hints: Subscription[OutboxGrew]

    async def on_start(self) -> None:
        """Open the log where the cursor of the store stands; a store that is down is waited for in the pump."""
        self._hints = self.context.system.events.subscribe(OutboxGrew, capacity=_HINTS)
        await self._log.open()
        try:
            await self._resume()
        except Reject as reject:
            self._report_behind(reject)
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

    async def _resume(self) -> None:
        if not self._resumed:
            self._cursor = await self._ask(RelayCursor())
            await self._log.resume(self._cursor)
            self._resumed = True

    async def on_stop(self, reason: StopReason) -> None:
        """Close the log only where the backbone ends: consumers read on through a restart of the relay."""
        self._hints.close()
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
                INSTEAD["stream"],
            )

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("store", request, self._timeout)

    @handles
    def poll(self, message: Poll) -> None:
        """Publish what there is."""
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
        await self._invalidate(Invalidate(changed))
        await self._ask(AdvanceRelay(rows[-1].position))
        self._cursor = rows[-1].position

    async def _invalidate(self, message: Invalidate) -> None:
        """A cache that is down keeps nothing that could be stale: it comes back empty."""
        try:
            await self._calls.ask("cache", message, self._timeout)
        except Reject as reject:
            self.context.log.warning("cache not invalidated", why=str(reject))

    @handles
    async def probe(self, message: ProbeStream) -> StreamInfo:
        """See ProbeStream."""
        return await self._log.probe()
