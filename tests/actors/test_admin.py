"""Administration of children, auto-shutdown, and how both scale."""

from __future__ import annotations

import time

import pytest

from actors import (
    ActorDead,
    ActorError,
    AlreadyPresent,
    AlreadyStarted,
    AutoShutdown,
    Backoff,
    ChildNotFound,
    ChildRunning,
    Intensity,
    MaxChildren,
    Restart,
    SupervisorRef,
    SupervisorSpec,
)
from actors.testing import TestSystem
from tests.actors.kit import Crash, Journal, Quit, fails, numbers, settle, states, worker


async def start(system: TestSystem, **fields: object) -> SupervisorRef:
    return await system.start_child(SupervisorSpec("sup", intensity=Intensity(1000, 1.0), **fields))  # type: ignore[arg-type]


async def test_start_child_says_what_is_there_already(actor_system: TestSystem) -> None:
    """72."""
    sup = await start(actor_system)
    ref = await sup.start_child(worker("a"))
    with pytest.raises(AlreadyStarted) as running:
        await sup.start_child(worker("a"))
    assert running.value.ref == ref
    await sup.terminate_child("a")
    with pytest.raises(AlreadyPresent):
        await sup.start_child(worker("a"))


async def test_an_unknown_id_is_not_found(actor_system: TestSystem) -> None:
    """72."""
    sup = await start(actor_system)
    await sup.start_child(worker("a"))
    for call in (sup.restart_child, sup.terminate_child, sup.delete_child):
        with pytest.raises(ChildNotFound, match=r"'zzz'.*a"):
            await call("zzz")


async def test_terminate_twice_is_fine_and_delete_wants_a_stopped_child(actor_system: TestSystem) -> None:
    """72."""
    sup = await start(actor_system)
    await sup.start_child(worker("a"))
    with pytest.raises(ChildRunning):
        await sup.delete_child("a")
    with pytest.raises(ChildRunning):
        await sup.restart_child("a")
    await sup.terminate_child("a")
    await sup.terminate_child("a")
    await sup.delete_child("a")
    with pytest.raises(ChildNotFound):
        await sup.restart_child("a")
    assert await sup.which_children() == ()


async def test_terminate_child_keeps_the_spec_and_triggers_no_restart(actor_system: TestSystem) -> None:
    """73."""
    sup = await start(actor_system)
    await sup.start_child(worker("a"))
    await sup.start_child(worker("temporary", restart=Restart.TEMPORARY))
    await sup.terminate_child("a")
    await sup.terminate_child("temporary")
    await settle(60.0)
    assert await states(sup) == {"a": "stopped"}
    ref = await sup.restart_child("a")
    assert ref.incarnation == 2


async def test_calls_to_a_dead_supervisor_raise_actor_dead_at_once(actor_system: TestSystem) -> None:
    """74."""
    sup = await start(actor_system)
    await sup.start_child(worker("a"))
    await sup.stop()
    for call in (sup.which_children, sup.count_children):
        with pytest.raises(ActorDead):
            await call()
    for other in (sup.restart_child, sup.terminate_child, sup.delete_child):
        with pytest.raises(ActorDead):
            await other("a")
    with pytest.raises(ActorDead):
        await sup.start_child(worker("b"))


async def test_counts_are_right_with_two_thousand_children_some_of_them_restarting(
    actor_system: TestSystem,
) -> None:
    """75."""
    sup = await start(actor_system)
    plan = {"start": fails(2), "backoff": Backoff(initial=60.0, maximum=60.0)}
    refs = [await sup.start_child(worker(str(number), **plan)) for number in range(2000)]  # type: ignore[arg-type]
    await sup.start_child(SupervisorSpec("inner"))
    for ref in refs[::100]:
        await ref.tell(Crash())
    await settle()
    count = await sup.count_children()
    assert (count.specs, count.active, count.supervisors, count.workers) == (2001, 1981, 1, 2000)


async def test_max_children_counts_the_restarting_ones(actor_system: TestSystem) -> None:
    """76."""
    sup = await start(actor_system, max_children=2)
    ref = await sup.start_child(worker("a", backoff=Backoff(initial=10.0)))
    await sup.start_child(worker("b", restart=Restart.TEMPORARY))
    await ref.tell(Crash())
    await settle()
    with pytest.raises(MaxChildren, match="2 children"):
        await sup.start_child(worker("c"))
    await sup.terminate_child("b")
    await sup.start_child(worker("c"))


