"""Restart types: which ends lead to a new incarnation, and what the new one is given."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest

from actors import (
    ActorCrashed,
    ActorRef,
    ActorStopped,
    AutoShutdown,
    ChildSpec,
    Intensity,
    Restart,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Crash, Journal, Note, Number, Quit, Worker, numbers, settle, states, takes, worker

End = Callable[[ActorRef], Awaitable[None]]


async def quit_normally(ref: ActorRef) -> None:
    await ref.tell(Quit())


async def crash(ref: ActorRef) -> None:
    await ref.tell(Crash())


async def kill(ref: ActorRef) -> None:
    await ref.kill()


def shuts_down(restart: Restart) -> SupervisorSpec:
    """A supervisor that ends with reason shutdown as soon as its child ends."""
    child = worker("inner", restart=Restart.TEMPORARY, significant=True)
    return SupervisorSpec("a", children=(child,), auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, restart=restart)


async def shut_down(ref: SupervisorRef) -> None:
    (inner,) = await ref.which_children()
    assert inner.ref is not None
    await inner.ref.tell(Quit())
    await settle()


@pytest.mark.parametrize("end", [quit_normally, crash, kill])
async def test_a_permanent_child_gets_a_new_incarnation_whatever_its_end(actor_system: TestSystem, end: End) -> None:
    """15."""
    ref = await actor_system.start_child(worker("a"))
    await end(ref)
    await settle()
    assert (ref.incarnation, ref.is_alive) == (2, True)
    assert await ref.ask(Number()) == 2


async def test_a_permanent_child_gets_a_new_incarnation_after_a_shutdown(actor_system: TestSystem) -> None:
    """15."""
    ref = await actor_system.start_child(shuts_down(Restart.PERMANENT))
    await shut_down(ref)
    assert (ref.incarnation, ref.is_alive) == (2, True)


@pytest.mark.parametrize("end", [crash, kill])
async def test_a_transient_child_gets_a_new_incarnation_after_a_crash(actor_system: TestSystem, end: End) -> None:
    """16."""
    ref = await actor_system.start_child(worker("a", restart=Restart.TRANSIENT))
    await end(ref)
    await settle()
    assert await ref.ask(Number()) == 2


async def test_a_transient_child_that_ended_normally_stays_listed_and_can_be_restarted_by_hand(
    actor_system: TestSystem,
) -> None:
    """16."""
    ref = await actor_system.start_child(worker("a", restart=Restart.TRANSIENT))
    await quit_normally(ref)
    await settle()
    (child,) = await actor_system.which_children()
    assert (child.ref, child.state, ref.is_alive, ref.incarnation) == (None, "stopped", False, 1)
    assert await actor_system.restart_child("a") is ref
    assert await ref.ask(Number()) == 2


async def test_a_transient_child_that_ended_by_shutdown_stays_listed(actor_system: TestSystem) -> None:
    """16."""
    ref = await actor_system.start_child(shuts_down(Restart.TRANSIENT))
    await shut_down(ref)
    assert (ref.incarnation, ref.is_alive) == (1, False)
    assert [child.id for child in await actor_system.which_children()] == ["a"]
    await actor_system.restart_child("a")
    assert await states(ref) == {"inner": "running"}


@pytest.mark.parametrize("end", [quit_normally, crash, kill])
async def test_a_temporary_child_is_never_restarted_and_its_id_is_free_at_once(
    actor_system: TestSystem, end: End
) -> None:
    """17."""
    spec = worker("a", restart=Restart.TEMPORARY)
    ref = await actor_system.start_child(spec)
    await end(ref)
    await settle()
    assert await actor_system.which_children() == ()
    assert not ref.is_alive
    assert (await actor_system.start_child(spec)).is_alive


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_temporary_sibling_ended_by_a_group_restart_is_not_restarted_and_costs_nothing(
    actor_system: TestSystem, strategy: Strategy
) -> None:
    """18."""
    children = (worker("a"), worker("bystander", restart=Restart.TEMPORARY))
    spec = SupervisorSpec("sup", children=children, strategy=strategy, intensity=Intensity(1, 5.0))
    sup = await actor_system.start_child(spec)
    (a, _) = await sup.which_children()
    assert a.ref is not None
    await a.ref.tell(Crash())
    await settle()
    assert sup.is_alive
    assert await numbers(sup) == {"a": 2}


async def test_a_restart_runs_init_with_the_original_arguments_and_no_former_state(actor_system: TestSystem) -> None:
    """19."""
    made: list[Worker] = []

    def factory(journal: Journal, *, stop: object) -> Worker:
        made.append(Worker(journal))
        return made[-1]

    journal = Journal()
    spec = ChildSpec("a", factory, args=(journal,), kwargs={"stop": None})
    ref = await actor_system.start_child(spec)
    await ref.tell(Note())
    await ref.tell(Crash())
    await settle()
    assert [each.journal is journal for each in made] == [True, True]
    assert [each.notes for each in made] == [1, 0]


async def test_a_temporary_childs_arguments_are_not_retained_by_the_supervisor(actor_system: TestSystem) -> None:
    """19."""

    class Forgetful(Worker):
        def __init__(self, journal: Journal) -> None:
            super().__init__()

    journal = Journal()
    kept = weakref.ref(journal)
    await actor_system.start_child(ChildSpec("a", Forgetful, args=(journal,), restart=Restart.TEMPORARY))
    del journal
    gc.collect()
    assert kept() is None


async def test_a_crash_emits_exactly_one_report(actor_system: TestSystem) -> None:
    """20."""
    ref = await actor_system.start_child(worker("a", restart=Restart.TRANSIENT))
    await ref.tell(Crash("why"))
    await settle()
    (report,) = actor_system.recorded(ActorCrashed)
    assert (report.supervisor, report.path, report.incarnation, report.restart) == ("/test", "/test/a", 1, "transient")
    assert report.reason.kind == "crash"
    assert isinstance(report.reason.error, Boom)
    assert actor_system.recorded(ActorStopped) == []


async def test_normal_and_shutdown_ends_of_transient_children_emit_no_crash_report(actor_system: TestSystem) -> None:
    """20."""
    a = await actor_system.start_child(worker("a", restart=Restart.TRANSIENT))
    b = await actor_system.start_child(worker("b", restart=Restart.TRANSIENT))
    await a.tell(Quit())
    await b.stop()
    await settle()
    assert actor_system.recorded(ActorCrashed) == []
    assert [event.path for event in actor_system.recorded(ActorStopped)] == ["/test/a", "/test/b"]


@pytest.mark.parametrize("end", [quit_normally, crash])
async def test_the_next_init_begins_only_after_the_former_stop_hook_has_finished(
    actor_system: TestSystem, end: End
) -> None:
    """21."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, start=takes(0.0), stop=takes(2.0)))
    await end(ref)
    await settle(1.0)
    assert journal.take() == ["init a#1", "start a#1"]
    await settle(2.0)
    assert journal.events == ["stop a#1", "init a#2", "start a#2"]


async def test_the_same_ref_reaches_the_new_incarnation_whose_number_rises_by_one(actor_system: TestSystem) -> None:
    """22."""
    ref = await actor_system.start_child(worker("a"))
    for number in (1, 2, 3):
        assert (await ref.ask(Number()), ref.incarnation) == (number, number)
        await ref.tell(Crash())
        await settle()
    assert (ref.path, ref.id) == ("/test/a", "a")
