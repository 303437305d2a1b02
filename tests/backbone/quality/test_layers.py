"""Bars of history that is kept in several intervals: against the same history kept in one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.quality.extents import overlapping
from backbone.quality.layers import Layers
from backbone.quality.resample import CrossesEdge, resample
from backbone.quality.sessions import Calendar, calendar

SUNDAY = datetime(2024, 6, 2, 21, tzinfo=UTC)  # 17:00 in New York
DAY = timedelta(days=1)


def fx(_symbol: str) -> Calendar:
    return calendar("fx")


def us(_symbol: str) -> Calendar:
    return calendar("us_equities")


def minutes(start: datetime, end: datetime, symbol: str = "EURUSD", seed: int = 1) -> Frame:
    """Bars of 5m of every moment of the sessions; volumes add up exactly."""
    chance = np.random.default_rng(seed)
    stamps = calendar("fx").expected_stamps("5m", start, end)
    rows = []
    for stamp in stamps.tolist():
        first, last = chance.integers(90, 110, 2).tolist()
        rows.append(
            {
                "symbol": symbol, "interval": "5m", "ts": stamp.replace(tzinfo=UTC), "open": float(first),
                "high": max(first, last) + 1.0, "low": min(first, last) - 1.0, "close": float(last), "volume": 1.0,
            }
        )  # fmt: skip
    return Frame.from_records(Dimension.INTRADAY_BARS, rows)


FINE = minutes(SUNDAY, SUNDAY + 8 * DAY - timedelta(minutes=5))


def layered(interval: str, *layers: tuple[str, Frame], session: object = fx) -> Frame:
    several = Layers(interval, session)  # type: ignore[arg-type]
    for source, frame in layers:
        several.add(source, frame)
    return several.bars()


def cut(frame: Frame, at: datetime) -> tuple[Frame, Frame]:
    return frame.select(end=at - timedelta(microseconds=1)), frame.select(start=at)


@settings(max_examples=30, deadline=None)
@given(
    hour=st.integers(0, 8 * 24),
    back=st.booleans(),
    wide=st.sampled_from(["15m", "1h"]),
    interval=st.sampled_from(["4h", "1d", "1wk", "1mo"]),
)
def test_hours_of_before_and_minutes_since_make_the_bars_that_minutes_alone_make(
    hour: int, back: bool, wide: str, interval: str
) -> None:
    before, after = cut(FINE, SUNDAY + timedelta(hours=hour))
    coarse, fine = (after, before) if back else (before, after)
    assert layered(interval, (wide, resample(coarse, "5m", wide, fx)), ("5m", fine)) == resample(
        FINE, "5m", interval, fx
    )


@settings(max_examples=30, deadline=None)
@given(hours=st.sets(st.integers(0, 8 * 24)), interval=st.sampled_from(["1h", "4h", "1d", "1wk"]))
def test_holes_are_filled_with_finer_bars_and_nothing_enters_twice(hours: set[int], interval: str) -> None:
    hourly = resample(FINE, "5m", "1h", fx)
    stamps = [np.datetime64((SUNDAY + timedelta(hours=hour)).replace(tzinfo=None), "us") for hour in hours]
    holed = Frame.from_arrow(hourly.dimension, hourly.to_arrow().filter(~np.isin(hourly.column("ts"), stamps)))
    assert layered(interval, ("1h", holed), ("5m", FINE)) == (
        hourly if interval == "1h" else resample(hourly, "1h", interval, fx)
    )


def test_days_and_hours_make_weeks() -> None:
    daily = resample(FINE, "5m", "1d", fx)
    early, late = cut(daily, SUNDAY + 2 * DAY)
    hourly = resample(FINE, "5m", "1h", fx)
    wanted = resample(FINE, "5m", "1wk", fx)
    assert layered("1wk", ("1d", early), ("1h", hourly)) == wanted
    assert layered("1wk", ("1d", late), ("1h", hourly)) == wanted
    assert layered("1wk", ("1d", late), ("1h", hourly.select(start=SUNDAY + 6 * DAY)), ("5m", FINE)) == wanted


def test_stored_bars_stay_as_they_are_and_none_overlaps_them() -> None:
    four = resample(FINE, "5m", "4h", fx).select(end=SUNDAY + 2 * DAY)
    shifted = [
        {**row, "ts": row["ts"] + timedelta(hours=3), "close": 99.5}
        for row in four.select(end=SUNDAY + DAY).to_arrow().to_pylist()
    ]
    stored = Frame.from_records(four.dimension, shifted)
    made = layered("4h", ("4h", stored), ("5m", FINE))
    assert [row for row in made.to_arrow().to_pylist() if row["close"] == 99.5] == shifted
    steps = np.diff(made.column("ts"))
    assert steps.min() >= np.timedelta64(4, "h")
    assert made.select(start=SUNDAY + 2 * DAY) == resample(FINE, "5m", "4h", fx).select(start=SUNDAY + 2 * DAY)


def test_behind_stored_bars_comes_no_unfinished_one() -> None:
    early, late = cut(FINE, SUNDAY + timedelta(hours=40))
    hourly = resample(early, "5m", "1h", fx)
    until = late.select(end=SUNDAY + timedelta(hours=42, minutes=20))
    made = layered("1h", ("1h", hourly), ("5m", until))
    assert made.end == SUNDAY + timedelta(hours=41)
    assert made == resample(FINE, "5m", "1h", fx).select(end=made.end)
    assert made.partial == {}


def test_of_made_bars_the_newest_is_marked_while_it_is_unfinished() -> None:
    early, late = cut(FINE, SUNDAY + timedelta(hours=40))
    hourly = resample(early, "5m", "1h", fx)
    until = late.select(end=SUNDAY + timedelta(hours=42, minutes=20))
    made = layered("4h", ("1h", hourly), ("5m", until))
    assert made.partial == {"EURUSD": SUNDAY + timedelta(hours=40)}
    whole = layered("4h", ("1h", hourly), ("5m", late.select(end=SUNDAY + timedelta(hours=43, minutes=55))))
    assert whole.partial == {}
    assert whole.end == made.end


def test_symbols_keep_apart() -> None:
    other = minutes(SUNDAY, SUNDAY + 3 * DAY, "AUDUSD", seed=7)
    both = Frame.concat([FINE, other])
    early, late = cut(FINE, SUNDAY + timedelta(hours=50))
    hourly = Frame.concat([resample(early, "5m", "1h", fx), resample(other, "5m", "1h", fx)])
    assert layered("1d", ("1h", hourly), ("5m", late)) == resample(both, "5m", "1d", fx)
    assert layered("1d", ("1h", hourly), ("5m", late)).partial.keys() == resample(both, "5m", "1d", fx).partial.keys()


def test_bars_that_lie_in_two_give_way_to_finer_ones_and_are_refused_where_there_are_none() -> None:
    opening = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
    fine = minutes(opening, opening + timedelta(hours=6, minutes=25))
    prices = {"symbol": "EURUSD", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 7.0}
    hours = [opening - timedelta(minutes=30) + n * timedelta(hours=1) for n in range(7)]
    wide = Frame.from_records(Dimension.INTRADAY_BARS, [{**prices, "interval": "1h", "ts": ts} for ts in hours])
    made = layered("4h", ("1h", wide), ("5m", fine), session=us)
    assert made.column("ts").astype(str).tolist() == ["2024-07-02T13:30:00.000000", "2024-07-02T17:30:00.000000"]
    with pytest.raises(CrossesEdge, match=r"the 1h bar at 2024-07-02T17:00:00.* finer interval is needed"):
        layered("4h", ("1h", wide), ("5m", fine.select(end=opening + timedelta(hours=3))), session=us)


def test_what_is_not_covered_is_told_from_its_first_moment_to_its_last() -> None:
    hourly = resample(FINE, "5m", "1h", fx)
    kept = Frame.concat(
        [hourly.select(end=SUNDAY + timedelta(hours=9)), hourly.select(start=SUNDAY + timedelta(hours=20))]
    )
    layers = Layers("1d", fx)
    first, last = (np.datetime64(moment.replace(tzinfo=None), "us") for moment in (SUNDAY, SUNDAY + 5 * DAY))
    assert layers.uncovered({"EURUSD": (first, last)}) == (first, last)
    layers.add("1h", kept)
    hole = first + np.timedelta64(10, "h"), first + np.timedelta64(20, "h")
    assert layers.uncovered({"EURUSD": (first, last)}) == hole
    assert layers.uncovered({"EURUSD": (hole[0] + np.timedelta64(1, "h"), last)}) == (
        hole[0] + np.timedelta64(1, "h"),
        hole[1],
    )
    weekend = first + np.timedelta64(5, "D")
    assert layers.uncovered({"EURUSD": (hole[1], weekend + np.timedelta64(2, "D"))}) is None
    assert layers.uncovered({"EURUSD": (last, first)}) is None


def test_no_rows_make_no_bars() -> None:
    assert layered("1d", ("1h", Frame.empty("intraday"))) == Frame.empty("intraday")


def test_a_bar_within_a_longer_one_that_began_before_overlaps_it() -> None:
    def moments(*hours: int) -> np.ndarray:
        return np.datetime64("2024-06-03", "us") + np.array(hours) * np.timedelta64(1, "h")

    others = moments(0, 1, 20), moments(10, 2, 21)
    found = overlapping((moments(5, 12, 20), moments(6, 13, 21)), others)
    assert found.tolist() == [True, False, True]
