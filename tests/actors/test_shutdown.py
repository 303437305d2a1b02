"""Shutdown: in reverse, one at a time, bounded, and never stopped by a hook that fails."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from actors import (
    ActorCrashed,
    ActorDead,
    ActorStopped,
    Backoff,
    ChildSpec,
    Restart,
    Shutdown,
    SupervisorRef,
    SupervisorSpec,
)
from actors.testing import Faults, TestSystem
from tests.actors.kit import Boom, Crash, Journal, Work, Worker, fails, settle, takes, worker


async def start(system: TestSystem, children: Sequence[ChildSpec], parallel: bool = False) -> SupervisorRef:
    return await system.start_child(SupervisorSpec("sup", children=children, parallel_shutdown=parallel))


async def timed_stop(system: TestSystem, sup: SupervisorRef) -> float:
    """Seconds that the stop takes."""
    began = system.clock.time()
    await sup.stop()
    return system.clock.time() - began


def kinds(system: TestSystem) -> dict[str, str]:
    """By id, the kind of reason that each end was reported with."""
    events = system.recorded(ActorStopped, ActorCrashed)
    return {event.path.rpartition("/")[2]: event.reason.kind for event in events}


async def test_children_stop_one_at_a_time_in_reverse_start_order_each_after_its_stop_hook(
    actor_system: TestSystem,
) -> None:
    """54."""
    journal = Journal()
    sup = await start(actor_system, [worker(name, journal, stop=takes(1.0)) for name in "abc"])
    assert await timed_stop(actor_system, sup) == pytest.approx(3.0)
    assert journal.events[3:] == ["stop c#1", "stop b#1", "stop a#1"]


async def test_a_dynamic_child_stops_before_those_that_were_started_earlier(actor_system: TestSystem) -> None:
    """54."""
    journal = Journal()
    sup = await start(actor_system, [worker("z", journal), worker("a", journal)])
    await sup.start_child(worker("m", journal))
    await sup.stop()
    assert journal.events[3:] == ["stop m#1", "stop a#1", "stop z#1"]


async def test_leaving_the_system_stops_the_whole_tree_in_reverse() -> None:
    """54."""
    journal = Journal()
    async with TestSystem() as system:
        await system.start_child(worker("first", journal))
        await start(system, [worker("inner", journal)])
        await system.start_child(worker("last", journal))
    assert journal.events[3:] == ["stop last#1", "stop inner#1", "stop first#1"]


async def test_a_child_over_its_timeout_is_killed_within_a_bounded_time_and_the_others_report_shutdown(
    actor_system: TestSystem,
) -> None:
    """55."""
    journal = Journal()
    slow = worker("slow", journal, stop=takes(1000.0), shutdown=2.0)
    sup = await start(actor_system, [worker("a", journal), slow, worker("c", journal)])
    assert await timed_stop(actor_system, sup) == pytest.approx(2.0)
    assert kinds(actor_system) == {"c": "shutdown", "slow": "killed", "a": "shutdown", "sup": "shutdown"}
    assert journal.events[3:] == ["stop c#1", "stop a#1"]


async def test_a_handler_that_runs_over_the_shutdown_time_is_interrupted(actor_system: TestSystem) -> None:
    """55."""
    journal = Journal()
    sup = await start(actor_system, [worker("a", journal, shutdown=2.0)])
    (child,) = await sup.which_children()
    assert child.ref is not None
    await child.ref.tell(Work(1000.0))
    await settle()
    assert await timed_stop(actor_system, sup) == pytest.approx(2.0)
    assert kinds(actor_system)["a"] == "killed"
    assert journal.events == ["start a#1", "begin a#1"]


async def test_a_brutal_shutdown_skips_the_stop_hook(actor_system: TestSystem) -> None:
    """56."""
    journal = Journal()
    sup = await start(actor_system, [worker("a", journal, stop=takes(9.0), shutdown=Shutdown.BRUTAL)])
    assert await timed_stop(actor_system, sup) == 0.0
    assert (journal.events, journal.reasons) == (["start a#1"], {})
    assert kinds(actor_system)["a"] == "killed"


async def test_an_infinite_shutdown_waits(actor_system: TestSystem) -> None:
    """57."""
    journal = Journal()
    sup = await start(actor_system, [worker("a", journal, stop=takes(100_000.0), shutdown=Shutdown.INFINITE)])
    assert await timed_stop(actor_system, sup) == pytest.approx(100_000.0)
    assert journal.events == ["start a#1", "stop a#1"]
    assert kinds(actor_system)["a"] == "shutdown"


async def test_a_stop_hook_that_raises_is_reported_and_the_rest_still_stops(actor_system: TestSystem) -> None:
    """58."""
    journal = Journal()
    sup = await start(actor_system, [worker("a", journal), worker("b", journal, stop=fails()), worker("c", journal)])
    await sup.stop()
    assert journal.events[3:] == ["stop c#1", "stop a#1"]
    (report,) = actor_system.recorded(ActorCrashed)
    assert (report.path, isinstance(report.reason.error, Boom)) == ("/test/sup/b", True)
    assert "on_stop raised" in report.reason.detail


async def test_every_end_is_reported_exactly_once_also_where_the_stop_hook_raises_after_a_crash(
    actor_system: TestSystem,
) -> None:
    """58."""
    ref = await actor_system.start_child(worker("a", stop=fails(1)))
    await ref.tell(Crash("the first reason"))
    await settle()
    (report,) = actor_system.recorded(ActorCrashed, ActorStopped)
    assert (report.incarnation, ref.incarnation) == (1, 2)
    assert "the first reason" in str(report.reason)


async def test_a_pool_stops_in_parallel_and_only_its_slowest_child_costs_time(actor_system: TestSystem) -> None:
    """59."""
    journal = Journal()
    children = [worker(str(n), journal, stop=takes(cleanup), shutdown=2.0) for n, cleanup in enumerate((1.0, 1.0, 5.0))]
    sup = await start(actor_system, children, parallel=True)
    assert await timed_stop(actor_system, sup) == pytest.approx(2.0)
    assert sorted(journal.events[3:]) == ["stop 0#1", "stop 1#1"]
    assert kinds(actor_system) == {"0": "shutdown", "1": "shutdown", "2": "killed", "sup": "shutdown"}


async def test_stop_twice_or_on_a_dead_actor_returns(actor_system: TestSystem) -> None:
    """61."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    await ref.stop()
    await ref.stop()
    await ref.drain()
    await ref.kill()
    await actor_system.delete_child("a")
    await ref.stop()
    assert journal.events == ["start a#1", "stop a#1"]


