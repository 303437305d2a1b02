from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame, arguments
from backbone.domain.schema import arrow_schema

from .conftest import bars_table

BARS = Dimension.INTRADAY_BARS
T0 = datetime(2024, 1, 1, tzinfo=UTC)


def bar(symbol: object = "EURUSD", hour: int = 0, **values: object) -> dict[str, object]:
    return {"symbol": symbol, "interval": "1h", "ts": T0 + timedelta(hours=hour), **values}


def trade(symbol: str, hour: int, price: float, **values: object) -> dict[str, object]:
    return {"symbol": symbol, "ts": T0 + timedelta(hours=hour), "price": price, **values}


# making frames


def test_a_frame_has_the_exact_schema_and_one_chunk_per_column() -> None:
    table = pa.concat_tables([bars_table(3), bars_table(4, first=10)])
    frame = Frame.from_arrow(BARS, table)
    assert frame.to_arrow().schema.equals(arrow_schema(BARS))
    assert {column.num_chunks for column in frame.to_arrow().columns} == {1}


def test_rows_are_sorted_by_key() -> None:
    frame = Frame.from_records(BARS, [bar("B", 1), bar("A", 2), bar("B", 0), bar("A", 1)])
    hours = (frame.column("ts") - np.datetime64("2024-01-01")).astype("m8[h]").astype(int)
    assert list(zip(frame.column("symbol"), hours, strict=True)) == [("A", 1), ("A", 2), ("B", 0), ("B", 1)]


def test_text_is_ordered_as_utf8() -> None:
    symbols = ["Zürich", "z", "A", "É", "日", "🐂", "a.b", "a-b"]
    frame = Frame.from_records(BARS, [bar(symbol) for symbol in symbols])
    assert list(frame.symbols) == sorted(symbols, key=str.encode)
    assert list(frame.column("symbol")) == sorted(symbols)


def test_of_rows_with_one_key_the_last_given_is_kept() -> None:
    frame = Frame.from_records(BARS, [bar(hour=1, close=1.0), bar(close=5.0), bar(hour=1, close=2.0), bar(close=6.0)])
    assert frame.column("close").tolist() == [6.0, 2.0]


def test_of_rows_that_are_all_one_key_only_the_last_is_kept() -> None:
    frame = Frame.from_records(BARS, [bar(close=float(n)) for n in range(5)])
    assert frame.column("close").tolist() == [4.0]


def test_columns_may_come_in_any_order_and_value_columns_may_be_missing() -> None:
    table = bars_table(5)
    shuffled = table.select(["close", "ts", "interval", "symbol"])
    frame = Frame.from_arrow(BARS, shuffled)
    assert frame.to_arrow().column_names == list(BARS.columns)
    assert frame.to_arrow()["open"].null_count == 5
    assert frame.to_arrow()["close"].equals(table["close"])


def test_nan_becomes_null_and_reads_as_nan() -> None:
    frame = Frame.from_records(BARS, [bar(close=float("nan")), bar(hour=1, close=1.5), bar(hour=2, close=None)])
    assert frame.to_arrow()["close"].to_pylist() == [None, 1.5, None]
    assert np.isnan(frame.column("close")[[0, 2]]).all()


def test_nan_and_null_and_negative_zero_leave_no_trace_in_the_bytes() -> None:
    table = bars_table(4).drop_columns(["close"])
    variants = [
        pa.array([np.nan, 0.0, 1.0, np.nan]),
        pa.array([None, -0.0, 1.0, None], pa.float64()),
        pa.array(np.array([7.0, -0.0, 1.0, np.nan]), mask=np.array([True, False, False, False])),
    ]
    frames = [Frame.from_arrow(BARS, table.append_column("close", variant)) for variant in variants]
    assert len({frame.canonical_bytes() for frame in frames}) == 1
    assert frames[0] == frames[1] == frames[2]


