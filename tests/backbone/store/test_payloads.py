"""Cutting rows into payloads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.domain import Dimension, Frame, codec
from backbone.store.payloads import Origin, payloads_of
from backbone.store.ranges import ranges_of

DAY = datetime(2024, 1, 1, tzinfo=UTC)
ORIGIN = Origin("csv", "0" * 32, 1, 0)


def trades(rows: int, conditions: str) -> Frame:
    return Frame.from_records(
        Dimension.TRADES,
        [
            {"symbol": "A", "ts": DAY + timedelta(seconds=n), "sequence": n, "price": 1.0, "conditions": conditions * n}
            for n in range(rows)
        ],
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 100, 500])
@pytest.mark.parametrize("bound", [2_000, 5_000, 100_000])
def test_payloads_keep_to_their_bound_however_uneven_the_rows(rows: int, bound: int) -> None:
    frame = trades(rows, "x")
    payloads = list(payloads_of(frame, ORIGIN, bound))
    assert all(len(payload.data) <= bound for payload in payloads)
    assert Frame.concat([codec.decode(payload.data) for payload in payloads]) == frame


def test_a_single_row_beyond_the_bound_still_travels() -> None:
    frame = trades(3, "x" * 500)
    payloads = list(payloads_of(frame, ORIGIN, 1_000))
    assert Frame.concat([codec.decode(payload.data) for payload in payloads]) == frame


def test_payloads_are_not_much_smaller_than_they_may_be() -> None:
    frame = Frame.from_records(
        Dimension.QUOTES,
        [{"symbol": "A", "ts": DAY + timedelta(seconds=n), "sequence": 0, "bid": 1.0} for n in range(5_000)],
    )
    payloads = list(payloads_of(frame, ORIGIN, 20_000))
    total = sum(len(payload.data) for payload in payloads)
    assert total / len(payloads) > 0.4 * 20_000


def test_the_event_ids_of_another_revision_are_others() -> None:
    frame = trades(300, "x")
    first, second = (
        {payload.event_id for payload in payloads_of(frame, Origin("csv", "0" * 32, revision, 0), 3_000)}
        for revision in (1, 2)
    )
    assert len(first) > 1
    assert not first & second


def test_ranges_are_the_stretches_of_symbol_and_interval_with_their_span() -> None:
    frame = Frame.from_records(
        Dimension.INTRADAY_BARS,
        [
            {"symbol": symbol, "interval": interval, "ts": DAY + timedelta(hours=hour)}
            for symbol, interval, hour in [("A", "1h", 1), ("A", "1h", 5), ("A", "1m", 3), ("B", "1m", 2)]
        ],
    )
    ranges = ranges_of(frame)
    assert (ranges.symbols, ranges.intervals) == (["A", "A", "B"], ["1h", "1m", "1m"])
    assert (ranges.offsets.tolist(), ranges.lengths.tolist()) == ([0, 2, 3], [2, 1, 1])
    hours = [[round((us / 1e6 - DAY.timestamp()) / 3600) for us in side] for side in (ranges.starts_us, ranges.ends_us)]
    assert hours == [[1, 3, 2], [5, 3, 2]]


def test_the_span_of_a_calendar_covers_events_in_any_order() -> None:
    frame = Frame.from_records(
        Dimension.MACRO_EVENTS,
        [
            {"calendar": "C", "event": event, "ts": DAY + timedelta(days=day)}
            for event, day in [("a", 5), ("b", 1), ("c", 9), ("d", 3)]
        ],
    )
    ranges = ranges_of(frame)
    assert (ranges.symbols, len(ranges)) == (["C"], 1)
    assert (ranges.ends_us - ranges.starts_us).tolist() == [8 * 86_400 * 1_000_000]


def test_a_frame_without_rows_has_no_ranges() -> None:
    assert len(ranges_of(Frame.empty(Dimension.TRADES))) == 0
