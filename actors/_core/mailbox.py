"""The bounded mailbox: a deque and one wake-up future. A bare signal wakes, so a lost wake-up loses no message."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from actors._core.deadlines import Deadlines
from actors._core.error_text import words
from actors._core.runtime import Runtime
from actors._core.tracing import Origin
from actors.errors import AskRejected, AskTimeout, Reject
from actors.messages import Message, Terminated
from actors.specs import Overflow

R = TypeVar("R", contravariant=True)


class Recipient(Protocol):
    """The child whose mailbox it is."""

    path: str
    runtime: Runtime
    ref: Any

    def activity(self) -> str:
        """What it does now, in words for errors."""

    def drop(self, item: Any, why: str, /) -> None:
        """Turn an item into a dead letter."""

    def handles_now(self, item: Any, /) -> bool:
        """Whether its handler is at work on that item."""


class _Answered:
    """In place of the future of an ask whose asker has the answer."""

    def done(self) -> bool:
        """It is."""
        return True


_OVER: Any = _Answered()
_NOTHING = Message()


class Ask(msgspec.Struct, eq=False):
    """A request in a mailbox and the future of its reply; `due` is in loop time."""

    message: Message
    future: asyncio.Future[Any]
    cell: Recipient
    timeout: float
    due: float
    deferred: bool = False
    origin: Origin | None = None  # where the system traces

    def expired(self) -> AskTimeout:
        """The error of an asker whose deadline has passed."""
        kind, elapsed = type(self.message).__name__, self.cell.runtime.loop.time() - self.due + self.timeout
        text = f"{self.cell.path} did not reply to {kind} within {elapsed:.3f} s (it is {self.cell.activity()})"
        return AskTimeout(text, path=self.cell.path, message=self.message, elapsed=elapsed, ref=self.cell.ref)

    def reply(self, value: Any) -> None:
        """Answer; a reply to an asker who is gone is counted as one dead letter."""
        if self.future.done():
            self.cell.runtime.dead_letter(self.cell.path, self.message, "late reply")
        else:
            self.future.set_result(value)

    def answered(self) -> None:
        """Keep neither request nor answer alive while the deadline is watched: behind one that waits, that is long."""
        self.future = _OVER
        if not (self.deferred and self.cell.handles_now(self)):  # a handler that goes on is told of by its request
            self.message = _NOTHING

    def fail(self, error: BaseException) -> None:
        """Answer by an error, if somebody still waits."""
        if not self.future.done():
            self.future.set_exception(error)


class Reply(Generic[R]):
    """A deferred reply: call it with the value, once; a second call is ignored. `fail(error)` answers by an error."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Ask) -> None:
        self._ask: Ask | None = ask

    def __call__(self, value: R) -> None:
        """Answer."""
        ask = self._take()
        if ask is not None:
            ask.reply(value)

    def fail(self, error: BaseException) -> None:
        """Answer by an error; a Reject becomes AskRejected."""
        ask = self._take()
        if ask is not None:
            ask.fail(rejection(ask, error) if isinstance(error, Reject) else error)

    def _take(self) -> Ask | None:
        ask, self._ask = self._ask, None
        return ask


def rejection(ask: Ask, reject: Reject) -> AskRejected:
    """The asker's side of a Reject."""
    path, kind = ask.cell.path, type(ask.message).__name__
    return AskRejected(
        f"{path} refused {kind}: {words(reject)}", path=path, message=ask.message, code=reject.code, text=reject.text
    )


class Tick(msgspec.Struct, eq=False):
    """A timer's message; dropped where its timer was cancelled or belongs to a former incarnation."""

    key: str
    message: Message
    repeat: bool
    live: bool = True
    queued: bool = False
    origin: Origin | None = None


class Envelope(msgspec.Struct, eq=False):
    """A tell and its origin, where the system traces; elsewhere the message itself lies in the mailbox."""

    message: Message
    origin: Origin


_WRAPPED = (Ask, Tick, Envelope)