def test_trades_without_a_sequence_have_none_until_they_are_stored_and_are_all_kept() -> None:
    rows = [trade("B", 0, 1.0), trade("A", 1, 2.0), trade("B", 0, 3.0), trade("A", 0, 4.0), trade("B", 0, 3.0)]
    frame = Frame.from_records(Dimension.TRADES, rows)
    assert frame.column("symbol").tolist() == ["A", "A", "B", "B", "B"]
    assert frame.to_arrow().column("sequence").null_count == 5
    assert frame.column("price").tolist() == [4.0, 2.0, 1.0, 3.0, 3.0]


def test_quotes_without_a_sequence_of_one_symbol_and_moment_stay_as_given_behind_those_that_have_one() -> None:
    rows: list[dict[str, object]] = [{"symbol": "A", "ts": T0, "bid": float(n)} for n in (3, 1, 2)]
    rows += [{"symbol": "A", "ts": T0, "bid": 4.0, "sequence": sequence} for sequence in (9, 2**63 - 1)]
    frame = Frame.from_records(Dimension.QUOTES, rows)
    assert frame.column("bid").tolist() == [4.0, 4.0, 3.0, 1.0, 2.0]
    assert frame.to_arrow().column("sequence").to_pylist() == [9, 2**63 - 1, None, None, None]
    assert Frame.concat([frame, frame]).column("bid").tolist() == [4.0, 4.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]


def test_an_order_book_needs_its_sequence() -> None:
    with pytest.raises(ValueError, match="key column 'sequence' missing"):
        Frame.from_records(Dimension.ORDER_BOOK, [{"symbol": "A", "ts": T0, "side": "bid", "level": 0, "price": 1.0}])


