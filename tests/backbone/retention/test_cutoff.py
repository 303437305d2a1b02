"""Up to where rows may be dropped: the cap, the newest chunk, and the last rows of each symbol."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone import Dimension
from backbone.retention.cutoff import Cutoff, cutoff, steps
from backbone.retention.policy import Policy
from backbone.store.records import Coverage

BARS = Dimension.INTRADAY_BARS
POLICY = Policy(BARS, target_days=30, minimum_days=7, cap_days=65)
NOW = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def stored(symbol: str, oldest: float, newest: float, interval: str = "1h") -> Coverage:
    """Rows from so many days ago to so many days ago."""
    return Coverage(BARS, symbol, interval, 10, NOW - oldest * DAY, NOW - newest * DAY)


@pytest.mark.parametrize(
    ("rows", "before", "kept"),
    [
        ([], None, ""),
        ([stored("A", 65, 0)], None, ""),
        ([stored("A", 66, 0)], 65, ""),
        ([stored("A", 400, 0), stored("B", 100, 1)], 65, ""),
        ([stored("A", 400, 50)], 80, "the newest 30 days"),
        ([stored("A", 400, 380)], None, "the newest 30 days"),
        ([stored("A", 400, 0), stored("DEAD", 300, 200)], 200, "DEAD has no rows after"),
        ([stored("A", 400, 0), stored("DEAD", 500, 500)], None, "DEAD has no rows after"),
        ([stored("A", 400, 0), stored("A", 500, 300, "1m")], 65, ""),
    ],
)
def test_the_cap_is_held_back_by_the_newest_chunk_and_by_symbols_that_ended(
    rows: list[Coverage], before: float | None, kept: str
) -> None:
    found = cutoff(POLICY, rows, NOW)
    assert found.before == (None if before is None else NOW - before * DAY)
    assert found.kept.startswith(kept)
    assert bool(found.kept) == bool(kept)


SPANS = st.tuples(st.floats(0, 1000), st.floats(0, 1000)).map(sorted)


@given(st.dictionaries(st.sampled_from("ABC"), SPANS, min_size=1))
def test_no_symbol_loses_all_its_rows_and_the_newest_chunk_loses_none(spans: dict[str, list[float]]) -> None:
    rows = [stored(symbol, oldest, newest) for symbol, (newest, oldest) in spans.items()]
    before = cutoff(POLICY, rows, NOW).before
    if before is not None:
        assert all(each.latest >= before for each in rows)
        assert before <= max(each.latest for each in rows) - BARS.chunk
        assert before <= NOW - POLICY.cap
        assert any(each.earliest < before for each in rows)


@given(st.floats(0.001, 5000), st.floats(1, 40))
def test_steps_ascend_to_the_cutoff_and_are_few(days: float, width: float) -> None:
    begin = NOW - days * DAY
    moments = steps(begin, NOW, width * DAY, most=16)
    assert moments == sorted(set(moments))
    assert moments[-1] == NOW
    assert moments[0] > begin
    assert len(moments) <= 18


def test_steps_lie_at_the_boundaries_of_chunks() -> None:
    assert steps(NOW + timedelta(hours=5), NOW + timedelta(days=2, hours=3), DAY) == [
        NOW + DAY,
        NOW + 2 * DAY,
        NOW + timedelta(days=2, hours=3),
    ]
    assert Cutoff(None).kept == ""
