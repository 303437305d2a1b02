"""What the runtime reports about itself, and the one bus it goes over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import msgspec

from actors.errors import SpecError
from actors.stop_reason import StopReason

if TYPE_CHECKING:
    from typing import Self


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything published on `system.events`; `at` is UTC."""

    path: str
    at: datetime


E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class ActorStarted(Event, frozen=True, kw_only=True):
    """An incarnation's on_start has returned."""

    incarnation: int


class ActorCrashed(Event, frozen=True, kw_only=True):
    """An incarnation ended abnormally: exactly one report for each crash.

    `detail` is the actor's own inspect(), `message_type` the class of the message in hand, `traceback` text.
    """

    incarnation: int
    reason: StopReason
    restart: str
    supervisor: str
    detail: dict[str, Any] | None = None
    message_type: str | None = None
    traceback: str = ""


class ActorRestarting(Event, frozen=True, kw_only=True):
    """A restart was decided; it begins in `delay` seconds."""

    incarnation: int
    delay: float
    attempt: int


class ActorRestarted(Event, frozen=True, kw_only=True):
    """A later incarnation runs."""

    incarnation: int
    restarts: int


class ActorStopped(Event, frozen=True, kw_only=True):
    """An incarnation ended without a crash."""

    incarnation: int
    reason: StopReason


class IntensityExceeded(Event, frozen=True, kw_only=True):
    """A supervisor (`path`) gave up: max restart intensity, reached by `offender`."""

    offender: str
    restarts: int
    within: float
    reason: StopReason


class DeadLetter(Event, frozen=True, kw_only=True):
    """A message that nobody will handle, and why."""

    message: Any
    reason: str


class HealthChanged(Event, frozen=True, kw_only=True):
    """An actor reports another health."""

    level: str
    why: str
    next: str
    action: str


class ActorStalled(Event, frozen=True, kw_only=True):
    """No `beat()` within the spec's stall_timeout, so it is interrupted; `doing` says in what."""

    incarnation: int
    quiet_s: float
    doing: str


class ActorSuspended(Event, frozen=True, kw_only=True):
    """An operator has suspended an incarnation (`why`, in their words): it takes no messages from its mailbox."""

    incarnation: int
    why: str


class ActorResumed(Event, frozen=True, kw_only=True):
    """A suspended incarnation goes on."""

    incarnation: int


class NameRegistered(Event, frozen=True, kw_only=True):
    """An actor has got a name in the registry."""

    name: str


class NameLeft(Event, frozen=True, kw_only=True):
    """A name is free again: it was taken away, or its holder has ended for good."""

    name: str


class GroupJoined(Event, frozen=True, kw_only=True):
    """An actor has become a member of a group."""

    group: str


class GroupLeft(Event, frozen=True, kw_only=True):
    """A member has left its group, or has ended for good."""

    group: str


class ZombieDetected(Event, frozen=True, kw_only=True):
    """A killed incarnation does not end; it was detached so that nobody waits for it."""

    incarnation: int
    detail: str


class OrphanDetected(Event, frozen=True, kw_only=True):
    """A task outlives the actor (`path`) that started it."""

    task: str