async def _cost(count: int) -> float:
    async with TestSystem() as system:
        sup = await start(system)
        began = time.process_time()
        for number in range(count):
            await sup.start_child(worker(str(number), restart=Restart.TEMPORARY))
        for number in range(count):
            await sup.terminate_child(str(number))
        return (time.process_time() - began) / count


async def test_starting_and_stopping_ten_thousand_children_scales_linearly() -> None:
    """77."""
    few = min([await _cost(1000) for _ in range(2)])
    assert await _cost(10_000) < 10 * few


async def test_any_significant_child_that_ends_well_stops_the_supervisor(actor_system: TestSystem) -> None:
    """78."""
    journal = Journal()
    sup = await start(actor_system, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, restart=Restart.TEMPORARY)
    await sup.start_child(worker("bystander", journal))
    ref = await sup.start_child(worker("vital", journal, restart=Restart.TRANSIENT, significant=True))
    await ref.tell(Crash())
    await settle()
    assert await numbers(sup) == {"bystander": 1, "vital": 2}
    await ref.tell(Quit())
    await settle()
    assert not sup.is_alive
    assert journal.events[-2:] == ["stop vital#2", "stop bystander#1"]


async def test_an_insignificant_child_that_ends_stops_nobody(actor_system: TestSystem) -> None:
    """78."""
    sup = await start(actor_system, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    ref = await sup.start_child(worker("a", restart=Restart.TRANSIENT))
    await ref.tell(Quit())
    await settle()
    assert sup.is_alive


@pytest.mark.parametrize("message", [Quit(), Crash()])
async def test_any_end_of_a_significant_temporary_child_stops_the_supervisor(
    actor_system: TestSystem, message: Quit | Crash
) -> None:
    """79."""
    sup = await start(actor_system, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, restart=Restart.TEMPORARY)
    ref = await sup.start_child(worker("a", restart=Restart.TEMPORARY, significant=True))
    await ref.tell(message)
    await settle()
    assert not sup.is_alive


async def test_only_the_last_significant_child_stops_the_supervisor_under_all(actor_system: TestSystem) -> None:
    """80."""
    sup = await start(actor_system, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT, restart=Restart.TEMPORARY)
    first = await sup.start_child(worker("1", restart=Restart.TRANSIENT, significant=True))
    second = await sup.start_child(worker("2", restart=Restart.TEMPORARY, significant=True))
    await sup.start_child(worker("bystander"))
    await first.tell(Quit())
    await settle()
    assert sup.is_alive
    await second.tell(Crash())
    await settle()
    assert not sup.is_alive


async def test_a_significant_child_that_is_restarting_is_not_at_its_end(actor_system: TestSystem) -> None:
    """80."""
    sup = await start(actor_system, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT, restart=Restart.TEMPORARY)
    backoff = Backoff(initial=10.0)
    first = await sup.start_child(worker("1", restart=Restart.TRANSIENT, significant=True, backoff=backoff))
    second = await sup.start_child(worker("2", restart=Restart.TRANSIENT, significant=True))
    await first.tell(Crash())
    await settle()
    await second.tell(Quit())
    await settle()
    assert sup.is_alive
    await settle(60.0)
    assert first.is_alive


async def test_terminate_child_never_triggers_auto_shutdown(actor_system: TestSystem) -> None:
    """81."""
    sup = await start(actor_system, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    await sup.start_child(worker("a", restart=Restart.TEMPORARY, significant=True))
    ref = await sup.start_child(worker("b", restart=Restart.TRANSIENT, significant=True))
    await sup.terminate_child("a")
    await ref.stop()
    await settle()
    assert sup.is_alive


async def test_the_system_itself_offers_the_same_for_its_root(actor_system: TestSystem) -> None:
    """72."""
    ref = await actor_system.start_child(worker("a"))
    await actor_system.terminate_child("a")
    assert not ref.is_alive
    assert (await actor_system.restart_child("a")) == ref
    assert (await actor_system.count_children()).active == 1
    await actor_system.terminate_child("a")
    await actor_system.delete_child("a")
    assert await actor_system.which_children() == ()


async def test_the_root_can_be_stopped_by_its_ref(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(worker("a"))
    await actor_system.stop()
    assert not ref.is_alive
    with pytest.raises(ActorError):
        await actor_system.start_child(worker("b"))