def test_macro_events_are_kept_by_calendar() -> None:
    rows = [{"calendar": calendar, "event": "CPI", "ts": T0, "actual": 3.1} for calendar in ("US", "EU")]
    frame = Frame.from_records("macro", rows)
    assert frame.symbols == ("EU", "US")
    assert [symbol for symbol, _ in frame.split_by_symbol()] == ["EU", "US"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_stamps_of_any_unit_and_zone_become_microseconds_in_utc(unit: str) -> None:
    stamps = pa.array([T0.replace(tzinfo=None)], pa.timestamp(unit)).cast(pa.timestamp(unit, tz="Asia/Tokyo"))
    table = bars_table(1).set_column(2, "ts", stamps)
    assert Frame.from_arrow(BARS, table).start == T0


def test_numbers_of_other_types_are_taken_when_they_fit_exactly() -> None:
    table = pa.table(
        {
            "symbol": pa.array(["A"]).dictionary_encode(),
            "ts": pa.array([T0]),
            "sequence": pa.array([2.0]),
            "price": pa.array([Decimal("1.25")]),
            "size": pa.array([7], pa.uint16()),
            "venue": pa.array(["X"], pa.large_string()),
            "conditions": pa.array(["@"], pa.string_view()),
        }
    )
    row = Frame.from_arrow(Dimension.TRADES, table).to_arrow().to_pylist()[0]
    assert row == {
        "symbol": "A",
        "ts": T0,
        "sequence": 2,
        "price": 1.25,
        "size": 7.0,
        "venue": "X",
        "conditions": "@",
    }


# what is refused


def broken(name: str, column: Any) -> pa.Table:
    table = bars_table(2)
    return table.set_column(table.column_names.index(name), name, column)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (broken("open", pa.array(["1", "2"])), r"intraday_bars\.open: string given; allowed are numbers"),
        (broken("open", pa.array([True, False])), r"open: bool given; allowed are numbers"),
        (broken("open", pa.array([2**60 + 1, 1])), r"open: int64 given does not fit numbers \(float64\) exactly"),
        (broken("ts", pa.array([1, 2], pa.timestamp("us"))), "ts: timestamps without a time zone given"),
        (broken("ts", pa.array([1, 2], pa.timestamp("ns", "UTC"))), r"ts: timestamp\[ns, tz=UTC\] given does not fit"),
        (broken("ts", pa.array([date(2024, 1, 1)] * 2)), "ts: date32.* given; allowed are timestamps with a time zone"),
        (broken("ts", pa.array([1, 2])), "ts: int64 given; allowed are timestamps"),
        (broken("ts", pa.array([None, T0])), "ts: no value in row 0 .1 rows in all.; a key column needs one"),
        (broken("ts", pa.array([0, 2**62], pa.timestamp("us", "UTC"))), "outside the years 1 to 9999"),
        (broken("ts", pa.array([0, -(2**62)], pa.timestamp("us", "UTC"))), "outside the years 1 to 9999"),
        (broken("ts", pa.array([0, 2**62], pa.timestamp("s", "UTC"))), "ts: .* does not fit"),
        (broken("symbol", pa.array(["A", None])), "symbol: no value in row 1"),
        (broken("symbol", pa.array(["A", ""])), "symbol: empty text given in row 1"),
        (broken("symbol", pa.array(["A", "B\0"])), "symbol: text with a NUL character given in row 1"),
        (broken("symbol", pa.array([1, 2])), "symbol: int64 given; allowed are text"),
        (broken("symbol", pa.array([b"A", b"B"])), "symbol: binary given; allowed are text"),
        (broken("interval", pa.nulls(2)), "interval: no value in row 0"),
        (bars_table(2).append_column("bid", pa.array([1.0, 2.0])), "unknown column 'bid'; the columns are symbol, int"),
        (bars_table(2).append_column("open", pa.array([1.0, 2.0])), "column 'open' given more than once"),
        (bars_table(2).drop_columns(["ts", "symbol"]), "key column 'symbol', 'ts' missing; given were interval, open"),
    ],
)
def test_a_column_that_is_not_allowed_is_refused_with_what_was_given_and_what_is_allowed(
    table: pa.Table, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Frame.from_arrow(BARS, table)


class Listed(str, Enum):  # noqa: UP042  this is what is asked about
    """Texts with names, as many programs have their symbols; `str` of one gives the name in such an Enum."""

    EURO = "EURUSD"


def test_a_text_that_has_a_name_is_kept_as_the_text() -> None:
    frame = Frame.from_records(BARS, [bar(Listed.EURO, 0, close=1.0), bar("EURUSD", 1, close=2.0)])
    assert {*frame.column("symbol").tolist()} == {"EURUSD"}
    assert {type(each) for each in frame.column("symbol").tolist()} == {str}
    [symbol] = arguments.symbols([Listed.EURO])
    assert (symbol, type(symbol)) == ("EURUSD", str)


def test_text_that_is_not_utf8_is_refused() -> None:
    foul = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]
    )
    with pytest.raises(ValueError, match="symbol: text that is not UTF-8 given"):
        Frame.from_arrow(BARS, broken("symbol", foul))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (bar(open=True), r"open: True given in row 0; allowed is a number"),
        (bar(open=np.bool_(True)), "open: .* given in row 0; allowed is a number"),
        (bar(open="1.0"), "open: '1.0' given in row 0; allowed is a number"),
        ({**bar(), "ts": T0.replace(tzinfo=None)}, "ts: .* has no time zone"),
        ({**bar(), "ts": "2024-01-01T00:00:00Z"}, "allowed is a datetime with a time zone"),
        ({**bar(), "ts": pd.Timestamp(1, unit="ns", tz="UTC")}, "allowed is a datetime of whole microseconds"),
        (bar(symbol=3), "symbol: 3 given in row 0; allowed is text"),
        (bar(symbol="\ud800"), "symbol: a value that does not fit"),
        (bar(open=10**400), "open: 1000"),
        (bar(bid=1.0), "unknown column 'bid'"),
        ({"symbol": "A", "interval": "1h"}, "key column 'ts' missing"),
        (bar(symbol=None), "symbol: no value in row 0"),
    ],
)
def test_a_record_with_a_value_of_a_wrong_type_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Frame.from_records(BARS, [row])