class Subscription(Generic[E_co]):
    """An async iterator over events of the class `E_co`; bounded: the oldest gives way, and `dropped` counts it."""

    def __init__(self, stream: EventStream, kinds: tuple[type, ...], capacity: int) -> None:
        self.dropped = 0
        self._stream = stream
        self._kinds = kinds
        self._events: deque[E_co] = deque()
        self._capacity = capacity
        self._waiting: list[asyncio.Future[None]] = []
        self._closed = False

    @property
    def queued(self) -> int:
        """Events that were not read yet."""
        return len(self._events)

    def wants(self, kind: type) -> bool:
        """True where events of this class are to be delivered here."""
        return not self._kinds or issubclass(kind, self._kinds)

    def put(self, event: Any) -> None:
        """Keep an event for the reader."""
        if len(self._events) >= self._capacity:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        self._signal()

    def get_nowait(self) -> E_co | None:
        """The oldest unread event, or None."""
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Stop receiving; a waiting reader ends."""
        self._closed = True
        self._stream.drop(self)
        self._signal()

    def _signal(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:  # all of them: what one takes, the others wait for anew
            if not each.done():
                each.set_result(None)

    def __aiter__(self) -> AsyncIterator[E_co]:
        return self

    async def __anext__(self) -> E_co:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            wake = self._stream.future()
            self._waiting.append(wake)
            try:
                await wake
            finally:
                if wake in self._waiting:  # its reader has given up
                    self._waiting.remove(wake)
        return self._events.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def complain(error: BaseException, what: str = "an observer of actors' events failed") -> None:
    """An observer has failed: the loop's exception handler hears of it, and what was observed goes on."""
    loop = asyncio.get_running_loop()
    if isinstance(error, KeyboardInterrupt | SystemExit):
        loop.call_soon(_end_program, error)
        return
    with suppress(Exception):  # the host's handler may write to the very log that is broken
        loop.call_exception_handler({"message": what, "exception": error})


def _end_program(error: BaseException) -> None:
    raise error


class EventStream:
    """Publishes to subscribers by class. An event that nobody wants is not even built: ask `wanted` first."""

    def __init__(self, future: Callable[[], asyncio.Future[None]]) -> None:
        self.future = future
        self.published = 0
        self._closed = False
        self._subscribers: list[Subscription[Any]] = []
        self._sinks: list[tuple[Callable[[type], bool], Callable[[Any], None]]] = []

    @overload
    def subscribe(self, *, capacity: int = ...) -> Subscription[Event]: ...
    @overload
    def subscribe(self, *kinds: type[E], capacity: int = ...) -> Subscription[E]: ...
    def subscribe(self, *kinds: type[E], capacity: int = 1024) -> Subscription[E]:
        """Receive events of these classes (all, if none is given) from now on; nothing where the system is closed.

        To a type checker a subscription to one class gives that class, and one to none of them `Event`. Several give
        their union to pyright, their common base to mypy, unless it is annotated with the union.

        Raises:
            SpecError: a kind is no class, or there is no room for an event.
        """
        for kind in kinds:
            if not isinstance(kind, type):
                raise SpecError(f"subscribe: got {kind!r}; allowed: classes of events, such as ActorCrashed")
        if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 1:
            raise SpecError(f"subscribe: capacity: got {capacity!r}; allowed: a whole number >= 1")
        subscription: Subscription[E] = Subscription(self, kinds, capacity)
        if self._closed:
            subscription.close()
        else:
            self._subscribers.append(subscription)
        return subscription

    def sink(self, wants: Callable[[type], bool], write: Callable[[Any], None]) -> None:
        """Call `write` at once with every event of the classes that `wants` accepts (logs, watchers)."""
        self._sinks.append((wants, write))

    def drop(self, subscription: Subscription[Any]) -> None:
        """Forget a subscriber."""
        if subscription in self._subscribers:
            self._subscribers.remove(subscription)

    def wanted(self, kind: type) -> bool:
        """True where somebody would receive an event of this class."""
        for subscription in self._subscribers:
            if subscription.wants(kind):
                return True
        for wants, _ in self._sinks:
            try:
                if wants(kind):
                    return True
            except BaseException as error:  # noqa: BLE001 - see complain
                complain(error)
        return False

    def publish(self, event: Any) -> None:
        """Deliver to every subscriber; never waits."""
        self.published += 1
        kind = type(event)
        for subscription in self._subscribers:
            if subscription.wants(kind):
                subscription.put(event)
        for wants, write in self._sinks:
            try:
                if wants(kind):
                    write(event)
            except BaseException as error:  # noqa: BLE001 - see complain
                complain(error)

    def close(self) -> None:
        """End all subscriptions, also those that are still to come."""
        self._closed = True
        for subscription in list(self._subscribers):
            subscription.close()
