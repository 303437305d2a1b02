"""A stop that meets a restart under way takes it over, at every level of the tree and in every turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorStarted,
    ActorStopped,
    Backoff,
    ChildSpec,
    Intensity,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
)
from actors.testing import TestSystem
from tests.actors.kit import Crash, Journal, settle, takes, turns, worker

OFTEN = Intensity(restarts=1000, within=1.0)
LIMIT = 60.0  # virtual seconds, more than all shutdown times of the tree together

Act = Callable[[TestSystem], Awaitable[None]]


class Parent(Actor):
    """Starts children of its own with itself."""

    async def on_start(self) -> None:
        for name in ("x", "y"):
            await self.context.start_child(worker(name))


def tree(pace: float) -> SupervisorSpec:
    """Three levels, where the first child's crash restarts all others; each start and stop takes `pace` seconds."""
    slow = {"start": takes(pace), "stop": takes(pace)}
    below = SupervisorSpec(
        "below",
        children=(worker("relay", **slow), SupervisorSpec("pool", parallel_shutdown=True, intensity=OFTEN)),  # type: ignore[arg-type]
        strategy=Strategy.REST_FOR_ONE,
        intensity=OFTEN,
    )
    children = (
        worker("first", **slow),  # type: ignore[arg-type]
        below,
        ChildSpec("parent", Parent),
        worker("last", backoff=Backoff(initial=pace + 0.1, jitter=0.0)),
    )
    return SupervisorSpec("top", children=children, strategy=Strategy.REST_FOR_ONE, intensity=OFTEN)


async def bounded(work: Awaitable[None]) -> None:
    """Fail where it does not end within `LIMIT`; a shielded wait would not be ended by a scope."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=LIMIT)
    assert task.done(), "it waits for ever"
    task.result()


async def _leave(system: TestSystem) -> None:
    await system.__aexit__(None, None, None)


async def _terminate(system: TestSystem) -> None:
    await system.terminate_child("top")
    await system.delete_child("top")


async def _stop_below(system: TestSystem) -> None:
    await system.find("/test/top/below").stop()


async def _kill_top(system: TestSystem) -> None:
    await system.find("/test/top").kill()


async def _kill_below(system: TestSystem) -> None:
    await system.find("/test/top/below").kill()


async def crashed(victim: str, pace: float) -> TestSystem:
    """A system in which one actor has just been told to crash."""
    system = TestSystem(intensity=OFTEN)
    await system.__aenter__()
    await system.start_child(tree(pace))
    await system.find(f"/test/top/{victim}").tell(Crash())
    return system


@pytest.mark.parametrize("victim", ["first", "below/relay", "last"])
@pytest.mark.parametrize("act", [_leave, _terminate, _stop_below, _kill_top, _kill_below])
async def test_in_every_turn_of_the_loop(act: Act, victim: str) -> None:
    for count in range(60):
        system = await crashed(victim, 0.0)
        await turns(count)
        await bounded(act(system))
        if act is not _leave:
            await bounded(_leave(system))
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("victim", ["first", "below/relay"])
@pytest.mark.parametrize("act", [_leave, _terminate, _stop_below, _kill_top, _kill_below])
@pytest.mark.parametrize("moment", [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5])
async def test_while_hooks_take_their_time(act: Act, victim: str, moment: float) -> None:
    system = await crashed(victim, 1.0)
    await anyio.sleep(moment)
    await bounded(act(system))
    await bounded(_leave(system))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_every_life_that_was_reported_as_started_is_reported_as_ended() -> None:
    for count in range(60):
        system = await crashed("first", 0.0)
        started = [(event.path, 1) for event in system.recorded(ActorStarted)]
        await turns(count)
        await bounded(_leave(system))
        starts = [(event.path, event.incarnation) for event in system.recorded(ActorStarted)]
        ends = [(event.path, event.incarnation) for event in system.recorded(ActorCrashed, ActorStopped)]
        assert len(started) >= 8
        assert sorted(ends) == sorted([*starts, ("/test", 1)])


async def test_a_start_that_is_given_up_before_its_first_step_ends_the_supervisor(actor_system: TestSystem) -> None:
    journal = Journal()
    sup = await actor_system.start_child(SupervisorSpec("sup"))
    for count in range(12):
        spec = SupervisorSpec("below", children=(worker("a", journal),))
        starting = asyncio.ensure_future(sup.start_child(spec))
        await turns(count)
        starting.cancel()
        await asyncio.wait({starting}, timeout=LIMIT)
        assert starting.done()
        await settle()
        await bounded(_emptied(sup))
        assert journal.events.count("start a#1") == journal.events.count("stop a#1")


async def _emptied(supervisor: SupervisorRef) -> None:
    for child in await supervisor.which_children():
        await supervisor.terminate_child(child.id)
        await supervisor.delete_child(child.id)