@pytest.mark.parametrize("key", [1, None, b"symbol", ("symbol", "A")])
def test_a_column_whose_name_is_no_text_is_refused_with_what_is_allowed(key: object) -> None:
    with pytest.raises(TypeError, match="as the name of a column in a row; allowed is text"):
        Frame.from_records(BARS, [bar(), {**bar(), key: 1.0}])  # type: ignore[dict-item]


def test_a_value_that_is_long_is_shown_in_part_where_it_is_refused() -> None:
    with pytest.raises(ValueError, match="open: 1000") as told:
        Frame.from_records(BARS, [bar(open=10**400)])
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("sequence", [1.5, "1", True, float("nan"), float("inf"), 2**70])
def test_a_sequence_that_is_no_whole_number_of_64_bits_is_refused(sequence: object) -> None:
    with pytest.raises(ValueError, match=r"trades\.sequence"):
        Frame.from_records(Dimension.TRADES, [trade("A", 0, 1.0, sequence=sequence)])


def test_a_fraction_in_a_whole_number_column_is_refused() -> None:
    table = pa.table({"symbol": ["A"], "ts": pa.array([T0]), "sequence": [1.5], "price": [1.0]})
    with pytest.raises(ValueError, match="sequence: double given does not fit whole numbers"):
        Frame.from_arrow(Dimension.TRADES, table)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="dict given; give an Arrow table"):
        Frame.from_arrow(BARS, {"symbol": ["A"]})


def test_a_frame_is_not_constructed_directly() -> None:
    with pytest.raises(TypeError, match=r"Frame\.from_arrow"):
        Frame()


# other libraries


def test_arrow_polars_pandas_and_records_give_the_same_frame(bars: Frame) -> None:
    assert Frame.from_polars(BARS, bars.to_polars()) == bars
    assert Frame.from_polars(BARS, bars.to_polars().sample(fraction=1.0, shuffle=True, seed=1)) == bars
    assert Frame.from_pandas(BARS, bars.to_pandas()) == bars
    assert Frame.from_records(BARS, bars.to_arrow().to_pylist()) == bars
    assert Frame.from_arrow(BARS, bars.to_arrow().to_batches()[0]) == bars
    assert Frame.from_arrow(BARS, bars.to_polars()) == bars


def test_pandas_index_levels_named_as_columns_count_as_columns(bars: Frame) -> None:
    indexed = bars.to_pandas().set_index(["symbol", "ts"])
    assert Frame.from_pandas(BARS, indexed) == bars
    assert Frame.from_pandas(BARS, bars.to_pandas().iloc[::-1]) == bars


def test_pandas_objects_are_looked_at_one_by_one() -> None:
    good: dict[str, list[Any]] = {"symbol": ["A", "B"], "interval": ["1h", "1h"], "ts": [T0, T0]}
    frame = Frame.from_pandas(BARS, pd.DataFrame({**good, "open": [1, None]}, dtype=object))
    assert frame.to_arrow()["open"].to_pylist() == [1.0, None]
    for column, values in {"open": [True, 1.0], "ts": [T0, T0.replace(tzinfo=None)], "volume": ["1", 2]}.items():
        with pytest.raises(ValueError, match=f"{column}: "):
            Frame.from_pandas(BARS, pd.DataFrame({**good, column: values}, dtype=object))


def test_naive_pandas_and_polars_stamps_are_refused(bars: Frame) -> None:
    naive = bars.to_pandas().assign(ts=bars.to_pandas()["ts"].dt.tz_localize(None))
    with pytest.raises(ValueError, match="without a time zone"):
        Frame.from_pandas(BARS, naive)
    with pytest.raises(ValueError, match="without a time zone"):
        Frame.from_polars(BARS, bars.to_polars().with_columns(pl.col("ts").dt.replace_time_zone(None)))


