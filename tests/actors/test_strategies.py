"""Strategies: who is restarted with a failed child, in which order, and what happens where that fails, too."""

from __future__ import annotations

import pytest

from actors import ActorRef, Backoff, ChildSpec, Intensity, RosterEntry, Strategy, SupervisorRef, SupervisorSpec
from actors.testing import TestSystem
from tests.actors.kit import Crash, Journal, fails, numbers, settle, states, takes, worker

ALL, REST, ONE = Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ONE


async def start(
    system: TestSystem, strategy: Strategy, *children: ChildSpec, restarts: int = 3
) -> tuple[SupervisorRef, dict[str, ActorRef]]:
    """A supervisor "sup" of these children, and their refs by id."""
    intensity = Intensity(restarts, 5.0)
    sup = await system.start_child(SupervisorSpec("sup", children=children, strategy=strategy, intensity=intensity))
    return sup, {child.id: child.ref for child in await sup.which_children() if child.ref is not None}


def entry(system: TestSystem, path: str) -> RosterEntry:
    found = system.roster().find(path)
    assert found is not None
    return found


async def test_one_for_one_lets_siblings_keep_their_incarnation(actor_system: TestSystem) -> None:
    """23."""
    journal = Journal()
    sup, refs = await start(actor_system, ONE, *(worker(name, journal) for name in "abc"))
    await refs["b"].tell(Crash())
    await settle()
    assert await numbers(sup) == {"a": 1, "b": 2, "c": 1}
    assert journal.events[3:] == ["stop b#1", "start b#2"]


async def test_one_for_all_stops_the_others_in_reverse_then_starts_all_in_order(actor_system: TestSystem) -> None:
    """24."""
    journal = Journal()
    children = [worker(name, journal, stop=takes(1.0)) for name in "abc"]
    sup, refs = await start(actor_system, ALL, *children)
    await refs["b"].tell(Crash())
    await settle(4.0)
    stops = ["stop b#1", "stop c#1", "stop a#1"]
    assert journal.events[3:] == [*stops, "start a#2", "start b#2", "start c#2"]
    assert await numbers(sup) == {"a": 2, "b": 2, "c": 2}


async def test_rest_for_one_leaves_earlier_children_stops_later_ones_in_reverse_and_starts_in_order(
    actor_system: TestSystem,
) -> None:
    """25."""
    journal = Journal()
    sup, refs = await start(actor_system, REST, *(worker(name, journal) for name in "abcd"))
    await refs["b"].tell(Crash())
    await settle()
    assert journal.events[4:] == ["stop b#1", "stop d#1", "stop c#1", "start b#2", "start c#2", "start d#2"]
    assert await numbers(sup) == {"a": 1, "b": 2, "c": 2, "d": 2}


@pytest.mark.parametrize(("crashing", "expected"), [("c", {"a": 1, "b": 1, "c": 2}), ("a", {"a": 2, "b": 2, "c": 2})])
async def test_rest_for_one_is_one_for_one_at_its_last_child_and_one_for_all_at_its_first(
    actor_system: TestSystem, crashing: str, expected: dict[str, int]
) -> None:
    """26."""
    sup, refs = await start(actor_system, REST, *(worker(name) for name in "abc"))
    await refs[crashing].tell(Crash())
    await settle()
    assert await numbers(sup) == expected


async def test_the_order_is_list_order_not_id_order(actor_system: TestSystem) -> None:
    """27."""
    journal, ids = Journal(), ["ch7", "ch3", "ch10", "ch2", "ch5"]
    sup, refs = await start(actor_system, ALL, *(worker(each, journal) for each in ids))
    await refs["ch7"].tell(Crash())
    await settle()
    stops = [f"stop {each}#1" for each in ("ch7", "ch5", "ch2", "ch10", "ch3")]
    starts = [f"start {each}#{{}}" for each in ids]
    assert journal.events == [s.format(1) for s in starts] + stops + [s.format(2) for s in starts]
    assert list(await states(sup)) == ids


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_a_group_restart_of_ten_children_costs_one_unit_of_intensity(
    actor_system: TestSystem, strategy: Strategy
) -> None:
    """28."""
    sup, refs = await start(actor_system, strategy, *(worker(f"c{n}") for n in range(10)), restarts=1)
    await refs["c0"].tell(Crash())
    await settle()
    assert sup.is_alive
    assert set((await numbers(sup)).values()) == {2}
    assert entry(actor_system, "/test/sup").restarts_in_window == 1


async def test_one_for_all_with_a_failing_init_stops_the_restarted_ones_again_and_retries_the_whole_group(
    actor_system: TestSystem,
) -> None:
    """29."""
    journal = Journal()
    children = (worker("a", journal), worker("b", journal, start=fails(2)), worker("c", journal))
    _, refs = await start(actor_system, ALL, *children)
    journal.take()
    await refs["c"].tell(Crash())
    await settle()
    assert journal.take() == [
        "stop c#1", "stop b#1", "stop a#1",
        "start a#2", "init b#2", "stop a#2",
        "start a#3", "init b#3", "start b#3", "start c#2",
    ]  # fmt: skip
    assert entry(actor_system, "/test/sup").restarts_in_window == 2


async def test_rest_for_one_with_a_failing_init_resumes_at_that_child_and_keeps_the_restarted_earlier_one(
    actor_system: TestSystem,
) -> None:
    """30."""
    journal = Journal()
    children = (worker("a", journal), worker("b", journal, start=fails(2)), worker("c", journal))
    _, refs = await start(actor_system, REST, *children)
    journal.take()
    await refs["a"].tell(Crash())
    await settle()
    assert journal.take() == [
        "stop a#1", "stop c#1", "stop b#1",
        "start a#2", "init b#2", "init b#3", "start b#3", "start c#2",
    ]  # fmt: skip


async def test_while_a_group_restart_waits_earlier_ones_are_alive_the_failing_one_restarts_later_ones_are_gone(
    actor_system: TestSystem,
) -> None:
    """31."""
    failing = worker("failing", start=fails(2, 3), backoff=Backoff(initial=10.0, jitter=0.0))
    sup, refs = await start(actor_system, REST, worker("before"), failing, worker("after"))
    await refs["failing"].tell(Crash())
    await settle(10.1)
    before, waiting, after = await sup.which_children()
    count = await sup.count_children()
    assert (before.state, waiting.state, waiting.ref, after.ref) == ("running", "restarting", None, None)
    assert (count.specs, count.active) == (3, 1)
    await settle(60.0)
    assert await numbers(sup) == {"before": 1, "failing": 4, "after": 2}


async def test_a_sibling_that_dies_by_itself_during_a_group_restart_causes_no_second_cycle(
    actor_system: TestSystem,
) -> None:
    """32."""
    journal = Journal()
    children = (worker("a", journal), worker("b", journal), worker("c", journal, stop=takes(2.0, 1)))
    sup, refs = await start(actor_system, ALL, *children, restarts=1)
    journal.take()
    await refs["b"].tell(Crash())
    await settle(1.0)
    await refs["a"].tell(Crash("while c stops"))
    await settle(3.0)
    assert journal.take() == ["stop b#1", "stop a#1", "stop c#1", "start a#2", "start b#2", "start c#2"]
    assert sup.is_alive


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_siblings_that_crash_in_the_same_instant_are_restarted_once(
    actor_system: TestSystem, strategy: Strategy
) -> None:
    """32."""
    sup, refs = await start(actor_system, strategy, *(worker(name) for name in "abc"), restarts=1)
    for name in "abc":
        refs[name].tell_nowait(Crash())
    await settle()
    assert await numbers(sup) == {"a": 2, "b": 2, "c": 2}
