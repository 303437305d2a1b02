"""Times and numbers in delimited files: what their columns show, what is told, what a row is not lost over."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backbone.domain import Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid
from backbone.sources.port import BadRow

BARS = "ts,open,high,low,close,volume"
AT = datetime(2024, 3, 8, 15, tzinfo=UTC)


def source(path: Path, lines: list[str], dimension: str = "intraday", **options: Any) -> CsvSource:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    interval = "1h" if dimension == "intraday" else None
    return CsvSource(path, dimension, symbol="A", interval=interval, **options)


def read(from_: CsvSource) -> tuple[Frame, list[BadRow]]:
    chunks = list(from_.chunks())
    return Frame.concat([chunk.frame for chunk in chunks]), [bad for chunk in chunks for bad in chunk.quarantined]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("1709910000", {}),
        ("1709910000000", {}),
        ("1709910000000000", {}),
        ("1709910000000000000", {}),
        ("1709910000.000", {}),
        ("2024-03-08 15:00:00 UTC", {}),
        ("2024-03-08T16:00:00+0100", {}),
        ("2024.03.08 10:00", {"zone": "America/New_York"}),
        ("20240308 100000", {"zone": "EST"}),
        ("03/08/2024 15:00", {"zone": "UTC", "time_format": "%m/%d/%Y %H:%M"}),
        ("08-Mar-2024 03:00 PM", {"zone": "UTC"}),
    ],
)
def test_a_bar_is_the_same_however_its_time_is_written(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    frame, bad = read(source(tmp_path / "b.csv", [BARS, f"{text},1,2,0.5,1.5,10"], **options))
    assert (frame.start, bad) == (AT, [])


def test_a_file_whose_source_changed_from_milliseconds_to_microseconds_is_read_through(tmp_path: Path) -> None:
    stamps = ["1735682400000", "1735686000000", "1735689600000000", "1735693200000000"]
    frame, bad = read(source(tmp_path / "b.csv", [BARS, *(f"{at},1,2,0.5,1.5,10" for at in stamps)]))
    assert [at.hour for at in frame.to_arrow()["ts"].to_pylist()] == [22, 23, 0, 1]
    assert bad == []


def test_a_column_is_numbers_or_dates_and_the_odd_ones_are_quarantined(tmp_path: Path) -> None:
    rows = ["1709906400000", "1709910000000", "1709913600000", "2024-03-08T17:00:00Z", "20240308", "1.709e12", "17099"]
    _, bad = read(source(tmp_path / "b.csv", [BARS, *(f"{at},1,2,0.5,1.5,10" for at in rows)]))
    assert [row.location for row in bad] == ["b.csv:5", "b.csv:6", "b.csv:7", "b.csv:8"]
    assert all("1706" not in row.reason for row in bad)


def test_a_date_and_a_time_in_two_columns_need_both(tmp_path: Path) -> None:
    lines = ["<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>", "2024.03.08,15:00,1,2,0.5,1.5", "2024.03.08,,1,2,0.5,1.5"]
    frame, bad = read(source(tmp_path / "b.csv", lines, zone="UTC", columns={"<DATE>+<TIME>": "ts"}))
    assert frame.start == AT
    assert [(row.location, row.reason) for row in bad] == [("b.csv:3", "ts is empty")]


@pytest.mark.parametrize(
    ("row", "volume"),
    [
        ('"1,150.00","1,160.50","1,140.00","1,154.00","12,300"', 12300.0),
        ("1150,1160.5,1140,1154,12.3K", 12300.0),
        ("1150,1160.5,1140,1154,-", None),
        ("1150,1160.5,1140,1154,N/A", None),
        ("1150,1160.5,1140,1154,nan", None),
        ("1150,1160.5,1140,1154,None", None),
        ("1150,1160.5,1140,1154,", None),
    ],
)
def test_the_numbers_of_a_bar_as_people_have_them(tmp_path: Path, row: str, volume: float | None) -> None:
    frame, bad = read(source(tmp_path / "b.csv", [BARS, f"2024-03-08T15:00:00Z,{row}"]))
    (bar,) = frame.to_arrow().to_pylist()
    assert ([bar[name] for name in ("open", "high", "low", "close", "volume")], bad) == (
        [1150.0, 1160.5, 1140.0, 1154.0, volume], []
    )  # fmt: skip


def test_decimal_commas_are_read_where_the_file_shows_them_or_they_are_told(tmp_path: Path) -> None:
    lines = [BARS.replace(",", ";"), "2024-03-08T15:00:00Z;10,50;10,80;10,40;10,70;1.200.300"]
    path = tmp_path / "b.csv"
    shown, told = (read(source(path, lines, **options))[0] for options in ({}, {"decimal": ","}))
    assert shown == told
    assert (shown.column("close").tolist(), shown.column("volume").tolist()) == ([10.7], [1200300.0])
    with pytest.raises(InputInvalid, match=r"thousands; say --decimal"):
        read(source(path, [lines[0], "2024-03-08T15:00:00Z;1,093;1,095;1,091;1,094;7"]))


def test_a_bar_is_not_lost_over_its_volume_and_the_account_says_so(tmp_path: Path) -> None:
    rows = [f"2024-03-08T{hour}:00:00Z,1,2,0.5,1.5,{volume}" for hour, volume in
            [(10, "5"), (11, "many"), (12, '"a,b"'), (13, "inf"), (14, '"7"')]]  # fmt: skip
    given = source(tmp_path / "b.csv", [BARS, *rows])
    frame, bad = read(given)
    assert (frame.to_arrow()["volume"].to_pylist(), bad) == ([5.0, None, None, None, 7.0], [])
    assert given.account.notes == ["volume of 3 rows could not be read and is missing there, such as 'many'"]


def test_a_row_is_lost_over_its_price_and_what_makes_it_up(tmp_path: Path) -> None:
    lines = ["ts,bid,ask,bid_size", "2024-03-08T15:00:00Z,1.1,many,7", "2024-03-08T15:00:01Z,1.1,,many"]
    frame, bad = read(source(tmp_path / "q.csv", lines, "quotes"))
    assert [row.reason for row in bad] == ["ask is not a number: 'many'"]
    assert frame.to_arrow()["bid_size"].to_pylist() == [None]


def test_a_symbol_may_be_called_like_a_word_for_missing(tmp_path: Path) -> None:
    rows = [f"2024-03-08T15:00:00Z,{symbol},1" for symbol in ("NA", "NAN", "NULL", "-")]
    frame, bad = read(source(tmp_path / "t.csv", ["ts,symbol,price", *rows], "trades"))
    assert (set(frame.symbols), bad) == ({"NA", "NAN", "NULL", "-"}, [])


def test_nanoseconds_are_cut_and_it_is_said(tmp_path: Path) -> None:
    rows = ["2023-09-29T12:15:39.057622340Z,237.77", "2023-09-29T13:03:11.463635365Z,237.69"]
    given = source(tmp_path / "t.csv", ["timestamp,price", *rows], "trades")
    frame, bad = read(given)
    assert [at.microsecond for at in frame.to_arrow()["ts"].to_pylist()] == [57622, 463635]
    assert bad == []
    (note,) = given.account.notes
    assert note.startswith("ts of 2 rows was finer than a microsecond and was cut to microseconds, such as '2023-09-")


@pytest.mark.parametrize(
    ("dimension", "lines"),
    [
        ("intraday", ["Date,Hour,Open,High,Low,Close", "2024-03-08,9,1,2,0.5,1.5", "2024-03-08,10,1,2,0.5,1.5"]),
        ("trades", ["DATE,TIME_M,PRICE,SIZE", "20240308,9:30:00.1,1.5,1", "Total,,,2", "20240308,9:30:00.2,1.6,1"]),
        ("quotes", ["Date,Clock,Bid,Ask", "2024-03-08,9:30,1,2", "2024-03-08,9:31,1,2"]),
    ],
)
def test_dates_that_rows_share_ask_for_the_time_of_day(tmp_path: Path, dimension: str, lines: list[str]) -> None:
    with pytest.raises(InputInvalid, match=r"dates alone, of which several rows have '2024-?03-?08'.*--columns"):
        read(source(tmp_path / "b.csv", lines, dimension, zone="UTC"))


def test_dates_alone_are_midnight_where_it_is_told_or_no_row_shares_them(tmp_path: Path) -> None:
    shared = ["Date,Price", "2024-03-08,1.5", "2024-03-08,1.6"]
    frame, bad = read(source(tmp_path / "t.csv", shared, "trades", zone="UTC", time_format="%Y-%m-%d"))
    assert (frame.num_rows, frame.end, bad) == (2, datetime(2024, 3, 8, tzinfo=UTC), [])
    several = ["Date,Symbol,Price", "2024-03-08,A,1.5", "2024-03-08,B,1.6", "2024-03-11,A,1.5"]
    assert read(source(tmp_path / "t.csv", several, "trades", zone="UTC"))[0].num_rows == 3


def test_hexadecimal_ids_are_no_numbers(tmp_path: Path) -> None:
    rows = ["2024-03-08T15:00:00Z,1.5,0x10", "2024-03-08T15:00:00Z,1.5,16"]
    frame, bad = read(source(tmp_path / "t.csv", ["ts,price,sequence", *rows], "trades"))
    assert frame.to_arrow()["sequence"].to_pylist() == [16]
    assert [row.reason for row in bad] == ["sequence is not a number: '0x10'"]
