"""Deferred replies and the tasks beside a mailbox: whose reply it is, and how long it is kept."""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from contextlib import suppress
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorError,
    AskTimeout,
    ChildSpec,
    DeadLetter,
    Reply,
    Request,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Journal, Note, Number, Worker, settle


class Whose(Request[str]):
    """Is answered by its own name; the first one's handler leaves a task of this kind behind."""

    name: str
    kind: str = ""


class Absentminded(Actor):
    """A task that it leaves behind wants to answer for the handler that started it."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def late(self, name: str) -> None:
        await anyio.sleep(1.0)
        try:
            self.context.defer_reply()(f"meant for {name}")
        except ActorError as error:
            self.refused.append(str(error))

    @handles
    async def whose(self, message: Whose) -> str:
        if message.kind == "helper":
            self.context.run_task(self.late(message.name))
        elif message.kind == "task":
            self.tasks.append(asyncio.create_task(self.late(message.name)))
        else:
            await anyio.sleep(5.0)
        return message.name


@pytest.mark.parametrize("kind", ["helper", "task"])
async def test_a_task_beside_the_mailbox_can_not_take_the_reply_to_what_is_in_hand(
    actor_system: TestSystem, kind: str
) -> None:
    """89."""
    made: list[Absentminded] = []

    def make() -> Absentminded:
        made.append(Absentminded())
        return made[-1]

    ref = await actor_system.start_child(ChildSpec("a", make))
    assert await ref.ask(Whose("first", kind)) == "first"
    assert await ref.ask(Whose("second"), timeout=10.0) == "second"
    assert "hand the reply on" in made[0].refused[0]


class Heavy(Request[int], weakref=True):
    """A request whose end can be seen."""


class Hoarder(Actor):
    """Promises replies and forgets them, or keeps them."""

    def __init__(self) -> None:
        self.kept: list[Reply[int]] = []

    @handles
    def heavy(self, message: Heavy) -> int:
        self.context.defer_reply()
        return 0

    @handles
    def number(self, message: Number) -> int:
        self.kept.append(self.context.defer_reply())
        return 0


async def test_a_deferred_reply_is_forgotten_when_its_asker_gives_up(actor_system: TestSystem) -> None:
    """89."""
    ref = await actor_system.start_child(ChildSpec("a", Hoarder))
    sent: list[weakref.ref[Heavy]] = []
    for number in range(50):
        request = Heavy()
        sent.append(weakref.ref(request))
        with anyio.move_on_after(0.5), suppress(AskTimeout):
            await ref.ask(request, timeout=0.1 if number % 2 else None)
        del request
    gc.collect()
    assert sum(each() is not None for each in sent) < 5


async def test_a_deferred_reply_that_nobody_gives_fails_when_the_actor_ends(actor_system: TestSystem) -> None:
    """89."""
    ref = await actor_system.start_child(ChildSpec("a", Hoarder))
    failed: list[str] = []

    async def ask(request: Request[int]) -> None:
        with pytest.raises(ActorDead):
            await ref.ask(request, timeout=None)
        failed.append(type(request).__name__)

    async with anyio.create_task_group() as group:
        group.start_soon(ask, Heavy())
        group.start_soon(ask, Number())
        await settle()
        await ref.stop()
    assert sorted(failed) == ["Heavy", "Number"]


class Hasty(Actor):
    """Answers first, then goes on."""

    @handles
    async def number(self, message: Number) -> int:
        self.context.defer_reply()(1)
        await anyio.sleep(1.0)
        raise ValueError("too hasty")


async def test_who_has_answered_and_goes_on_is_told_of_by_the_request_in_hand(actor_system: TestSystem) -> None:
    """An answered ask lets go of its request: roster and crash named a bare Message instead."""
    ref = await actor_system.start_child(ChildSpec("a", Hasty))
    assert await ref.ask(Number()) == 1
    (entry,) = (each for each in actor_system.roster().entries if each.path == ref.path)
    assert entry.handling == "Number"
    await anyio.sleep(2.0)
    (crash,) = actor_system.recorded(ActorCrashed)
    assert crash.message_type == "Number"


class Plain(Worker):
    """Hands what is no coroutine to run_task, and keeps what that says."""

    refused: str = ""

    @handles
    def note(self, message: Note) -> None:
        future: Any = asyncio.get_running_loop().create_future()
        with pytest.raises(TypeError) as caught:
            self.context.run_task(future)
        self.refused = str(caught.value)


async def test_what_is_no_coroutine_is_no_task(actor_system: TestSystem) -> None:
    made: list[Plain] = []

    def make() -> Plain:
        made.append(Plain(Journal()))
        return made[-1]

    ref = await actor_system.start_child(ChildSpec("a", make))
    await ref.tell(Note())
    assert await ref.ask(Number()) == 1
    assert made[0].refused == "run_task: got Future; allowed: a coroutine, such as self.work()"
    assert [entry.path for entry in actor_system.roster().entries if entry.kind == "task"] == []


async def test_work_for_an_actor_that_has_ended_is_refused_and_closed(actor_system: TestSystem) -> None:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker())
        return made[-1]

    ref = await actor_system.start_child(ChildSpec("a", make))
    await ref.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a coroutine that is never awaited warns
        with pytest.raises(ActorDead):
            made[0].context.run_task(settle())
        gc.collect()


async def test_promised_replies_fail_in_the_order_of_their_asks(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Hoarder))
    failed: list[int] = []

    async def ask(number: int) -> None:
        with pytest.raises(ActorDead):
            await ref.ask(Heavy(), timeout=None)
        failed.append(number)

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(ask, number)
        await settle()
        await ref.stop()
    assert failed == list(range(50))


class Twice(Actor):
    """Takes the reply to one request along twice."""

    @handles
    async def number(self, message: Number) -> int:
        self.context.defer_reply()(1)
        await anyio.sleep(1.0)
        self.context.defer_reply()(2)
        return 0


async def test_a_reply_that_is_taken_again_after_it_was_given_comes_too_late(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Twice))
    assert await ref.ask(Number()) == 1
    await anyio.sleep(2.0)
    (letter,) = actor_system.recorded(DeadLetter)
    assert (type(letter.message), letter.reason) == (Number, "late reply")
    assert await ref.ask(Number()) == 1