async def test_a_hundred_stops_at_once_all_return(actor_system: TestSystem) -> None:
    """61."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, stop=takes(1.0)))
    with anyio.fail_after(2.0):
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(ref.stop)
    assert journal.events == ["start a#1", "stop a#1"]


async def test_stops_of_an_actor_whose_supervisor_ends_meanwhile_do_not_hang(actor_system: TestSystem) -> None:
    """61."""
    sup = await start(actor_system, [worker("a", stop=takes(1.0)), worker("b", stop=takes(1.0))])
    a, b = [child.ref for child in await sup.which_children()]
    assert a is not None
    assert b is not None
    with anyio.fail_after(5.0):
        async with anyio.create_task_group() as group:
            for stop in (b.stop, a.stop, a.stop, sup.stop):
                group.start_soon(stop)
    assert not sup.is_alive


async def test_stop_during_start_stops_the_started_children_in_reverse_and_never_starts_the_rest(
    actor_system: TestSystem,
) -> None:
    """62."""
    journal = Journal()
    slow = worker("slow", journal, start=takes(10.0))
    children = [worker("a", journal), worker("b", journal), slow, worker("d", journal)]

    async def started() -> None:
        with pytest.raises(ActorDead):
            await start(actor_system, children)

    async with anyio.create_task_group() as group:
        group.start_soon(started)
        await settle(1.0)
        began = actor_system.clock.time()
        await actor_system.stop()
    assert actor_system.clock.time() == pytest.approx(began)
    assert journal.events == ["start a#1", "start b#1", "init slow#1", "stop b#1", "stop a#1"]


async def test_stop_during_a_restart_of_the_group_leaves_nothing_running(actor_system: TestSystem) -> None:
    """62."""
    journal = Journal()
    slow = worker("slow", journal, start=takes(10.0, 2), backoff=Backoff(initial=1.0, jitter=0.0))
    sup = await start(actor_system, [worker("a", journal), slow])
    slow_ref = (await sup.which_children())[1].ref
    assert slow_ref is not None
    await slow_ref.tell(Crash())
    await settle(2.0)
    assert journal.take()[-1] == "init slow#2"
    assert await timed_stop(actor_system, sup) == 0.0
    assert journal.events == ["stop a#1"]


async def test_slow_stop_from_the_faults_is_bounded_by_the_shutdown_time(actor_system: TestSystem) -> None:
    """55."""
    sup = await start(actor_system, [ChildSpec("a", Faults.slow_stop(Worker, 60.0), shutdown=3.0)])
    assert await timed_stop(actor_system, sup) == pytest.approx(3.0)


async def test_two_stops_at_once_of_a_temporary_actor_both_return(actor_system: TestSystem) -> None:
    """61."""
    ref = await actor_system.start_child(worker("a", stop=takes(1.0), restart=Restart.TEMPORARY))
    async with anyio.create_task_group() as group:
        group.start_soon(ref.stop)
        group.start_soon(ref.stop)
    assert await actor_system.which_children() == ()


async def test_a_stop_never_reaches_another_actor_that_took_the_name_meanwhile(actor_system: TestSystem) -> None:
    """61."""
    spec = worker("a", restart=Restart.TEMPORARY, stop=takes(1.0))
    old = await actor_system.start_child(spec)
    async with anyio.create_task_group() as group:
        group.start_soon(old.stop)
        await settle()
        group.start_soon(actor_system.start_child, spec)
        await settle()
        group.start_soon(old.stop)
    assert [child.state for child in await actor_system.which_children()] == ["running"]
