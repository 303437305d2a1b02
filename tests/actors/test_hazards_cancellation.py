"""Hazards of cancellation on asyncio: what goes wrong elsewhere, and does not here.

Each test fails without its remedy.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

import actors
from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorRef,
    ChildSpec,
    Message,
    Request,
    Restart,
    StartError,
    StopReason,
    Strategy,
    SupervisorSpec,
    ZombieDetected,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, CrashAsk, Journal, Note, Number, Work, settle, worker

SOURCES = sorted(Path(actors.__file__).parent.rglob("*.py"))


class Hang(Message):
    """Wait in a way that resists being killed, as `how` says."""

    how: str


class Resisting(Actor):
    """Its handler resists cancellation."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.swallowed = 0

    @handles
    async def hang(self, message: Hang) -> None:
        await getattr(self, message.how)()

    async def once(self) -> None:
        """Swallow one cancellation, then go on for ever."""
        try:
            await anyio.sleep_forever()
        except BaseException:
            self.journal.add("swallowed", "")
        await anyio.sleep_forever()

    async def always(self) -> None:
        """Swallow all until released, but not so many that a runtime without the remedy would never be caught."""
        while self.swallowed < 20_000 and "release" not in self.journal.events:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.swallowed += 1
                self.journal.events.append("swallowed")

    async def shielded(self) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(5.0)

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation


async def hung(system: TestSystem, how: str, **spec: object) -> tuple[ActorRef, Journal]:
    journal = Journal()
    ref = await system.start_child(ChildSpec("a", Resisting, args=(journal,), **spec))  # type: ignore[arg-type]
    await ref.tell(Hang(how))
    await settle()
    return ref, journal


async def test_a_handler_that_swallows_a_cancellation_is_cancelled_again_at_its_next_await(
    actor_system: TestSystem,
) -> None:
    """hazard: swallowed CancelledError."""
    ref, journal = await hung(actor_system, "once")
    began = anyio.current_time()
    await ref.kill()
    assert anyio.current_time() == began
    assert journal.events == ["swallowed "]
    assert actor_system.recorded(ZombieDetected) == []


async def test_a_handler_that_swallows_every_cancellation_does_not_spin() -> None:
    """hazard: hot spin under level cancellation."""
    async with actors.ActorSystem("test", kill_timeout=10.0) as system:
        journal = Journal()
        ref = await system.start_child(ChildSpec("a", Resisting, args=(journal,)))
        await ref.tell(Hang("always"))
        await settle()
        await ref.kill()
        assert 10 < len(journal.events) < 200
        journal.events.clear()
        await settle(1000.0)
        assert journal.events == []
        journal.events.append("release")
        await settle(10_000.0)


async def test_a_shield_delays_a_kill_but_not_its_siblings_restart(actor_system: TestSystem) -> None:
    """hazard: brutal kill does not exist."""
    journal = Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup", strategy=Strategy.ONE_FOR_ALL))
    sibling = await sup.start_child(worker("sibling", journal))
    ref = await sup.start_child(ChildSpec("a", Resisting))
    await ref.tell(Hang("shielded"))
    await settle()
    began = anyio.current_time()
    await ref.kill()
    await settle()
    assert anyio.current_time() - began < 1.1
    assert (sibling.incarnation, ref.incarnation) == (2, 2)
    await settle(10.0)


async def test_a_crash_does_not_touch_what_siblings_are_doing(actor_system: TestSystem) -> None:
    """hazard: a child's exception cancels its whole task group."""
    journal = Journal()
    busy = await actor_system.start_child(worker("busy", journal))
    ref = await actor_system.start_child(worker("a"))
    await busy.tell(Work(10.0))
    await settle()
    await ref.tell(Crash())
    await settle(20.0)
    assert journal.events == ["start busy#1", "begin busy#1", "done busy#1"]


@pytest.mark.parametrize("word", ["wait_for(", "asyncio.Condition", "create_task(", "ensure_future(", "TaskGroup"])
def test_the_runtime_does_without(word: str) -> None:
    """hazard: races of wait_for, Condition, task groups."""
    assert [path.name for path in SOURCES if word in path.read_text(encoding="utf-8")] == []


class Forward(Message):
    """Ask this one, for ever."""

    ref: ActorRef


class Hold(Request[int]):
    """Is answered by the test."""


class Holder(Actor):
    """Keeps the replies for the test."""

    def __init__(self, replies: list[actors.Reply[int]]) -> None:
        self.replies = replies

    @handles
    def hold(self, message: Hold) -> int:
        self.replies.append(self.context.defer_reply())
        return 0


