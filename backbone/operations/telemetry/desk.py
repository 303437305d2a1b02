"""Where telemetry comes together: who listens, what is kept, what waits for its topic. It outlives the actor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from actors import ActorSystem, Subscription
from backbone.domain import arguments
from backbone.domain.errors import BackboneClosed
from backbone.domain.identifiers import new_run_id
from backbone.ingest.messages import IngestEnded
from backbone.ingest.schedule_messages import ScheduleChanged
from backbone.operations.telemetry.carrier import Carried, Carrier, CarrierStatistics
from backbone.operations.telemetry.events import Telemetry
from backbone.operations.telemetry.kept import Kept, Page
from backbone.operations.telemetry.listening import Handler, Listener, ListenerStatistics
from backbone.operations.telemetry.queue import Queue
from backbone.operations.telemetry.topics import TOPICS, kafka_name
from backbone.operations.telemetry.wire import encoded
from backbone.retention.messages import RetentionJudged
from backbone.settings.sections.telemetry import TelemetrySettings
from backbone.stream.sink import Sink

__all__ = ["Desk", "TelemetryStatistics", "kinds_of"]

_ROOM = 4096  # events on the bus that were not looked at yet: as many as may come while the actor is restarted

Seen = Telemetry | IngestEnded | RetentionJudged | ScheduleChanged


class TelemetryStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How telemetry is.

    Attributes:
        running: whether its actor is there.
        uptime_s: seconds since it was there first.
        queue_size, queue_capacity, queue_policy: of the bus: what it has not looked at, and what gives way.
        published: events told, by kind; kinds that nothing publishes yet are absent.
        last_published_at: of each kind.
        dropped: events lost by the bus, by listeners and on the way to topics, all together.
        handler_errors: of all listeners.
        subscriber_count: listeners.
        listeners: each of them.
        topics: the way to the topics; None: there are none.
    """

    running: bool
    uptime_s: float
    queue_size: int
    queue_capacity: int
    queue_policy: str
    published: Mapping[str, int]
    last_published_at: Mapping[str, datetime]
    dropped: int
    handler_errors: int
    subscriber_count: int
    listeners: tuple[ListenerStatistics, ...]
    topics: CarrierStatistics | None


class Desk:
    """The telemetry of the backbone at `base`.

    Args:
        system: whose bus it is.
        base: path of the backbone; there may be others on the bus.
        settings: what is told, kept and carried.
        sink: the way to topics; None: there are none, and events stay on the bus.
        attend: asks the actor to serve the listeners that nobody serves yet.
    """

    def __init__(
        self,
        system: ActorSystem,
        base: str,
        settings: TelemetrySettings,
        sink: Sink | None = None,
        attend: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.events: Subscription[Seen] = system.events.subscribe(
            Telemetry, IngestEnded, RetentionJudged, ScheduleChanged, capacity=_ROOM
        )
        self.carrier = None if sink is None else Carrier(sink, settings.waiting, self._carrying)
        self._trouble: Callable[[str], None] | None = None
        self.running = self._closed = False
        self._system = system
        self._prefix = f"{base}/"
        self._attend = attend
        self._kept = Kept(new_run_id(), settings.kept)
        self._listeners: list[Listener] = []
        self._published: dict[str, int] = {}
        self._last_at: dict[str, datetime] = {}
        self._since: float | None = None

    # for the actor

    def begin(self, trouble: Callable[[str], None]) -> None:
        """The actor is there; it wants to know why the stream takes nothing, and when it does again."""
        self.running, self._trouble = True, trouble
        if self._since is None:
            self._since = self._system.clock.time()

    def _carrying(self, why: str) -> None:
        if self._trouble is not None:
            self._trouble(why)

    def concerns(self, event: Seen) -> bool:
        """Whether it is of this backbone."""
        return event.path.startswith(self._prefix)

    def take(self, event: Telemetry) -> None:
        """Give an event to those who listen, keep it, and have it carried to its topic."""
        self._published[event.type] = self._published.get(event.type, 0) + 1
        self._last_at[event.type] = event.at
        for listener in self._listeners:
            listener.put(event)
        value = encoded(event)
        self._kept.add(event.type, value)
        if self.carrier is not None and (topic := TOPICS.get(event.type)) is not None:
            self.carrier.put(Carried(kafka_name(topic, self.settings), event.key or event.type, value))

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Those who listen."""
        return tuple(self._listeners)

    def close(self) -> None:
        """Take nothing more."""
        self.running, self._closed = False, True
        self.events.close()

    # for everybody

    def listen(self, handler: Handler, topics: Sequence[str] = (), *, capacity: int = 1024) -> Listener:
        """Call `handler` with each event from now on, in order; a slow or failing one holds up nobody else.

        Args:
            handler: a function, or a coroutine function. What it raises is counted, and it goes on with the next event.
            topics: kinds, such as "telemetry.ingest"; empty: all.
            capacity: events that wait for it at most; the oldest give way, and are counted.

        Returns:
            What `close()` ends. The same handler for the same kinds is listening once, however often it is given.

        Raises:
            TypeError: no function, or no list of names. ValueError: there is no such kind.
            BackboneClosed: it was left.
        """
        if self._closed:
            raise BackboneClosed("this backbone is closed, and tells nothing more; open another one")
        if not callable(handler):
            raise TypeError(f"handler={arguments.shown(handler)} given; allowed: a function of one event")
        names = kinds_of(topics)
        for there in self._listeners:
            if there.handler == handler and there.topics == names:
                return there
        listener = Listener(handler, names, arguments.count("capacity", capacity, 1), self._forget)
        self._listeners.append(listener)
        self._attend()
        return listener

    def _forget(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def after(self, number: int | None = None, topics: Sequence[str] = ()) -> Page:
        """The events that are kept and come after a number; see `Page`."""
        return self._kept.after(number, tuple(topics))

    def statistics(self) -> TelemetryStatistics:
        """How telemetry is."""
        listeners = tuple(each.statistics() for each in self._listeners)
        topics = None if self.carrier is None else self.carrier.statistics()
        lost = self.events.dropped + sum(each.dropped for each in listeners)
        return TelemetryStatistics(
            running=self.running,
            uptime_s=0.0 if self._since is None else self._system.clock.time() - self._since,
            queue_size=self.events.queued,
            queue_capacity=_ROOM,
            queue_policy=Queue.policy,
            published=dict(self._published),
            last_published_at=dict(self._last_at),
            dropped=lost + (0 if topics is None else topics.dropped),
            handler_errors=sum(each.handler_errors for each in listeners),
            subscriber_count=len(listeners),
            listeners=listeners,
            topics=topics,
        )


def kinds_of(topics: Sequence[str]) -> tuple[str, ...]:
    """Names of kinds, checked.

    Raises:
        TypeError: a text instead of a list. ValueError: there is no such kind.
    """
    if isinstance(topics, str):
        raise TypeError(f"topics={topics!r} given; give a list, such as [{topics!r}]")
    names = tuple(dict.fromkeys(topics))
    for name in names:
        if name not in TOPICS:
            raise ValueError(f"topics={arguments.shown(name)} given; allowed: {', '.join(TOPICS)}")
    return names