def payload(item: Any) -> Message:
    """The message inside a mailbox item."""
    message: Message = item.message if item.__class__ in _WRAPPED else item
    return message


def origin_of(item: Any) -> Origin | None:
    """The origin of a mailbox item; None: it has none."""
    return item.origin if item.__class__ in _WRAPPED else None


class Full(Exception):
    """There is no room and the policy is not to drop."""


class Closed(Exception):
    """The mailbox closed while its sender waited for room."""


class Queue(msgspec.Struct, eq=False):
    """Messages of one actor; it belongs to the ref, so a restart keeps them."""

    capacity: int
    overflow: Overflow
    cell: Recipient
    items: deque[Any] | None = None  # made at the first message: an idle actor stays small
    system: deque[Terminated] | None = None
    senders: deque[asyncio.Future[None]] | None = None
    idle: asyncio.Future[None] | None = None
    peak: int = 0
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.items) if self.items else 0

    def wake(self) -> None:
        """Let the actor look at its mailbox."""
        idle = self.idle
        if idle is not None:
            self.idle = None
            if not idle.done():
                idle.set_result(None)

    def append(self, item: Any) -> None:
        """Add without a look at the capacity."""
        items = self.items
        if items is None:
            items = self.items = deque()
        items.append(item)
        if self.idle is not None:
            self.wake()

    def push_front(self, messages: Iterable[Message]) -> None:
        """Put messages, in their order, before all others."""
        if self.items is None:
            self.items = deque()
        self.items.extendleft(reversed(tuple(messages)))

    def put_nowait(self, item: Any) -> bool:
        """Add by the overflow policy; False where the policy is to wait.

        Raises:
            Full: the policy is to reject.
        """
        items = self.items
        if (0 if items is None else len(items)) < self.capacity and not self.senders:
            self.append(item)
            return True
        if self.overflow is Overflow.WAIT:
            return False
        if self.overflow is Overflow.REJECT:
            raise Full
        self.dropped += 1
        if self.overflow is Overflow.DROP_NEWEST:
            self.cell.drop(item, "mailbox full: dropped the newest")
            return True
        if items:
            self._drop_oldest(items)
        self.append(item)
        return True

    def _drop_oldest(self, items: deque[Any]) -> None:
        """The oldest that somebody has sent: timers and news of watches stand above the capacity, and are owed."""
        for number, item in enumerate(items):
            if item.__class__ is not Tick and item.__class__ is not Terminated:
                del items[number]
                self.cell.drop(item, "mailbox full: dropped the oldest")
                return

    async def put(self, item: Any, timeout: float | None, deadlines: Deadlines) -> None:
        """Wait for room in the order of arrival, then add. A sender that gave up is not delivered.

        Raises:
            Full: no room within `timeout` seconds.
            Closed: the actor ended meanwhile.
        """
        if self.senders is None:
            self.senders = deque()
        turn = deadlines.future()
        self.senders.append(turn)
        deadlines.add(turn, timeout, Full)
        granted = False
        try:
            await turn
            granted = True
        finally:
            waits = self.senders is not None and turn in self.senders  # or it was closed, though the place was granted
            if waits:
                self.senders.remove(turn)
            if not granted:
                self.admit()  # the place goes to the next one
        if not waits:
            raise Closed
        self.append(item)

    def admit(self) -> None:
        """Give free places to the senders that wait longest. A place is taken by the sender itself, so none is lost."""
        senders = self.senders
        if not senders:
            return
        free = self.capacity - len(self)
        for turn in senders:
            if free <= 0:
                return
            if not turn.done():
                turn.set_result(None)
            free -= 1

    def close(self) -> list[Any]:
        """Refuse the waiting senders; returns what was left over."""
        senders, self.senders = self.senders, None
        for turn in senders or ():
            if not turn.done():
                turn.set_exception(Closed())
        left = list(self.items or ())
        self.items = None
        self.system = None
        return left
