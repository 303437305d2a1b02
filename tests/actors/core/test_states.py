"""The tables of states: whole, legal, kept to, and what the docs show."""

from __future__ import annotations

import itertools

import pytest

from actors import ActorError, ChildSpec
from actors._core.states import CHILD, LIFE, IllegalMove, Phase, State, advance
from actors.testing import TestSystem
from tests.actors.core.states_page import PAGE, page
from tests.actors.kit import Worker


def test_every_state_stands_in_its_table_and_can_be_reached() -> None:
    assert set(LIFE) == set(Phase)
    assert set(CHILD) == set(State)
    assert {to for moves in LIFE.values() for to in moves} == set(Phase) - {Phase.STARTING}
    assert {to for moves in CHILD.values() for to in moves} == set(State)


def test_phases_of_a_life_only_rise_and_end_in_one() -> None:
    assert all(to > phase for phase, moves in LIFE.items() for to in moves)
    assert [phase for phase, moves in LIFE.items() if not moves] == [Phase.OVER]


@pytest.mark.parametrize(("now", "to"), list(itertools.product(Phase, Phase)))
def test_a_move_of_a_life_is_made_or_refused_by_the_table(now: Phase, to: Phase) -> None:
    if to in LIFE[now]:
        assert advance(now, to) is to
    else:
        with pytest.raises(IllegalMove, match=f"from {now.name} to {to.name}"):
            advance(now, to)


def test_a_child_runs_only_after_it_was_started_and_starts_only_when_no_life_runs() -> None:
    """So no two lives of a child can be shown as one, and none is shown as running that never was."""
    assert [state for state, moves in CHILD.items() if State.RUNNING in moves] == [State.STARTING, State.SUSPENDED]
    living = {State.STARTING, State.RUNNING, State.SUSPENDED, State.STOPPING}
    assert {state for state, moves in CHILD.items() if State.STARTING in moves} == set(State) - living


async def test_an_illegal_move_is_a_fault_of_the_runtime_and_fails_the_test_that_met_it() -> None:
    system = TestSystem()
    await system.__aenter__()
    ref = await system.start_child(ChildSpec("a", Worker))
    ref._cell.mark(State.BACKOFF)
    await ref.stop()
    with pytest.raises(ActorError, match="runtime itself is at fault") as failed:
        await system.__aexit__(None, None, None)
    assert str(failed.value.__cause__) == "/test/a can't go from running to backoff"


def test_the_page_of_states_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.actors.core.states_page"
