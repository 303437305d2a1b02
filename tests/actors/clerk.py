"""Clerks who do what a message says, and the ledger into which all of them write."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from actors import (
    IGNORE,
    Actor,
    ActorError,
    DeadLetter,
    Ignore,
    Message,
    Overflow,
    Reject,
    Request,
    Restart,
    StopReason,
    Terminated,
    handles,
)

if TYPE_CHECKING:
    from tests.actors.storm import Storm


class Boom(Exception):
    """An ordinary failure."""


class Panic(BaseException):
    """What an extension module raises: no Exception."""


class Mute(Exception):
    """Can't be printed."""

    def __str__(self) -> str:
        raise Boom


ODD: tuple[Callable[[], BaseException], ...] = (
    Boom,
    Panic,
    Mute,
    GeneratorExit,
    asyncio.CancelledError,
    StopAsyncIteration,
    lambda: BaseExceptionGroup("several", [Panic(), Boom()]),
)


class Parcel(Message):
    """Number `number` of all that is sent; `deed` is what its handler does."""

    number: int
    sender: str
    deed: str = "keep"


class Query(Request[int]):
    """As a Parcel; the right reply is its number."""

    number: int
    sender: str
    deed: str = "keep"


class Ledger:
    """What happened, by the numbers of the messages."""

    def __init__(self) -> None:
        self.count = 0
        self.told: set[int] = set()  # tell returned
        self.refused: dict[int, BaseException] = {}  # tell raised
        self.timed: set[int] = set()  # handed to a timer
        self.asked: dict[int, list[Any]] = {}  # outcomes: the reply, or what was raised
        self.begun: set[int] = set()
        self.begun_again: list[int] = []
        self.left: dict[str, list[tuple[str, int]]] = defaultdict(list)  # sender and number, as they left the mailbox
        self.late: list[str] = []  # asks whose deadline did not end them
        self.done: Counter[int] = Counter()
        self.policies: dict[str, Overflow] = {}
        self.tasks: dict[int, list[str]] = {}  # runs of supervised tasks: "begun", "ended"
        self.awaited: dict[int, list[Any]] = {}  # outcomes of their results
        self.mapped: dict[int, Counter[int]] = {}  # items of maps: how often each was begun
        self.watches: Counter[tuple[str, str]] = Counter()  # path, and who watches
        self.terminated: Counter[tuple[str, str]] = Counter()

    def number(self) -> int:
        """The next one."""
        self.count += 1
        return self.count

    def begin(self, path: str, message: Parcel | Query) -> None:
        """A handler has it in hand."""
        if message.number in self.begun:
            self.begun_again.append(message.number)
        self.begun.add(message.number)
        self.left[path].append((message.sender, message.number))

    def bury(self, letter: DeadLetter) -> None:
        """What is dropped as the oldest leaves its mailbox as what is handled does."""
        if letter.reason == "mailbox full: dropped the oldest" and isinstance(letter.message, Parcel | Query):
            self.left[letter.path].append((letter.message.sender, letter.message.number))


PARCELS = ["keep"] * 8 + [
    *(
        "rest",
        "rest",
        "crash",
        "crash late",
        "interrupt",
        "interrupt",
        "reject",
        "relay",
        "relay",
        "consult",
        "leave",
        "timer",
        "helper",
        "self",
    ),
    *("spawn", "watch", "health"),
]
QUERIES = ["keep"] * 4 + ["rest", "rest", "crash", "reject", "defer", "defer", "forget", "fail", "leave"]


class Clerk(Actor):
    """Does what a message says."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm

    @property
    def who(self) -> str:
        """Path and incarnation."""
        return f"{self.context.ref.path}#{self.context.ref.incarnation}"

    async def on_start(self) -> Ignore | None:
        fate = self.storm.chance.random()
        if fate < 0.05:
            raise self.storm.odd()
        if fate < 0.2:
            await self.storm.pause()
        return IGNORE if fate > 0.99 else None

    async def on_stop(self, reason: StopReason) -> None:
        fate = self.storm.chance.random()
        if fate < 0.1:
            raise self.storm.odd()
        if fate < 0.2:
            await self.storm.pause()
        if fate < 0.4:
            await self.storm.send(f"{self.who} stopping")

    @handles
    def terminated(self, message: Terminated) -> None:
        self.storm.ledger.terminated[message.path, self.who] += 1

    @handles
    def parcel(self, message: Parcel | Query) -> Awaitable[int] | int:
        """At once where the deed needs no await, so that both ways of the loop are taken."""
        self.storm.ledger.begin(self.context.ref.path, message)
        if message.deed == "keep":
            return self.finish(message)
        if message.deed == "interrupt":
            self.storm.interrupt()
        if message.deed in ("crash", "interrupt"):
            raise self.storm.odd()
        return self.later(message)

    def finish(self, message: Parcel | Query) -> int:
        self.storm.ledger.done[message.number] += 1
        return message.number

    async def later(self, message: Parcel | Query) -> int:
        await self.do(message.deed, message.number)
        return self.finish(message)

    async def do(self, deed: str, number: int) -> None:
        storm, context = self.storm, self.context
        match deed:
            case "rest":
                await storm.pause()
            case "crash late":
                await storm.pause()
                raise storm.odd()
            case "reject":
                raise Reject("no", "today")
            case "relay":
                await storm.send(self.who)
            case "consult":
                await storm.ask(self.who)
            case "leave":
                context.stop_self()
            case "timer":
                self.arm()
            case "helper":
                context.run_task(self.errand(f"{self.who} helper {number}"))
            case "self":
                await storm.tell(context.ref, self.who, wait=storm.chance.random() < 0.5)
            case "spawn":
                with contextlib.suppress(ActorError):
                    storm.refs.append(await context.start_child(storm.clerk(f"c{number}", Restart.TEMPORARY)))
            case "watch":
                watched = storm.target()
                storm.ledger.watches[watched.path, self.who] += 1
                context.watch(watched)
            case "health":
                context.report_health("degraded", "bad weather")
            case "end":
                context.run_task(storm.system.stop())
            case "defer":
                context.run_task(self.answer(number), reply=context.defer_reply())
            case "forget":
                storm.forgotten.append((context.defer_reply(), number))
            case "fail":
                context.defer_reply().fail(Boom())

    def arm(self) -> None:
        number = self.storm.ledger.number()
        self.storm.ledger.timed.add(number)
        self.context.send_after(self.storm.chance.random(), Parcel(number, f"{self.who} timer {number}"))

    async def errand(self, sender: str) -> None:
        await self.storm.send(sender)
        await self.storm.pause()
        if self.storm.chance.random() < 0.2:
            raise self.storm.odd()

    async def answer(self, number: int) -> int:
        await self.storm.pause()
        if self.storm.chance.random() < 0.2:
            raise Reject("later")
        return number