def test_columns_as_numpy_are_views_that_can_not_be_written_to(bars: Frame) -> None:
    assert bars.column("ts").dtype == np.dtype("M8[us]")
    assert np.shares_memory(bars.column("open"), bars.column("open"))
    for name in ("ts", "open", "volume", "symbol"):
        with pytest.raises(ValueError, match="read-only"):
            bars.column(name)[0] = bars.column(name)[1]
    assert np.isnan(bars.column("volume")).all()
    with pytest.raises(ValueError, match="has no column 'bid'; it has symbol, interval"):
        bars.column("bid")


# what a frame knows


def test_a_frame_knows_its_rows_symbols_and_span() -> None:
    frame = Frame.from_records(BARS, [bar("B", 5), bar("A", 7), bar("B", 6)])
    assert (frame.dimension, frame.num_rows, len(frame), frame.symbols) == (BARS, 3, 3, ("A", "B"))
    assert (frame.start, frame.end) == (T0 + timedelta(hours=5), T0 + timedelta(hours=7))
    assert frame.start is not None
    assert frame.start.tzinfo is UTC
    assert repr(frame) == "<Frame intraday_bars 3 rows A,B 2024-01-01T05:00:00Z to 2024-01-01T07:00:00Z>"


@pytest.mark.parametrize("dimension", Dimension)
def test_an_empty_frame_of_any_dimension_works_like_any_other(dimension: Dimension) -> None:
    frame = Frame.empty(dimension)
    assert (len(frame), frame.symbols, frame.start, frame.end, frame.split_by_symbol()) == (0, (), None, None, [])
    assert frame == Frame.from_records(dimension, []) == Frame.from_polars(dimension, frame.to_polars())
    assert frame == frame.newest(3) == frame.select(symbols=["A"], start=T0) == frame.slice(0, 5)
    assert frame == Frame.concat([frame, frame]) == Frame.from_pandas(dimension, frame.to_pandas())
    assert {len(frame.column(name)) for name in dimension.columns} == {0}
    assert repr(frame) == f"<Frame {dimension} 0 rows >"


def test_equality_is_of_dimension_and_content_but_not_of_staleness(bars: Frame) -> None:
    stale = bars.as_stale()
    assert stale.stale
    assert not bars.stale
    assert stale == bars
    assert hash(stale) == hash(bars)
    assert stale.fingerprint == bars.fingerprint
    assert stale.newest(1).stale
    assert bars != bars.slice(0, 99)
    assert bars != "bars"
    assert Frame.empty("trades") != Frame.empty("quotes")
    assert repr(stale).endswith(" stale>")


def test_frames_are_joined_and_the_later_one_wins() -> None:
    older = Frame.from_records(BARS, [bar(hour=0, close=1.0), bar(hour=1, close=1.0)])
    newer = Frame.from_records(BARS, [bar(hour=1, close=2.0), bar(hour=2, close=2.0)])
    assert Frame.concat([older, newer]).column("close").tolist() == [1.0, 2.0, 2.0]
    assert Frame.concat([newer, older]).column("close").tolist() == [1.0, 1.0, 2.0]
    assert Frame.concat([older.as_stale(), newer]).stale
    assert Frame.concat(iter([older])) == older


def test_frames_of_different_dimensions_or_none_are_not_joined() -> None:
    with pytest.raises(ValueError, match="frames of quotes, trades given"):
        Frame.concat([Frame.empty("trades"), Frame.empty("quotes")])
    with pytest.raises(ValueError, match="frames of no dimension given"):
        Frame.concat([])


# choosing rows


@pytest.fixture
def two() -> Frame:
    return Frame.concat([Frame.from_arrow(BARS, bars_table(10, symbol)) for symbol in ("A", "B")])


