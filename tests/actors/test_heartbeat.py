"""Stalls: no beat for too long, which is no limit on how long work may take."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from actors import (
    Actor,
    ActorDead,
    ActorStalled,
    ChildSpec,
    HealthChanged,
    Request,
    Restart,
    TaskSpec,
    current_context,
    handles,
)
from actors.testing import TestSystem, VirtualLoop


async def beating(beats: int, then: float) -> str:
    """Beats every 2 s, and then works on for `then` seconds without."""
    context = current_context()
    assert context is not None
    for _ in range(beats):
        await anyio.sleep(2)
        context.beat()
    await anyio.sleep(then)
    return "done"


async def test_who_beats_may_take_as_long_as_it_likes(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("long", beating, args=(100, 2), stall_timeout=3))
    assert await ref.result() == "done"
    assert system.recorded(ActorStalled) == []


@pytest.mark.parametrize("beats", [0, 3])
async def test_a_task_without_a_beat_is_interrupted_and_restarted(system: TestSystem, beats: int) -> None:
    ref = await system.start_child(TaskSpec("stuck", beating, args=(beats, 60), stall_timeout=3))
    began = system.clock.time()
    await anyio.sleep(2 * beats + 2.9)
    assert ref.incarnation == 1
    await anyio.sleep(0.2)
    assert system.clock.time() - began < 2 * beats + 3.2
    assert ref.incarnation == 2
    (event,) = system.recorded(ActorStalled)
    assert (event.path, event.incarnation) == ("/test/stuck", 1)
    assert event.quiet_s == pytest.approx(3, abs=0.01)


async def test_a_stall_is_told_with_its_reason_to_health_roster_and_whoever_waits(system: TestSystem) -> None:
    spec = TaskSpec("stuck", beating, args=(0, 60), stall_timeout=3, restart=Restart.TEMPORARY)
    ref = await system.start_child(spec)
    with pytest.raises(TimeoutError, match="/test/stuck no beat within its stall_timeout of 3 s, while running"):
        await ref.result()
    (health,) = system.recorded(HealthChanged)
    assert health.level == "failed"
    assert health.next == "it is interrupted and ends"
    assert "stall_timeout" in health.action
    entry = system.roster().find("/test/stuck")
    assert entry is not None
    assert [run.outcome for run in entry.runs] == ["failed"]
    assert "no beat within its stall_timeout of 3 s" in (entry.last_error or "")


class Fetch(Request[str]):
    """Takes so many seconds."""

    seconds: float
    beats: bool = False


class Fetcher(Actor):
    """Works at what it is asked."""

    @handles
    async def fetch(self, message: Fetch) -> str:
        for _ in range(int(message.seconds)):
            await anyio.sleep(1)
            if message.beats:
                self.context.beat()
        return "fetched"


async def test_an_actor_at_rest_owes_no_beat_and_a_message_begun_counts_as_one(system: TestSystem) -> None:
    ref = await system.start_child(ChildSpec("fetcher", Fetcher, stall_timeout=5))
    await anyio.sleep(60)
    assert await ref.ask(Fetch(4)) == "fetched"
    await anyio.sleep(4)
    assert await ref.ask(Fetch(4)) == "fetched"
    assert ref.incarnation == 1


async def test_a_handler_that_beats_may_be_long_and_one_that_does_not_is_a_crash(system: TestSystem) -> None:
    ref = await system.start_child(ChildSpec("fetcher", Fetcher, stall_timeout=5))
    assert await ref.ask(Fetch(60, beats=True), timeout=None) == "fetched"
    with pytest.raises(
        ActorDead, match="stalled: no beat within its stall_timeout of 5 s, while running, handling Fetch"
    ):
        await ref.ask(Fetch(60), timeout=None)
    assert await ref.ask(Fetch(1)) == "fetched"
    assert ref.incarnation == 2
    assert ref.health.level == "ok"
    (event,) = system.recorded(ActorStalled)
    assert "handling Fetch" in event.doing


async def test_a_task_that_is_told_to_stop_is_not_called_stalled_while_it_cleans_up(system: TestSystem) -> None:
    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(4)

    ref = await system.start_child(TaskSpec("work", work, stall_timeout=3))
    await anyio.sleep(1)
    await ref.stop()
    assert system.recorded(ActorStalled) == []
    assert (await ref.stopped()).kind == "shutdown"


async def test_a_beat_where_no_heartbeat_is_asked_for_costs_and_changes_nothing(system: TestSystem) -> None:
    ref = await system.start_child(TaskSpec("long", beating, args=(3, 0)))
    assert await ref.result() == "done"


async def test_who_beats_is_not_called_stalled_where_somebody_else_held_up_the_loop(system: TestSystem) -> None:
    async def beats() -> None:
        context = current_context()
        assert context is not None
        while True:
            await anyio.sleep(1)
            context.beat()

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    ref = await system.start_child(TaskSpec("beats", beats, stall_timeout=15))
    for _ in range(5):
        await anyio.sleep(4.5)  # between two beats
        loop.jump(30)  # as of a call that computes for so long
    await anyio.sleep(1)
    assert system.recorded(ActorStalled) == []
    assert ref.incarnation == 1


async def test_a_loop_that_is_often_held_up_does_not_hide_a_stall(system: TestSystem) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    ref = await system.start_child(TaskSpec("stuck", anyio.sleep_forever, stall_timeout=15))
    for _ in range(10):
        await anyio.sleep(1)
        loop.jump(10)
    assert ref.incarnation > 1
