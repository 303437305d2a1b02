"""The telemetry actor: tells what happened, looks at cache and stream now and then, and carries it all to topics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio

from actors import Actor, Message, StopReason, handles
from backbone.ingest.messages import IngestEnded
from backbone.ingest.schedule_messages import ScheduleChanged
from backbone.operations.telemetry.desk import Desk, Seen
from backbone.operations.telemetry.events import Telemetry
from backbone.operations.telemetry.listening import Listener
from backbone.operations.telemetry.looking import Looks
from backbone.operations.telemetry.messages import AttendListeners, EnsureTelemetryTopics
from backbone.operations.telemetry.telling import Told, of_health, of_ingest, of_retention, of_schedule
from backbone.stream.provisioned import Provisioned

__all__ = ["TelemetryActor"]


Provision = Callable[[bool], Awaitable[Provisioned]]


class LookAround(Message, frozen=True):
    """Time to look at cache and stream."""


class TelemetryActor(Actor):
    """Follows the bus of its system. What it can't do is counted, and holds up nobody.

    Args:
        desk: where telemetry comes together; it outlives this actor.
        looks: at cache and stream.
        interval: seconds between two looks.
        drain: seconds for what waits when it stops.
        provision: looks for the topics, and makes those that are missing unless it is a dry run; None: there are none.
    """

    def __init__(
        self, desk: Desk, looks: Looks, interval: float, drain: float, provision: Provision | None = None
    ) -> None:
        self._desk = desk
        self._provision = provision
        self._looks = looks
        self._interval = interval
        self._drain = drain
        self._served: set[Listener] = set()
        self._looking = False

    async def on_start(self) -> None:
        """Begin; the first look comes after one interval."""
        self._desk.begin(self._carrying)
        self.context.send_every(self._interval, LookAround(), key="look")

    async def after_start(self) -> None:
        """Follow the bus, and serve all who listen."""
        self.context.run_task(self._follow(), name="follow")
        if self._desk.carrier is not None:
            self.context.run_task(self._desk.carrier.serve(), name="carry")
        self._attend()

    async def on_stop(self, reason: StopReason) -> None:
        """Deal with what waits, within a bound; what is left then is lost with the process, as the counts say."""
        self._desk.running = False
        with anyio.move_on_after(self._drain, shield=True):
            while (event := self._desk.events.get_nowait()) is not None:
                self._take(event)
            async with anyio.create_task_group() as group:
                for listener in self._desk.listeners:
                    group.start_soon(listener.drain)
                if self._desk.carrier is not None:
                    group.start_soon(self._desk.carrier.drain)
        if self._desk.carrier is not None:
            await self._desk.carrier.close()

    def inspect(self) -> dict[str, Any]:
        """What was told, who listens, what was lost."""
        now = self._desk.statistics()
        facts: dict[str, Any] = {
            "published": sum(now.published.values()),
            "dropped": now.dropped,
            "listeners": now.subscriber_count,
            "handler_errors": now.handler_errors,
        }
        if now.topics is not None:
            facts |= {"sent": now.topics.sent, "waiting": now.topics.queue_size, "refused": now.topics.refused}
            facts |= {"last_refusal": now.topics.last_refusal} if now.topics.last_refusal else {}
        return facts

    async def _follow(self) -> None:
        async for event in self._desk.events:
            self._take(event)

    def _take(self, event: Seen) -> None:
        if not self._desk.concerns(event):
            return  # of another backbone in this system
        if isinstance(event, Telemetry):
            self._desk.take(event)
        elif isinstance(event, IngestEnded):
            self._tell(of_ingest(event), event.path)
            if event.run is not None and event.plan.path is None and self._desk.running:
                self.context.run_task(self._tell_health(event), name="health")
            else:
                self._tell([of_health(event)], event.path)
        elif isinstance(event, ScheduleChanged):
            self._tell([of_schedule(event.state, event.at)], event.path)
        else:
            self._tell([of_retention(event)], event.path)

    async def _tell_health(self, event: IngestEnded) -> None:
        """By what is stored now: a run that brought nothing while nothing was due is a good one."""
        found = await self._looks.health_of(event, self.context.clock.now())
        self._tell([of_health(event, found)], event.path)

    def _tell(self, told: Iterable[Told], path: str) -> None:
        """Publish on the bus, which brings it back here, and to whoever listens there."""
        for topic, payload, key, metadata in told:
            if topic.told(self._desk.settings):
                self.context.system.publish(
                    Telemetry, path, type=topic.name, payload=payload, key=key, metadata=metadata
                )

    @handles
    def attend(self, message: AttendListeners) -> None:
        """See AttendListeners."""
        self._attend()

    def _attend(self) -> None:
        there = self._desk.listeners
        self._served.intersection_update(there)
        for listener in there:
            if listener not in self._served:
                self._served.add(listener)
                self.context.run_task(listener.serve(), name=f"listen-{listener.name}")

    @handles
    def ensure(self, message: EnsureTelemetryTopics) -> None:
        """See EnsureTelemetryTopics."""
        self.context.run_task(self._ensure(message.dry_run), name="topics", reply=self.context.defer_reply())

    async def _ensure(self, dry_run: bool) -> Provisioned:
        return Provisioned(requested=()) if self._provision is None else await self._provision(dry_run)

    @handles
    def look(self, message: LookAround) -> None:
        """Look at cache and stream, one look at a time."""
        if not self._looking:
            self._looking = True
            self.context.run_task(self._look(), name="look")

    async def _look(self) -> None:
        try:
            self._tell(await self._looks.all(self.context.clock.now()), self.context.ref.path)
        finally:
            self._looking = False

    def _carrying(self, why: str) -> None:
        if not why:
            self.context.report_health("ok")
            return
        room = self._desk.settings.waiting
        self.context.report_health(
            "degraded",
            f"telemetry is not carried to its topics: {why}",
            f"everything else goes on; {room:,} events wait at most, the oldest give way and are counted",
            "start or mend the stream; nothing else has to be done",
        )
