"""What an operator does meets something else: a stop, a drain, a crash, another operator, a caller who gives up."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import pytest

from actors import (
    ActorDead,
    Backoff,
    Intensity,
    Strategy,
    SupervisorSpec,
)
from actors.testing import TestSystem
from tests.actors.kit import (
    Crash,
    Journal,
    Number,
    ignores,
    settle,
    states,
    takes,
    worker,
)


async def test_a_stop_of_the_system_takes_over_a_restart_by_path() -> None:
    journal = Journal()
    async with TestSystem() as system:
        await system.start_child(worker("a", journal, start=takes(20.0, 2), stop=takes(3.0)))
        restart = asyncio.create_task(system.restart("a"))
        await settle(1.0)
    with pytest.raises(ActorDead, match="system stops"):
        await restart
    assert journal.take() == ["init a#1", "start a#1", "stop a#1"]


async def test_a_static_child_whose_restart_its_supervisor_overtakes_comes_back_with_it(
    actor_system: TestSystem,
) -> None:
    static = (worker("a", start=takes(3.0, 2)), worker("b"))
    await actor_system.start_child(SupervisorSpec("sup", static, intensity=Intensity(0, 1.0)))
    ref = actor_system.find("sup/a")
    ended = asyncio.create_task(ref.stopped())
    restart = asyncio.create_task(actor_system.restart("sup/a"))
    await settle(1.0)
    await actor_system.restart("sup")
    with pytest.raises(ActorDead):
        await restart
    assert (ref.is_alive, ended.done()) == (True, False)
    ended.cancel()


async def test_a_restart_by_path_that_has_begun_is_done_though_its_caller_gives_up(actor_system: TestSystem) -> None:
    for spec in (worker("a", start=takes(5.0, 2)), worker("a", stop=takes(5.0, 1))):
        ref = await actor_system.start_child(spec)
        with anyio.move_on_after(1.0) as scope:
            await actor_system.restart("a")
        assert scope.cancelled_caught
        assert await ref.ask(Number(), timeout=10.0) == 2
        await ref.stop()
        await actor_system.delete_child("a")


async def test_a_restart_by_path_that_waits_its_turn_goes_with_its_caller(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    slow = asyncio.create_task(actor_system.start_child(worker("slow", start=takes(5.0))))
    await settle()
    with anyio.move_on_after(1.0):
        await actor_system.restart("a")
    await slow
    await settle()
    assert ref.incarnation == 1


async def test_a_group_comes_up_though_the_one_that_it_waits_for_declines(actor_system: TestSystem) -> None:
    slow = Backoff(initial=100.0, maximum=100.0, jitter=0.0)
    children = (worker("a", start=ignores(2), backoff=slow), worker("b"))
    sup = await actor_system.start_child(SupervisorSpec("sup", children, strategy=Strategy.ONE_FOR_ALL))
    await actor_system.find("sup/a").tell(Crash())
    await settle(1.0)
    await actor_system.restart("sup/a")
    await settle()
    assert await states(sup) == {"a": "stopped", "b": "running"}


async def test_a_stop_keeps_its_reason_where_a_restart_fails_meanwhile() -> None:
    # the kill of what took too long takes its time: the stop comes in between
    async def stubborn() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + 1.6
        while loop.time() < due:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(due - loop.time())

    journal = Journal()
    async with TestSystem(intensity=Intensity(1, 100.0)) as system:
        plan = worker("a", journal, start=lambda number: stubborn() if number > 1 else None, start_timeout=1.0)
        ref = await system.start_child(plan)
        await ref.tell(Crash())
        await settle(1.1)
        assert ref.incarnation == 2
    assert (await system.stopped()).detail == "system stops"
