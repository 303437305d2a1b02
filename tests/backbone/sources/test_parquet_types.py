"""Parquet files as their writers type them: times in all types, decimals, whole numbers, columns that nobody needs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.domain import Frame
from backbone.sources.errors import InputInvalid
from backbone.sources.parquet import ParquetSource
from backbone.sources.port import BadRow
from tests.campaigns import so_many

AT = datetime(2024, 3, 8, 16, tzinfo=UTC)
SECONDS = 1_709_913_600


def trades(path: Path, ts: pa.Array, **columns: Any) -> ParquetSource:
    pq.write_table(pa.table({"ts": ts, "symbol": ["A"] * len(ts), "price": [1.0] * len(ts), **columns}), path)
    return ParquetSource(path, "trades")


def read(source: ParquetSource) -> tuple[Frame, list[BadRow]]:
    chunks = list(source.chunks())
    return Frame.concat([chunk.frame for chunk in chunks]), [bad for chunk in chunks for bad in chunk.quarantined]


@pytest.mark.parametrize(
    "ts",
    [
        pa.array([SECONDS]),
        pa.array([SECONDS], pa.uint32()),
        pa.array([SECONDS * 10**3]),
        pa.array([SECONDS * 10**6]),
        pa.array([SECONDS * 10**9]),
        pa.array([float(SECONDS)]),
        pa.array([SECONDS * 1e3]),
        pa.array([Decimal(SECONDS)]),
        pa.array([AT], pa.timestamp("ns", "UTC")),
        pa.array([AT], pa.timestamp("s", "-05:00")),
        pa.array([AT], pa.timestamp("ms", "America/New_York")),
        pa.array(["2024-03-08T16:00:00Z"]),
        pa.array(["2024-03-08 11:00:00-05:00"], pa.large_string()),
        pa.array(["1709913600000"]).dictionary_encode(),
    ],
    ids=lambda ts: f"{ts.type} {ts[0]}",
)
def test_a_moment_is_the_same_in_whatever_type_it_is_stored(tmp_path: Path, ts: pa.Array) -> None:
    frame, bad = read(trades(tmp_path / "t.parquet", ts))
    assert (frame.start, bad) == (AT, [])


def test_seconds_as_floats_keep_their_fractions(tmp_path: Path) -> None:
    frame, _ = read(trades(tmp_path / "t.parquet", pa.array([SECONDS + 0.123, SECONDS - 0.000001])))
    assert frame.to_arrow()["ts"].to_pylist() == [AT.replace(hour=15, minute=59, second=59, microsecond=999_999),
                                                   AT.replace(microsecond=123_000)]  # fmt: skip


@pytest.mark.parametrize(
    "ts",
    [
        pa.array([20240308]),
        pa.array(["2024-03-08"]),
        pa.array([date(2024, 3, 8)]),
        pa.array([datetime(2024, 3, 8, 5, tzinfo=UTC)], pa.timestamp("us", "America/New_York")),
        pa.array([datetime(2024, 3, 8, 5, tzinfo=UTC)], pa.timestamp("us", "-05:00")),
        pa.array([1_709_856_000_000]),
    ],
    ids=lambda ts: f"{ts.type} {ts[0]}",
)
def test_a_session_is_the_same_in_whatever_type_it_is_stored(tmp_path: Path, ts: pa.Array) -> None:
    bar = {name: [1.0] for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"ts": ts, **bar}), tmp_path / "d.parquet")
    frame, bad = read(ParquetSource(tmp_path / "d.parquet", "daily", symbol="A"))
    assert (frame.start, bad) == (datetime(2024, 3, 8, tzinfo=UTC), [])


def test_nanoseconds_are_cut_and_it_is_said(tmp_path: Path) -> None:
    stamps = pa.array([SECONDS * 10**9, SECONDS * 10**9 + 1_001, SECONDS * 10**9 + 2_000], pa.timestamp("ns", "UTC"))
    for ts in (stamps, stamps.cast(pa.int64())):
        source = trades(tmp_path / "t.parquet", ts)
        frame, bad = read(source)
        assert ([at.microsecond for at in frame.to_arrow()["ts"].to_pylist()], bad) == ([0, 1, 2], [])
        assert [note[:61] for note in source.account.notes] == [
            "ts of 1 row was finer than a microsecond and was cut to micro"
        ]


def test_times_that_are_none_are_quarantined_and_say_why(tmp_path: Path) -> None:
    texts = [
        "2024-03-08T16:00:00Z",
        "2024-03-08T17:00:00Z",
        "yesterday",
        "1709913600",
        "03/08/2024",
        "1706-01-01T00:00Z",
    ]
    _, bad = read(trades(tmp_path / "t.parquet", pa.array([*texts, None])))
    assert [each.location for each in bad] == [f"t.parquet:{row}" for row in range(3, 8)]
    words = ["ts is not a time; give", "dates, not numbers", "--time-format", "ts lies outside", "ts is empty"]
    assert all(word in each.reason for word, each in zip(words, bad, strict=True))


@pytest.mark.parametrize(
    ("ts", "words"),
    [
        (pa.array(["03/07/2024"]), "--time-format"),
        (pa.array([45359, 45360]), "--time-unit"),
        (pa.array(["2024-03-08 16:00"]), "--zone"),
        (pa.array([[1]]), r"column ts is list<.*timestamp is needed"),
    ],
    ids=str,
)
def test_times_that_have_to_be_told_are_refused(tmp_path: Path, ts: pa.Array, words: str) -> None:
    with pytest.raises(InputInvalid, match=words):
        read(trades(tmp_path / "t.parquet", ts))


def test_a_zone_of_a_column_that_nobody_knows_is_refused_where_it_matters(tmp_path: Path) -> None:
    stamps = pa.array([SECONDS], pa.timestamp("s", "Mars/Base"))
    assert read(trades(tmp_path / "t.parquet", stamps))[0].start == AT
    bar = {name: [1.0] for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"ts": stamps, **bar}), tmp_path / "d.parquet")
    with pytest.raises(InputInvalid, match="'Mars/Base' is not known"):
        read(ParquetSource(tmp_path / "d.parquet", "daily", symbol="A"))


def test_a_format_and_a_unit_that_are_told_hold(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    trades(path, pa.array(["03/07/2024 16:00"]))
    source = ParquetSource(path, "trades", time_format="%m/%d/%Y %H:%M", zone="UTC")
    assert read(source)[0].start == datetime(2024, 3, 7, 16, tzinfo=UTC)
    trades(path, pa.array([19_790]))
    assert read(ParquetSource(path, "trades", time_unit="s"))[0].start == datetime(1970, 1, 1, 5, 29, 50, tzinfo=UTC)


def test_the_name_of_a_column_tells_zone_and_order_as_in_text(tmp_path: Path) -> None:
    bar = {name.title(): [1.0] for name in ("open", "high", "low", "close", "volume")}
    for ts in (pa.array(["08.03.2024 16:00:00.000"]), pa.array([AT.replace(tzinfo=None)], pa.timestamp("us"))):
        pq.write_table(pa.table({"Gmt time": ts, **bar}), tmp_path / "b.parquet")
        frame, bad = read(ParquetSource(tmp_path / "b.parquet", "intraday", symbol="A", interval="1h"))
        assert (frame.start, bad) == (AT, [])


def test_columns_that_nobody_needs_are_left_out_with_a_reason(tmp_path: Path) -> None:
    source = trades(
        tmp_path / "t.parquet", pa.array([SECONDS]), conditions=[["@", "I"]], size=[{"n": 1}], venue=[4], tape=["C"]
    )
    frame, bad = read(source)
    assert (frame.column("venue").tolist(), frame.to_arrow()["conditions"].to_pylist(), bad) == (["4"], [None], [])
    assert source.account.ignored["conditions"].startswith("conditions is string, this is list<")
    assert source.account.ignored["size"] == "size is double, this is struct<n: int64>"
    assert "tape" in source.account.ignored
    assert source.account.columns == {"ts": "ts", "symbol": "symbol", "price": "price", "venue": "venue"}


def test_a_price_is_not_lost_over_what_else_its_row_says(tmp_path: Path) -> None:
    source = trades(
        tmp_path / "t.parquet", pa.array([SECONDS] * 3), size=[2**53 + 1, 12, None], venue=["X" * 2000, "A\0", "B"],
    )  # fmt: skip
    frame, bad = read(source)
    assert (frame.to_arrow()["size"].to_pylist(), bad) == ([2.0**53, 12.0, None], [])
    assert frame.to_arrow()["venue"].to_pylist() == [None, None, "B"]
    assert [note[:56] for note in source.account.notes] == [
        "venue of 2 rows could not be read and is missing there, s"[:56]
    ]


@pytest.mark.campaign
@settings(max_examples=so_many(60, part=30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices=st.lists(st.decimals(min_value="0.00001", max_value=10**12, places=5), min_size=1, max_size=30))
def test_a_decimal_is_the_double_nearest_to_it(tmp_path: Path, prices: list[Decimal]) -> None:
    path = tmp_path / "t.parquet"
    stamps = pa.array(range(SECONDS, SECONDS + len(prices)))
    table = pa.table({"ts": stamps, "symbol": ["A"] * len(prices), "price": pa.array(prices, pa.decimal128(18, 5))})
    pq.write_table(table, path)
    assert read(ParquetSource(path, "trades"))[0].column("price").tolist() == [float(price) for price in prices]


@pytest.mark.parametrize("ts", [pa.array([date(2024, 3, 8)] * 2), pa.array(["2024-03-08"] * 2)], ids=["date", "text"])
def test_dates_that_rows_share_ask_for_the_time_of_day(tmp_path: Path, ts: pa.Array) -> None:
    pq.write_table(pa.table({"ts": ts, "clock": ["09:30", "09:31"], "price": [1.0, 1.1]}), tmp_path / "t.parquet")
    with pytest.raises(InputInvalid, match=r"dates alone, of which several rows have '2024-03-08'"):
        read(ParquetSource(tmp_path / "t.parquet", "trades", symbol="A", zone="UTC"))


def test_nanoseconds_before_1970_are_cut_to_the_microsecond_they_lie_in(tmp_path: Path) -> None:
    frame, bad = read(trades(tmp_path / "t.parquet", pa.array([-1500], pa.timestamp("ns", "UTC"))))
    assert (frame.start, bad) == (datetime(1969, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC), [])


def test_an_endless_size_is_missing_and_the_account_says_so(tmp_path: Path) -> None:
    source = trades(tmp_path / "t.parquet", pa.array([AT]), size=[float("inf")])
    frame, bad = read(source)
    assert (frame.to_arrow()["size"].to_pylist(), bad) == ([None], [])
    assert source.account.notes == ["size of 1 row could not be read and is missing there, such as 'inf'"]
