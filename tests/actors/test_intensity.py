"""Intensity and escalation: how many restarts are tolerated, and what the level above sees of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from actors import (
    ActorCrashed,
    ActorRef,
    ActorStopped,
    ActorSystem,
    Intensity,
    IntensityExceeded,
    Restart,
    StartError,
    SupervisorRef,
    SupervisorSpec,
    SystemFailed,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Journal, fails, numbers, settle, states, worker


async def start(
    system: ActorSystem, restarts: int, within: float = 5.0, journal: Journal | None = None, ids: str = "abc"
) -> tuple[SupervisorRef, list[ActorRef]]:
    """A temporary supervisor "sup" with this budget, and its children's refs."""
    children = [worker(name, journal) for name in ids]
    intensity = Intensity(restarts, within)
    spec = SupervisorSpec("sup", children=children, intensity=intensity, restart=Restart.TEMPORARY)
    sup = await system.start_child(spec)
    return sup, [child.ref for child in await sup.which_children() if child.ref is not None]


async def crash(ref: ActorRef, times: int = 1, every: float = 0.0) -> None:
    for _ in range(times):
        await ref.tell(Crash())
        await settle(every or 0.001)


async def test_n_restarts_in_t_are_tolerated_and_one_more_stops_all_in_reverse_and_ends_the_supervisor(
    actor_system: TestSystem,
) -> None:
    """33."""
    journal = Journal()
    sup, (_, b, _) = await start(actor_system, 3, journal=journal)
    await crash(b, 3)
    assert await numbers(sup) == {"a": 1, "b": 4, "c": 1}
    journal.take()
    await crash(b)
    assert journal.events == ["stop b#4", "stop c#1", "stop a#1"]
    assert not sup.is_alive
    (stopped,) = [event for event in actor_system.recorded(ActorStopped) if event.path == "/test/sup"]
    assert stopped.reason.kind == "shutdown"


async def test_with_intensity_zero_the_first_crash_ends_the_supervisor(actor_system: TestSystem) -> None:
    """34."""
    sup, (a,) = await start(actor_system, 0, ids="a")
    await crash(a)
    assert not sup.is_alive


async def test_crashes_spaced_more_than_t_apart_never_trip(actor_system: TestSystem) -> None:
    """35."""
    sup, (a,) = await start(actor_system, 1, within=5.0, ids="a")
    await crash(a, 100, every=5.1)
    assert await numbers(sup) == {"a": 101}


async def test_the_window_slides(actor_system: TestSystem) -> None:
    """35."""
    sup, (a,) = await start(actor_system, 2, within=5.0, ids="a")
    await crash(a, 20, every=2.6)  # any window of 5 s holds two
    assert sup.is_alive
    await crash(a, 2, every=1.0)
    assert not sup.is_alive


@pytest.mark.parametrize(("after", "trips"), [(4.0, True), (4.0 + 2.0**-10, False)])
async def test_a_restart_counts_to_the_very_end_of_the_period(
    actor_system: TestSystem, after: float, trips: bool
) -> None:
    """35. Both ends of the period belong to it, as in OTP."""
    sup, (a,) = await start(actor_system, 1, within=4.0, ids="a")
    began = float(math.ceil(anyio.current_time()))  # sums of such numbers are exact
    for at in (began, began + after):
        await anyio.sleep_until(at)
        assert anyio.current_time() == at
        await a.tell(Crash())
    entry = actor_system.roster().find("/test/sup")
    assert entry is not None
    assert entry.restarts_in_window == (1 if trips else 0)  # the second crash is to come
    await settle()
    assert sup.is_alive is not trips