class Waiter(Actor):
    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @handles
    async def forward(self, message: Forward) -> None:
        await message.ref.ask(Hold(), timeout=60.0)
        await anyio.sleep_forever()


async def test_a_kill_in_the_same_tick_as_a_reply_is_not_lost(actor_system: TestSystem) -> None:
    """hazard: races of wait_for."""
    for kill_first in (False, True):
        replies: list[actors.Reply[int]] = []
        holder = await actor_system.start_child(ChildSpec(f"holder{kill_first}", Holder, args=(replies,)))
        spec = ChildSpec(f"w{kill_first}", Waiter, args=(Journal(),), restart=Restart.TEMPORARY)
        ref = await actor_system.start_child(spec)
        await ref.tell(Forward(holder))
        await settle()
        async with anyio.create_task_group() as group:
            if kill_first:
                group.start_soon(ref.kill)
                await checkpoint()
                replies[0](1)
            else:
                replies[0](1)
                group.start_soon(ref.kill)
        assert not ref.is_alive
    assert actor_system.recorded(ZombieDetected) == []


@pytest.mark.parametrize("warm", [False, True])
async def test_a_kill_in_the_same_tick_as_a_message_does_not_lose_it(actor_system: TestSystem, warm: bool) -> None:
    """hazard: a value lost on cancellation."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    if warm:
        await ref.tell(Work(0.0))
    await settle()
    async with anyio.create_task_group() as group:
        group.start_soon(ref.kill)
        await checkpoint()
        ref.tell_nowait(Note("kept"))
    await settle()
    assert journal.events[-1] == "note a#2 kept"


async def test_a_task_cancelled_from_outside_is_a_crash_that_loses_no_message(actor_system: TestSystem) -> None:
    """hazard: a value lost on cancellation."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "/test/a"]
    await settle()
    ref.tell_nowait(Note("kept"))
    task.cancel()
    await settle()
    assert journal.events[-1] == "note a#2 kept"
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "/test/a"]
    task.cancel()
    await settle()
    assert await ref.ask(Number()) == 3


async def test_a_system_may_be_entered_in_one_task_and_left_in_another() -> None:
    """hazard: scopes crossing tasks."""
    system = TestSystem("split")
    journal = Journal()
    async with anyio.create_task_group() as group:
        group.start_soon(system.__aenter__)
    await system.start_child(worker("a", journal))
    with anyio.CancelScope():
        await system.__aexit__(None, None, None)
    assert journal.events == ["start a#1", "stop a#1"]


async def test_giving_up_a_stuck_start_is_prompt_and_hurts_nobody(actor_system: TestSystem) -> None:
    """hazard: cancelling TaskGroup.start."""

    class Stuck(Actor):
        async def on_start(self) -> None:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(100.0)

    journal = Journal()
    sibling = await actor_system.start_child(worker("sibling", journal))
    began = anyio.current_time()
    with anyio.move_on_after(1.0):
        await actor_system.start_child(ChildSpec("stuck", Stuck))
    with pytest.raises(StartError):
        await actor_system.start_child(ChildSpec("late", Stuck, start_timeout=2.0))
    assert anyio.current_time() - began < 6.0
    assert sibling.is_alive
    await settle(200.0)


async def test_an_error_of_a_stop_hook_does_not_mask_the_first_one(actor_system: TestSystem) -> None:
    """hazard: exceptions in stop hooks mask the first error."""

    class Unlucky(Actor):
        @handles
        def crash(self, message: Crash | CrashAsk) -> int:
            raise Boom("first")

        async def on_stop(self, reason: StopReason) -> None:
            raise ValueError("second")

    ref = await actor_system.start_child(ChildSpec("a", Unlucky, restart=Restart.TEMPORARY))
    with pytest.raises(ActorDead) as info:
        await ref.ask(CrashAsk())
    assert isinstance(info.value.__cause__, Boom)
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert isinstance(crash.reason.error, Boom)
    assert "first" in crash.reason.detail
    assert "second" in crash.reason.detail


async def test_the_bodys_error_comes_out_of_the_system_as_it_is() -> None:
    """hazard: exceptions arrive as groups."""

    async def body() -> None:
        async with TestSystem() as system:
            await system.start_child(worker("a", stop=lambda _: _fail()))
            raise Boom("mine")

    with pytest.raises(Boom, match="mine"):
        await body()


def _fail() -> None:
    raise ValueError("in the stop hook")