def test_the_newest_rows_are_taken_over_all_symbols_in_key_order(two: Frame) -> None:
    newest = two.newest(3)
    assert newest.column("symbol").tolist() == ["A", "B", "B"]
    assert newest.column("ts").astype("M8[h]").astype(int).tolist() == [9, 8, 9]
    assert two.newest(100) is two
    assert len(two.newest(0)) == 0
    with pytest.raises(ValueError, match="n=-1 given; allowed: 0 to"):
        two.newest(-1)


def test_rows_are_selected_by_symbol_time_and_interval(two: Frame) -> None:
    def at(hour: int) -> datetime:
        return datetime(1970, 1, 1, hour, tzinfo=UTC)

    chosen = two.select(symbols=["B", "C"], start=at(2), end=at(4))
    assert chosen.symbols == ("B",)
    assert (chosen.start, chosen.end, len(chosen)) == (at(2), at(4), 3)
    assert two.select() is two
    assert two.select(interval="1h") is two
    assert len(two.select(interval="1d")) == len(two.select(symbols=[])) == 0
    assert len(two.select(start=at(8))) == 4
    plus_two = timezone(timedelta(hours=2))
    assert two.select(end=datetime(1970, 1, 1, 3, tzinfo=plus_two)) == two.select(end=at(1))


