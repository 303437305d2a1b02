"""What the tests of the runtime share: messages, a worker that keeps a journal, and plans for its hooks.

A journal's `events` read "start a#1", "stop a#1", "note a#1 hello": the child's id, its incarnation and what happened.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import anyio

from actors import IGNORE, Actor, ChildSpec, Ignore, Message, Request, StopReason, SupervisorRef, handles

Plan = Callable[[int], Any]
"""What a hook does in an incarnation of this number: raises, returns IGNORE, or returns something to await."""


class Boom(Exception):
    """The failure that tests cause on purpose."""


class Note(Message):
    """Is written into the journal."""

    text: str = ""


class Crash(Message):
    """Makes the handler raise Boom."""

    text: str = "boom"


class CrashAsk(Request[int]):
    """Makes the handler of a request raise Boom."""


class Number(Request[int]):
    """Asks for the incarnation's number."""


class Work(Message):
    """Keeps the handler busy for so many seconds."""

    seconds: float = 1.0


class Quit(Message):
    """Ends the actor normally."""


class Journal:
    """What happened to workers, in order, and why workers stopped."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.reasons: dict[str, StopReason] = {}

    def add(self, event: str, who: str) -> None:
        """Write an event."""
        self.events.append(f"{event} {who}")

    def take(self) -> list[str]:
        """All events since the last call."""
        events, self.events = self.events, []
        return events


class Worker(Actor):
    """Journals its life; `start` and `stop` are plans for its hooks."""

    def __init__(
        self,
        journal: Journal | None = None,
        start: Plan | None = None,
        stop: Plan | None = None,
        after: Plan | None = None,
    ) -> None:
        self.journal = journal or Journal()
        self.start, self.stop, self.after = start, stop, after
        self.notes = 0

    @property
    def who(self) -> str:
        """Its id and incarnation: "a#1"."""
        return f"{self.context.ref.id}#{self.context.ref.incarnation}"

    async def _follow(self, plan: Plan | None) -> Any:
        result: Any = plan(self.context.ref.incarnation) if plan is not None else None
        return await result if inspect.isawaitable(result) else result

    async def on_start(self) -> Ignore | None:
        if self.start is not None:
            self.journal.add("init", self.who)
        outcome = await self._follow(self.start)
        if isinstance(outcome, Ignore):
            return outcome
        self.journal.add("start", self.who)
        return None

    async def after_start(self) -> None:
        await self._follow(self.after)

    async def on_stop(self, reason: StopReason) -> None:
        self.journal.reasons[self.who] = reason
        await self._follow(self.stop)
        self.journal.add("stop", self.who)

    @handles
    def note(self, message: Note) -> None:
        self.notes += 1
        self.journal.add("note", f"{self.who} {message.text}")

    @handles
    def crash(self, message: Crash | CrashAsk) -> int:
        raise Boom(getattr(message, "text", "boom"))

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation

    @handles
    async def work(self, message: Work) -> None:
        self.journal.add("begin", self.who)
        await anyio.sleep(message.seconds)
        self.journal.add("done", self.who)

    @handles
    def quit(self, message: Quit) -> None:
        self.context.stop_self()


def worker(
    id: str,  # noqa: A002 - the field's name
    journal: Journal | None = None,
    start: Plan | None = None,
    stop: Plan | None = None,
    after: Plan | None = None,
    **spec: Any,
) -> ChildSpec:
    """The spec of a Worker; further arguments are fields of ChildSpec."""
    plans = {"start": start, "stop": stop, "after": after}
    return ChildSpec(id, Worker, args=(journal,), kwargs=plans, **spec)


def fails(*numbers: int) -> Plan:
    """Raise Boom in these incarnations; in all, where none is given."""

    def plan(number: int) -> None:
        if not numbers or number in numbers:
            raise Boom(f"hook of incarnation {number}")

    return plan


def ignores(*numbers: int) -> Plan:
    """Decline to start in these incarnations; in all, where none is given."""
    return lambda number: IGNORE if not numbers or number in numbers else None


def takes(seconds: float, *numbers: int) -> Plan:
    """Sleep so long in these incarnations; in all, where none is given."""
    return lambda number: anyio.sleep(seconds) if not numbers or number in numbers else None


async def settle(seconds: float = 0.001) -> None:
    """Let everything happen that is due within so many virtual seconds."""
    await anyio.sleep(seconds)


async def states(supervisor: SupervisorRef) -> dict[str, str]:
    """The children's states by id, in start order."""
    return {child.id: child.state for child in await supervisor.which_children()}


async def numbers(supervisor: SupervisorRef) -> dict[str, int | None]:
    """The living children's incarnation numbers by id, in start order; None: not alive."""
    return {child.id: child.ref.incarnation if child.ref else None for child in await supervisor.which_children()}


async def turns(count: int) -> None:
    """Let the loop turn so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so; timers do not fire meanwhile."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


def tasks_of(*paths: str) -> list[asyncio.Task[Any]]:
    """The tasks of these lives, as a host finds them."""
    return [task for task in asyncio.all_tasks() if task.get_name() in paths]


def cancel(*paths: str) -> None:
    """Cancel the tasks of these lives from outside."""
    for task in tasks_of(*paths):
        task.cancel()


def cancel_all() -> None:
    """What `asyncio.run` does at its end."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
