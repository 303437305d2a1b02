"""Daily bars bear the date of their session, whichever zone its midnight was in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame

DAILY = Dimension.DAILY_BARS
NEW_YORK = ZoneInfo("America/New_York")
DAYS = [datetime(2024, 3, 8), datetime(2024, 3, 11), datetime(2024, 11, 4)]  # noqa: DTZ001  on either side of the clocks' changes
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Europe/London", "Australia/Lord_Howe", "+05:30", "-03:00"]


def dates_of(frame: Frame) -> list[datetime]:
    return [stamp.replace(tzinfo=None) for stamp in frame.to_arrow().column("ts").to_pylist()]


def localised(zone: str) -> pd.Series:
    return pd.Series(DAYS).dt.tz_localize(zone if zone[0].isalpha() else datetime.strptime(zone, "%z").tzinfo)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_midnights_of_a_zone_are_the_dates_they_show(zone: str, unit: str) -> None:
    table = pd.DataFrame({"symbol": "A", "ts": localised(zone).dt.as_unit(unit), "close": 1.0})
    assert dates_of(Frame.from_pandas(DAILY, table)) == DAYS
    assert dates_of(Frame.from_pandas(DAILY, table.astype({"ts": object}))) == DAYS
    assert dates_of(Frame.from_pandas(DAILY, table.set_index("ts"))) == DAYS
    assert dates_of(Frame.from_arrow(DAILY, pa.Table.from_pandas(table, preserve_index=False))) == DAYS
    if zone[0].isalpha() and unit == "ns":
        assert dates_of(Frame.from_polars(DAILY, pl.from_pandas(table))) == DAYS


@pytest.mark.parametrize("zone", [NEW_YORK, timezone(timedelta(hours=9)), UTC])
@pytest.mark.parametrize("odd", [{}, {"volume": 10**17}])
def test_midnights_of_rows_are_the_dates_they_show(zone: timezone | ZoneInfo, odd: dict[str, object]) -> None:
    rows = [{"symbol": "A", "ts": day.replace(tzinfo=zone), "close": 1.0, **odd} for day in DAYS]
    assert dates_of(Frame.from_records(DAILY, rows)) == DAYS


def test_a_midnight_of_utc_stays_whatever_zone_shows_it() -> None:
    ts = pd.Series(DAYS).dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    assert dates_of(Frame.from_pandas(DAILY, pd.DataFrame({"symbol": "A", "ts": ts}))) == DAYS
    rows = [{"symbol": "A", "ts": moment.to_pydatetime()} for moment in ts]
    assert dates_of(Frame.from_records(DAILY, rows)) == DAYS


@pytest.mark.parametrize("zone", [None, NEW_YORK, timezone(timedelta(hours=1))])
def test_any_other_time_of_day_is_refused_with_what_is_allowed(zone: timezone | ZoneInfo | None) -> None:
    moment = datetime(2024, 3, 8, 5, tzinfo=UTC)  # midnight in New York, but nothing says so
    moment = moment if zone is None else moment.astimezone(zone) + timedelta(hours=3)
    table = pd.DataFrame({"symbol": ["A"], "ts": [pd.Timestamp(moment)]})
    makers: list[Callable[[], Frame]] = [
        lambda: Frame.from_records(DAILY, [{"symbol": "A", "ts": moment}]),
        lambda: Frame.from_pandas(DAILY, table),
        lambda: Frame.from_arrow(DAILY, pa.Table.from_pandas(table)),
    ]
    for make in makers:
        with pytest.raises(
            ValueError, match=r"daily_bars\.ts: .* has a time of day; daily bars bear the session's date"
        ):
            make()


def test_bars_of_other_dimensions_keep_their_moments() -> None:
    rows = [{"symbol": "A", "interval": "1d", "ts": day.replace(tzinfo=NEW_YORK)} for day in DAYS]
    assert [stamp.hour for stamp in dates_of(Frame.from_records("intraday", rows))] == [5, 4, 5]