def test_a_selection_that_makes_no_sense_is_refused(two: Frame) -> None:
    with pytest.raises(TypeError, match=r"give a list, such as \['B'\]"):
        two.select(symbols="B")
    with pytest.raises(ValueError, match="has no time zone"):
        two.select(start=datetime(1970, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="trades has no interval"):
        Frame.empty("trades").select(interval="1h")


def test_a_frame_is_split_by_symbol_without_loss(two: Frame) -> None:
    parts = two.split_by_symbol()
    assert [(symbol, part.symbols, len(part)) for symbol, part in parts] == [("A", ("A",), 10), ("B", ("B",), 10)]
    assert Frame.concat(part for _, part in parts) == two
    assert parts[1][1].canonical_bytes() == Frame.from_arrow(BARS, bars_table(10, "B")).canonical_bytes()


def test_a_slice_of_a_frame_is_a_frame_of_those_rows(two: Frame) -> None:
    part = two.slice(8, 4)
    assert part.symbols == ("A", "B")
    assert part == Frame.from_arrow(BARS, two.to_arrow().slice(8, 4))
    assert part.fingerprint == Frame.from_records(BARS, part.to_arrow().to_pylist()).fingerprint
    assert len(two.slice(19)) == 1
    assert len(two.slice(25, 3)) == 0
    with pytest.raises(ValueError, match="offset=-1 given; allowed: 0 to"):
        two.slice(-1)


def test_bars_of_one_interval_are_the_same_bars_however_it_is_spelt() -> None:
    def frame(*intervals: str) -> Frame:
        rows = [{"symbol": "A", "interval": each, "ts": T0, "close": float(n)} for n, each in enumerate(intervals)]
        return Frame.from_records(BARS, rows)

    assert frame("60m", "1 hr", "1h").to_arrow().column("interval").to_pylist() == ["1h"]
    assert frame("60m", "1h").column("close").tolist() == [1.0]
    assert frame("5min", "60m").to_arrow().column("interval").to_pylist() == ["1h", "5m"]
    with pytest.raises(ValueError, match="unknown interval '7m'; use one of: 1s, 5s"):
        frame("1h", "7m")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda any_frame: any_frame.from_records(BARS, {"symbol": "A"}), "one for each row"),
        (lambda any_frame: any_frame.from_records(BARS, ["A"]), "allowed is a mapping"),
        (lambda any_frame: any_frame.from_records(BARS, 7), "one for each row"),
        (lambda any_frame: any_frame.from_polars(BARS, [1]), "allowed is a polars.DataFrame"),
        (lambda any_frame: any_frame.from_pandas(BARS, [1]), "allowed is a pandas.DataFrame"),
        (lambda any_frame: any_frame.concat(any_frame.empty(BARS)), "as a list"),
        (lambda any_frame: any_frame.concat([1]), "allowed is a Frame"),
        (lambda any_frame: any_frame.empty(BARS).newest("3"), "n='3' given"),
        (lambda any_frame: any_frame.empty(BARS).newest(True), "n=True given"),
        (lambda any_frame: any_frame.empty(BARS).slice(1.5), "offset=1.5 given"),
        (lambda any_frame: any_frame.empty(BARS).column(3), "name=3 given"),
        (lambda any_frame: any_frame.empty(BARS).select(start="2024-01-01"), "allowed is a datetime with a time zone"),
        (lambda any_frame: any_frame.empty(BARS).select(interval=60), "allowed is text, such as '1h'"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_allowed(make: Callable[[Any], Frame], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make(Frame)


def test_a_frame_is_read_by_every_library_that_knows_arrow_streams() -> None:
    frame = Frame.from_arrow(BARS, bars_table(3))
    assert pa.table(frame) == frame.to_arrow()


def test_a_notebook_draws_a_table_of_the_first_and_the_last_rows() -> None:
    rows = [{"symbol": "<b>A", "interval": "1h", "ts": T0 + timedelta(hours=n), "close": float(n)} for n in range(50)]
    drawn = Frame.from_records(BARS, rows)._repr_html_()
    assert drawn.count("<tr>") == 1 + 20 + 1
    assert "&lt;b&gt;A" in drawn
    assert "<b>" not in drawn
    assert "50 rows" in drawn


BAD_NAMES = [
    (" ", "blank text"),
    ("\t", "blank text"),
    ("é" * 600, "1,200 bytes given"),
    ("A\x1b[31m", r"control or invisible character U\+001B"),
    ("A\x85B", r"U\+0085"),
    ("A\u202eB", r"U\+202E"),
    ("A\u2066", r"U\+2066"),
    ("A\u200b", r"U\+200B"),
]


@pytest.mark.parametrize(("symbol", "why"), BAD_NAMES)
def test_a_name_that_nobody_could_ask_for_again_is_refused_of_new_rows_only(symbol: str, why: str) -> None:
    table = bars_table(2, symbol)
    makers: list[Callable[[], Frame]] = [
        lambda: Frame.from_arrow(BARS, table),
        lambda: Frame.from_arrow(BARS, table, presorted=True),
        lambda: Frame.from_pandas(BARS, table.to_pandas()),
        lambda: Frame.from_polars(BARS, pl.from_arrow(table)),
        lambda: Frame.from_records(BARS, table.to_pylist()[:1]),
        lambda: Frame.from_records(BARS, table.to_pylist() * 600),
    ]
    for make in makers:
        with pytest.raises(ValueError, match=why):
            make()
    assert Frame.of_known(BARS, table).symbols == (symbol,)


def test_every_text_has_a_bound_and_those_outside_the_key_are_kept_as_they_came() -> None:
    row = {"symbol": "A", "ts": T0, "sequence": 1, "price": 1.0}
    for length, kind in [(1, list), (2000, list), (1, pa.Table.from_pylist), (2000, pa.Table.from_pylist)]:
        make = Frame.from_records if kind is list else Frame.from_arrow
        rows = [{**row, "sequence": n, "venue": "\u202eX\x1b[31m" if n else "v" * 1024} for n in range(length)]
        assert make(Dimension.TRADES, kind(rows)).to_arrow()["venue"].to_pylist() == [each["venue"] for each in rows]
        rows[-1]["venue"] = "é" * 513
        with pytest.raises(ValueError, match=r"trades\.venue: a text of 1,026 bytes given; allowed are 1,024"):
            make(Dimension.TRADES, kind(rows))
