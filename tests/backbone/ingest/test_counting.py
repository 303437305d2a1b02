"""Equal events of one moment are counted through all chunks that the moment fills."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.ingest import counting as counting_module
from backbone.ingest.counting import Counting

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
Event = tuple[int, str, float]
"""Second, symbol, price."""


def frame(events: list[Event]) -> Frame:
    rows = [
        {"symbol": symbol, "ts": NOON + timedelta(seconds=second), "price": price} for second, symbol, price in events
    ]
    return Frame.from_records(Dimension.TRADES, rows)


def counted(counting: Counting, chunk: Frame) -> list[tuple[Event, int]]:
    nth = np.frombuffer(counting.nth(chunk), np.int64)
    rows = chunk.to_arrow().to_pylist()
    return [
        (((row["ts"] - NOON).seconds, row["symbol"], row["price"]), int(n)) for row, n in zip(rows, nth, strict=True)
    ]


def test_a_moment_that_goes_on_in_the_next_chunk_goes_on_being_counted() -> None:
    counting = Counting()
    assert counted(counting, frame([(0, "A", 1.0), (0, "A", 1.0)])) == [((0, "A", 1.0), 0), ((0, "A", 1.0), 1)]
    assert counted(counting, frame([(0, "A", 1.0), (0, "A", 2.0)])) == [((0, "A", 1.0), 2), ((0, "A", 2.0), 0)]


def test_a_new_moment_is_counted_from_its_start() -> None:
    counting = Counting()
    counting.nth(frame([(0, "A", 1.0)]))
    assert counted(counting, frame([(1, "A", 1.0)])) == [((1, "A", 1.0), 0)]


def test_each_symbol_has_a_newest_moment_of_its_own() -> None:
    counting = Counting()
    counting.nth(frame([(5, "A", 1.0), (0, "B", 1.0)]))
    assert counted(counting, frame([(5, "A", 1.0), (0, "B", 1.0)])) == [((5, "A", 1.0), 1), ((0, "B", 1.0), 1)]


def test_events_that_have_a_sequence_are_not_counted() -> None:
    row = {"symbol": "A", "ts": NOON, "price": 1.0, "sequence": 3}
    assert Counting().nth(Frame.from_records(Dimension.TRADES, [row])) == b""


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("AB"), st.sampled_from([1.0, 2.0]))), st.integers(1, 5))
def test_a_run_in_any_order_is_counted_as_if_it_were_one_chunk(events: list[Event], rows: int) -> None:
    """Only the newest moment was remembered: of a file in order of receipt, equal trades of one moment were one."""
    counting, found = Counting(), Counter[tuple[Event, int]]()
    for start in range(0, len(events), rows):
        found.update(counted(counting, frame(events[start : start + rows])))
    whole = Counter(events)
    assert found == Counter((event, n) for event, count in whole.items() for n in range(count))


def test_what_does_not_stay_in_memory_is_counted_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting_module, "_IN_MEMORY", 2)
    counting = Counting()
    for n in range(4):
        assert [nth for _, nth in counted(counting, frame([(2, "A", 1.0), (n, "B", 1.0)]))] == [n, 0]
    counting.close()


def test_a_missing_value_is_told_from_zero() -> None:
    rows = [{"symbol": "A", "ts": NOON, "price": 1.0, "size": size, "venue": None} for size in (None, 0.0, None)]
    nth = Counting().nth(Frame.from_records(Dimension.TRADES, rows))
    assert np.frombuffer(nth, np.int64).tolist() == [0, 0, 1]
