"""Commands to supervisors that are refused, or that nobody waits for any more: done as a whole or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorDead,
    ActorError,
    ActorRef,
    ChildRunning,
    ChildSpec,
    Message,
    Restart,
    StopReason,
    SupervisorRef,
)
from actors.testing import TestSystem
from tests.actors.kit import Crash, Journal, Note, Number, settle, states, takes, worker

Action = Callable[[SupervisorRef], Awaitable[Any]]


class Act(Message):
    """Do it to the supervisor."""


class Meddler(Actor):
    """Does something to its own supervisor from a hook, where that waits for it, and keeps how it was refused."""

    def __init__(self, hook: str, action: Action, refused: list[str]) -> None:
        self.hook, self.action, self.refused = hook, action, refused

    async def meddle(self, hook: str) -> None:
        if hook == self.hook:
            try:
                await self.action(self.context.parent)  # type: ignore[arg-type]
            except ActorError as error:
                self.refused.append(type(error).__name__)

    async def on_start(self) -> None:
        await self.meddle("on_start")

    async def on_stop(self, reason: StopReason) -> None:
        await self.meddle("on_stop")


ACTIONS: dict[str, Action] = {
    "start": lambda sup: sup.start_child(worker("ghost")),
    "restart": lambda sup: sup.restart_child("resting"),
    "terminate": lambda sup: sup.terminate_child("sibling"),
    "delete": lambda sup: sup.delete_child("resting"),
}


@pytest.mark.parametrize("hook", ["on_start", "on_stop"])
@pytest.mark.parametrize("what", ACTIONS)
async def test_a_command_that_is_refused_as_a_deadlock_is_not_carried_out_later(
    actor_system: TestSystem, hook: str, what: str
) -> None:
    refused: list[str] = []
    await actor_system.start_child(worker("sibling"))
    await actor_system.start_child(worker("resting"))
    await actor_system.terminate_child("resting")
    ref = await actor_system.start_child(ChildSpec("a", Meddler, args=(hook, ACTIONS[what], refused)))
    await ref.stop()
    await settle(1.0)
    assert refused == ["DeadlockError"]
    assert await states(actor_system.ref) == {"sibling": "running", "resting": "stopped", "a": "stopped"}


@pytest.mark.parametrize("how", ["stop", "drain"])
async def test_a_stop_of_a_sibling_that_is_refused_as_a_deadlock_leaves_it_whole(
    actor_system: TestSystem, how: str
) -> None:
    sibling, refused = await actor_system.start_child(worker("sibling")), list[str]()

    async def end(_: SupervisorRef) -> None:
        await getattr(sibling, how)()

    await actor_system.start_child(ChildSpec("a", Meddler, args=("on_start", end, refused)))
    await settle(1.0)
    assert refused == ["DeadlockError"]
    assert await sibling.ask(Number()) == 1


ENDS: dict[str, Callable[[TestSystem, ActorRef], Awaitable[None]]] = {
    "stop": lambda _, ref: ref.stop(),
    "drain": lambda _, ref: ref.drain(),
    "terminate_child": lambda system, ref: system.terminate_child(ref.id),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("busy", [True, False], ids=["waits its turn", "has begun"])
async def test_a_stop_goes_on_whoever_gives_up_waiting_for_it(actor_system: TestSystem, how: str, busy: bool) -> None:
    """61."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, stop=takes(3.0)))
    async with anyio.create_task_group() as group:
        if busy:
            group.start_soon(actor_system.start_child, worker("slow", start=takes(10.0)))
        await settle()
        await ref.tell(Note("queued"))
        with anyio.move_on_after(1.0) as scope:
            await ENDS[how](actor_system, ref)
        assert scope.cancelled_caught
    await settle(20.0)
    assert (await states(actor_system.ref))["a"] == "stopped"
    assert journal.events[-1] == "stop a#1"
    with pytest.raises(ActorDead):
        await ref.tell(Note())


async def test_a_drain_that_meets_a_restart_refuses_and_drains_the_next_life(actor_system: TestSystem) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, start=takes(2.0, 2)))
    await ref.tell(Crash())
    await ref.tell(Note("kept"))
    async with anyio.create_task_group() as group:
        await settle()
        group.start_soon(ref.drain)
    assert journal.events[-2:] == ["note a#2 kept", "stop a#2"]
    assert not ref.is_alive


async def test_a_start_and_a_restart_by_hand_that_are_given_up_are_not_carried_out(actor_system: TestSystem) -> None:
    """12."""
    await actor_system.start_child(worker("resting"))
    await actor_system.terminate_child("resting")
    async with anyio.create_task_group() as group:
        group.start_soon(actor_system.start_child, worker("slow", start=takes(10.0), restart=Restart.TEMPORARY))
        await settle()
        for command in (actor_system.start_child(worker("new")), actor_system.restart_child("resting")):
            with anyio.move_on_after(1.0):
                await command
    await settle(20.0)
    assert await states(actor_system.ref) == {"resting": "stopped", "slow": "running"}


@pytest.mark.parametrize("how", ["restart_child", "delete_child"])
async def test_a_command_that_was_queued_before_a_crash_finds_the_child_running(
    actor_system: TestSystem, how: str
) -> None:
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await settle()
    async with anyio.create_task_group() as group:
        group.start_soon(actor_system.start_child, worker("slow", start=takes(1)))
        await settle()

        async def command() -> None:
            with pytest.raises(ChildRunning):
                await getattr(actor_system, how)("a")

        group.start_soon(command)
        await settle()
        await ref.tell(Crash())
        await ref.tell(Note("kept"))
    await settle()
    assert journal.events == ["start a#1", "stop a#1", "start a#2", "note a#2 kept"]
    assert actor_system.leftovers().count("/test/a") == 1
