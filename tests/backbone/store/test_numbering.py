"""Numbers for events that have none: the same event keeps its number, another one comes behind what is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.domain.events import occurrences
from backbone.store.numbering import number

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
Event = tuple[str, int, float | None, str | None]
"""Symbol, microsecond, size, venue."""


def frame(events: Sequence[Event], sequences: Sequence[int | None] | None = None) -> Frame:
    rows: list[dict[str, object]] = []
    for (symbol, us, size, venue), sequence in zip(events, sequences or [None] * len(events), strict=True):
        rows.append({"symbol": symbol, "ts": MIDNIGHT + timedelta(microseconds=us), "price": 1.0, "size": size})
        rows[-1] |= {"venue": venue, "sequence": sequence}
    return Frame.from_records(Dimension.TRADES, rows) if rows else Frame.empty(Dimension.TRADES)


def events(of: Frame) -> list[tuple[Event, int | None]]:
    return [(_event(row), row["sequence"]) for row in of.to_arrow().to_pylist()]


def _event(row: Mapping[str, Any]) -> Event:
    return row["symbol"], int((row["ts"] - MIDNIGHT) / timedelta(microseconds=1)), row["size"], row["venue"]


def store(held: Frame, given_events: Frame) -> Frame:
    return Frame.concat([held, number(given_events, held).frame])


def test_events_of_one_moment_are_numbered_in_the_order_given() -> None:
    numbered = number(frame([("A", 1, 5.0, None), ("A", 1, 3.0, None), ("B", 1, 5.0, None)]), frame([]))
    assert [sequence for _, sequence in events(numbered.frame)] == [0, 1, 0]
    assert numbered.places.tolist() == [0, 1, 2]


def test_an_event_that_is_stored_keeps_its_number_and_another_comes_behind() -> None:
    held = frame([("A", 1, 5.0, None), ("A", 1, 3.0, None)], [7, 9])
    numbered = number(frame([("A", 1, 4.0, None), ("A", 1, 3.0, None)]), held)
    assert events(numbered.frame) == [(("A", 1, 3.0, None), 9), (("A", 1, 4.0, None), 10)]
    assert numbered.places.tolist() == [1, 0]


def test_two_equal_events_of_one_run_are_two_and_those_of_the_next_run_the_same_two() -> None:
    twice = frame([("A", 1, 5.0, None), ("A", 1, 5.0, None)])
    held = store(frame([]), twice)
    assert held.num_rows == 2
    assert store(held, twice) == held
    assert store(held, frame([("A", 1, 5.0, None)])) == held
    assert store(held, frame([("A", 1, 5.0, None)] * 3)).num_rows == 3


def test_equal_events_that_the_run_gave_earlier_are_counted() -> None:
    held = store(frame([]), frame([("A", 1, 5.0, None)]))
    again = number(frame([("A", 1, 5.0, None)]), held, nth=np.array([1]))
    assert events(again.frame) == [(("A", 1, 5.0, None), 1)]


def test_the_first_of_one_run_and_the_first_of_another_are_one_event() -> None:
    of_two_runs = frame([("A", 1, 5.0, None), ("A", 1, 4.0, None), ("A", 1, 5.0, None)])
    together = number(of_two_runs, frame([]), np.array([0, 0, 0]))
    assert events(together.frame) == [(("A", 1, 5.0, None), 0), (("A", 1, 4.0, None), 1)]
    assert together.places.tolist() == [0, 1, 0]


def test_an_event_with_a_number_in_the_same_frame_is_the_one_without() -> None:
    numbered = number(frame([("A", 1, 5.0, None), ("A", 1, 5.0, None)], [4, None]), frame([]))
    assert events(numbered.frame) == [(("A", 1, 5.0, None), 4)]
    assert numbered.places.tolist() == [0, 0]


def test_a_missing_value_is_told_from_zero() -> None:
    numbered = number(frame([("A", 1, 0.0, None), ("A", 1, None, None)]), frame([("A", 1, None, None)], [0]))
    assert dict(events(numbered.frame)) == {("A", 1, 0.0, None): 1, ("A", 1, None, None): 0}


def test_behind_the_greatest_number_nothing_comes() -> None:
    held = frame([("A", 1, 5.0, None)], [2**63 - 1])
    with pytest.raises(ValueError, match="none comes behind it"):
        number(frame([("A", 1, 4.0, None)]), held)


def test_a_frame_whose_events_all_have_numbers_is_left_as_it_is() -> None:
    given_events = frame([("A", 1, 5.0, None)], [3])
    assert number(given_events, frame([])).frame is given_events


EVENTS = st.tuples(st.sampled_from("AB"), st.integers(0, 1), st.sampled_from([1.0, None]), st.sampled_from(["X", None]))


@given(st.lists(st.lists(EVENTS, max_size=8), max_size=6))
def test_the_store_keeps_the_largest_count_that_one_run_had(runs: list[list[Event]]) -> None:
    held = frame([])
    most: Counter[Event] = Counter()
    for run in runs:
        before = by_key(held)
        held = store(held, frame(run))
        most |= Counter(run)
        assert before.items() <= by_key(held).items(), "a stored event never changes"
    assert Counter(event for event, _ in events(held)) == most


def by_key(of: Frame) -> dict[tuple[str, int, int | None], Event]:
    return {(event[0], event[1], sequence): event for event, sequence in events(of)}


@given(st.lists(EVENTS, max_size=12))
def test_occurrences_are_counted_within_equal_events(run: list[Event]) -> None:
    seen: defaultdict[Event, int] = defaultdict(int)
    expected = []
    for event, _ in events(frame(run)):
        expected.append(seen[event])
        seen[event] += 1
    assert occurrences(Dimension.TRADES, frame(run).to_arrow()).tolist() == expected