class JumpingClock:
    """A wall clock that jumps by a day at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def time(self) -> float:
        return anyio.current_time()

    def now(self) -> datetime:
        self.looks += 1
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=self.looks * (-1) ** self.looks)


async def test_a_jump_of_the_wall_clock_changes_nothing() -> None:
    """36."""
    clock = JumpingClock()
    async with ActorSystem("test", clock=clock) as system:
        sup, (a,) = await start(system, 2, ids="a")
        await crash(a, 2)
        assert await numbers(sup) == {"a": 3}
        await crash(a)
        assert not sup.is_alive
    assert clock.looks > 0


async def test_the_window_is_shared_by_all_children(actor_system: TestSystem) -> None:
    """37."""
    sup, (a, b, _) = await start(actor_system, 1)
    await crash(a)
    assert sup.is_alive
    await crash(b)
    assert not sup.is_alive


async def test_each_failed_restart_attempt_counts(actor_system: TestSystem) -> None:
    """38."""
    journal = Journal()
    child = worker("a", journal, start=lambda number: fails()(number) if number > 1 else None)
    spec = SupervisorSpec("sup", children=(child,), intensity=Intensity(3, 5.0), restart=Restart.TEMPORARY)
    sup = await actor_system.start_child(spec)
    (info,) = await sup.which_children()
    assert info.ref is not None
    await crash(info.ref)
    assert [event for event in journal.events if event.startswith("init")] == [f"init a#{n}" for n in (1, 2, 3, 4)]
    assert not sup.is_alive


async def test_manual_restarts_and_terminations_do_not_count(actor_system: TestSystem) -> None:
    """39."""
    sup, (a,) = await start(actor_system, 1, ids="a")
    for _ in range(10):
        await sup.terminate_child("a")
        await sup.restart_child("a")
    await crash(a)
    assert await numbers(sup) == {"a": 12}


async def test_a_manual_restart_that_fails_does_not_count(actor_system: TestSystem) -> None:
    """39."""
    child = worker("a", start=lambda number: fails()(number) if number > 1 else None)
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(child,), intensity=Intensity(0)))
    await sup.terminate_child("a")
    for _ in range(3):
        with pytest.raises(StartError):
            await sup.restart_child("a")
    assert await states(sup) == {"a": "failed"}


async def test_tripping_emits_a_report_that_names_the_offender(actor_system: TestSystem) -> None:
    """40."""
    _, (_, b, _) = await start(actor_system, 1, within=7.0)
    await crash(b, 2)
    (report,) = actor_system.recorded(IntensityExceeded)
    assert (report.path, report.offender, report.restarts, report.within) == ("/test/sup", "/test/sup/b", 2, 7.0)
    assert isinstance(report.reason.error, Boom)
    (stopped,) = [event for event in actor_system.recorded(ActorStopped) if event.path == "/test/sup"]
    assert "max restart intensity" in stopped.reason.detail


def fragile(restart: Restart) -> SupervisorSpec:
    return SupervisorSpec("sup", children=(worker("a"), worker("b")), intensity=Intensity(0), restart=restart)


async def test_a_permanent_supervisor_that_tripped_is_restarted_with_its_static_children(
    actor_system: TestSystem,
) -> None:
    """41."""
    sup = await actor_system.start_child(fragile(Restart.PERMANENT))
    (a, _) = await sup.which_children()
    assert a.ref is not None
    await crash(a.ref)
    assert sup.incarnation == 2
    assert await states(sup) == {"a": "running", "b": "running"}
    (again, _) = await sup.which_children()
    assert again.ref is a.ref


async def test_a_restarted_supervisor_goes_on_restarting_its_static_children(actor_system: TestSystem) -> None:
    """41."""
    spec = SupervisorSpec("sup", children=(worker("a", restart=Restart.TRANSIENT),), intensity=Intensity(1))
    sup = await actor_system.start_child(spec)
    (a,) = await sup.which_children()
    assert a.ref is not None
    await crash(a.ref, 5)
    assert (sup.incarnation, await numbers(sup)) == (3, {"a": 6})


async def test_a_transient_supervisor_that_tripped_is_not_restarted_since_its_parent_sees_a_shutdown(
    actor_system: TestSystem,
) -> None:
    """41."""
    sup = await actor_system.start_child(fragile(Restart.TRANSIENT))
    (a, _) = await sup.which_children()
    assert a.ref is not None
    await crash(a.ref)
    (child,) = await actor_system.which_children()
    assert (child.id, child.ref, child.state) == ("sup", None, "stopped")
    assert [event.path for event in actor_system.recorded(ActorCrashed)] == ["/test/sup/a"]


async def test_after_a_supervisors_restart_static_children_exist_and_dynamic_ones_do_not(
    actor_system: TestSystem,
) -> None:
    """42."""
    sup = await actor_system.start_child(fragile(Restart.PERMANENT))
    dynamic = await sup.start_child(worker("dynamic"))
    await crash(dynamic)
    assert await states(sup) == {"a": "running", "b": "running"}
    assert not dynamic.is_alive


async def test_a_root_that_trips_cancels_the_body_and_raises_system_failed() -> None:
    """33."""

    async def body() -> None:
        async with ActorSystem("test", intensity=Intensity(0)) as system:
            await crash(await system.start_child(worker("a")))
            await anyio.sleep_forever()

    with pytest.raises(SystemFailed, match="max restart intensity") as caught:
        await body()
    assert isinstance(caught.value.cause, Boom)
