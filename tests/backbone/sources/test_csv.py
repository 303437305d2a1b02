"""Delimited files: what goes in, what is quarantined with which line, what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backbone.domain import Dimension, Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid, InputMissing
from backbone.sources.port import BadRow, Progress

SAMPLE = Path(__file__).parents[3] / "config" / "samples" / "eurusd_1h_tail.csv.gz"
HEADER = "ts,symbol,open,high,low,close,volume"
GOOD = "2024-01-02T10:00:00Z,EURUSD,1.1,1.2,1.0,1.15,5"
LATER = "2024-01-02T11:00:00Z,EURUSD,1.15,1.3,1.1,1.25,"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def read(source: CsvSource) -> tuple[Frame, list[BadRow]]:
    chunks = list(source.chunks())
    return Frame.concat([chunk.frame for chunk in chunks]), [bad for chunk in chunks for bad in chunk.quarantined]


def hourly(path: Path, **options: object) -> tuple[Frame, list[BadRow]]:
    return read(CsvSource(path, Dimension.INTRADAY_BARS, interval="1h", **options))  # type: ignore[arg-type]


def test_the_sample_gives_all_its_rows_and_none_is_bad() -> None:
    frame, bad = hourly(SAMPLE)
    assert (len(frame), bad) == (5000, [])
    assert frame.symbols == ("EURUSD",)
    assert frame.start == datetime(2018, 3, 9, 16, tzinfo=UTC)
    assert frame.end == datetime(2018, 12, 31, 21, tzinfo=UTC)
    assert frame.column("close")[0] == 1.232445
    assert np.isnan(frame.column("volume")).all()


@pytest.mark.parametrize(
    "content",
    [
        lines(HEADER, GOOD, LATER),
        lines(HEADER, GOOD, LATER).rstrip("\n"),
        "\ufeff" + lines(HEADER, GOOD, LATER),
        lines(HEADER, GOOD, LATER).replace("\n", "\r\n"),
        lines(HEADER, GOOD, LATER).replace("\n", "\r"),
        lines(HEADER, GOOD, LATER).replace(",", ";"),
        lines(HEADER, GOOD, LATER).replace(",", "\t"),
        lines(HEADER, GOOD, LATER).replace(",", "|"),
        lines(HEADER, "", GOOD, "  ", LATER, "", ""),
        lines("# made by hand", HEADER, GOOD, LATER),
        lines(HEADER.upper(), GOOD.replace("EURUSD", " EURUSD "), LATER),
        lines(*(",".join(f'"{field}"' for field in row.split(",")) for row in (HEADER, GOOD, LATER))),
        lines("Date,Ticker,o,H,l,C,Vol", GOOD, LATER),
        lines("<TIMESTAMP>,<TICKER>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", GOOD, LATER),
        lines(HEADER, GOOD.replace("10:00:00Z", "12:00:00+02:00"), LATER.replace("T", " ")),
        lines(HEADER, GOOD.replace("10:00:00Z", "10:00:00.000000000Z"), LATER),
        lines(HEADER + ",note", GOOD + ',"a, b"', LATER + ',"he said ""no"""'),
        lines("note," + HEADER, "x," + GOOD, "ü," + LATER),
    ],
    ids=[
        "plain", "no last line end", "byte order mark", "CRLF", "CR", "semicolon", "tab", "bar", "blank lines",
        "comment", "upper case and blanks", "all quoted", "aliases", "MetaTrader", "offset and blank", "nanoseconds",
        "quoted delimiters", "other columns and UTF-8",
    ],
)  # fmt: skip
def test_the_same_bars_in_many_shapes(write: Write, content: str) -> None:
    frame, bad = hourly(write(content))
    assert bad == []
    assert frame == hourly(write(lines(HEADER, GOOD, LATER), "reference.csv"))[0]
    assert len(frame) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,1.15", "wrong number of fields: 6, the header has 7"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,1.15,5,9", "wrong number of fields: 8"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,abc,5", "close is not a number: 'abc'"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,1_0,5", "close is not a number: '1_0'"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,,5", "close is empty"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,nan,5", "close is empty"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,-Infinity,5", "close is not a finite number: '-Infinity'"),
        (b"2024-01-02T12:00:00Z,EURUSD,1.1,1.2,1.0,1e999,5", "close is not a finite number: '1e999'"),
        (b"yesterday,EURUSD,1.1,1.2,1.0,1.15,5", "ts: 'yesterday' is not a time"),
        (b"2024-02-30T12:00:00Z,EURUSD,1.1,1.2,1.0,1.15,5", "ts: '2024-02-30T12:00:00Z' is not a time"),
        (b"10000-01-01T00:00:00Z,EURUSD,1.1,1.2,1.0,1.15,5", "ts: '10000-01-01T00:00:00Z' is not a time"),
        (b"0000-01-01T00:00:00Z,EURUSD,1.1,1.2,1.0,1.15,5", "ts: '0000-01-01T00:00:00Z' is not a time"),
        (b"9999-12-31T23:00:00-05:00,EURUSD,1.1,1.2,1.0,1.15,5", "outside the years 1800 to 2100"),
        (b"2024-01-02T12:00:00,EURUSD,1.1,1.2,1.0,1.15,5", "ts: '2024-01-02T12:00:00' has no time zone"),
        (b"1706-06-08T00:00:00Z,EURUSD,1.1,1.2,1.0,1.15,5", "outside the years 1800 to 2100"),
        (b"1704196800000,EURUSD,1.1,1.2,1.0,1.15,5", "is not a time as the others of its column, which are dates"),
        (b"01/02/2024 12:00,EURUSD,1.1,1.2,1.0,1.15,5", "which is the day and which the month"),
        (b"1.7041968e9,EURUSD,1.1,1.2,1.0,1.15,5", "in scientific notation"),
        (b",EURUSD,1.1,1.2,1.0,1.15,5", "ts is empty"),
        (b"2024-01-02T12:00:00Z,,1.1,1.2,1.0,1.15,5", "symbol is empty"),
        (b"2024-01-02T12:00:00Z,   ,1.1,1.2,1.0,1.15,5", "symbol is empty"),
        (b"2024-01-02T12:00:00Z,EUR\0USD,1.1,1.2,1.0,1.15,5", "holds a NUL character"),
        (b"2024-01-02T12:00:00Z,EUR\rUSD,1.1,1.2,1.0,1.15,5", "carriage return"),
        (b"2024-01-02T12:00:00Z,EUR\xffUSD,1.1,1.2,1.0,1.15,5", "not UTF-8: byte 0xff at position 25"),
        (b"2024-01-02T12:00:00Z," + b"X" * 1025 + b",1.1,1.2,1.0,1.15,5", "symbol is too long: 1025 bytes"),
        ("2024-01-02T12:00:00Z,A\u202eB,1.1,1.2,1.0,1.15,5".encode(), "symbol holds the control or invisible"),
        (b"2024-01-02T12:00:00Z,A\x1b[31m,1.1,1.2,1.0,1.15,5", "symbol holds the control or invisible"),
        (b"2024-01-02T12:00:00Z," + b"X" * 70_000 + b",1.1,1.2,1.0,1.15,5", "the line is too long"),
        (b'2024-01-02T12:00:00Z,EURUSD,"1.1"2,1.2,1.0,1.15,5', "misplaced quote"),
        (b'2024-01-02T12:00:00Z,"EURUSD,1.1,1.2,1.0,1.15,5', "misplaced quote"),
        (b'2024-01-02T12:00:00Z,"EURUSD,1.1",1.2,1.0,1.15,5', "wrong number of fields: 6"),
    ],
)  # fmt: skip
def test_a_bad_row_is_quarantined_with_its_line_and_the_rest_goes_in(write: Write, row: bytes, reason: str) -> None:
    frame, bad = hourly(write(b"\n".join([HEADER.encode(), GOOD.encode(), row, LATER.encode(), b""])))
    assert len(frame) == 2
    assert [b.location for b in bad] == ["bars.csv:3"]
    assert reason in bad[0].reason
    assert len(bad[0].excerpt) <= 200
    assert bad[0].excerpt.isprintable()


def test_a_stray_quote_costs_its_line_only(write: Write) -> None:
    frame, bad = hourly(write(lines(HEADER, GOOD.replace("EURUSD", '"EURUSD'), LATER, "x")))
    assert len(frame) == 1
    assert [b.location for b in bad] == ["bars.csv:2", "bars.csv:4"]


def test_lines_are_counted_over_comments_blank_lines_and_blocks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.sources.text.lines._BLOCK", 64)
    rows = [GOOD.replace("10:00:00", f"10:{n % 60:02d}:{n // 60:02d}") for n in range(300)]
    rows[17], rows[150], rows[299] = "", "rubbish", rows[299].replace("1.15", "?")
    frame, bad = hourly(write(lines("", "# a comment", HEADER, *rows)))
    assert len(frame) == 297
    assert [b.location for b in bad] == ["bars.csv:154", "bars.csv:303"]


def test_the_excerpt_hides_control_characters(write: Write) -> None:
    _, bad = hourly(write(lines(HEADER, GOOD, "\x1b[31mred\x07\u0085")))
    assert bad[0].excerpt == "\\x1b[31mred\\x07\\x85"


@pytest.mark.parametrize("name", ["bars.csv.gz", "bars.csv", "bars.txt"])
def test_gzip_is_told_by_content_not_by_name(write: Write, name: str) -> None:
    frame, _ = hourly(write(gzip.compress(lines(HEADER, GOOD, LATER).encode(), mtime=0), name))
    assert len(frame) == 2
    assert len(hourly(write(lines(HEADER, GOOD), "plain.gz"))[0]) == 1


def test_local_times_are_placed_by_the_zone_and_those_of_clock_changes_are_quarantined(write: Write) -> None:
    stamps = ["2018-03-11 01:30", "2018-03-11 02:30", "2018-03-11 03:30", "2018-11-04 01:30", "2018-11-04T06:30:00Z"]
    frame, bad = hourly(
        write(lines(HEADER, *(f"{ts},EURUSD,1.1,1.2,1.0,1.15," for ts in stamps))), zone="America/New_York"
    )
    np.testing.assert_array_equal(
        frame.column("ts"),
        np.array(["2018-03-11T06:30", "2018-03-11T07:30", "2018-11-04T06:30"], dtype="datetime64[us]"),
    )
    assert [b.location for b in bad] == ["bars.csv:3", "bars.csv:5"]
    assert "does not exist" in bad[0].reason
    assert "ambiguous" in bad[1].reason


def test_times_without_zone_throughout_are_refused_with_what_to_do(write: Write) -> None:
    path = write(lines(HEADER, GOOD.replace("Z", ""), LATER.replace("Z", "")))
    with pytest.raises(InputInvalid, match=r"2024-01-02T10:00:00.*--zone"):
        hourly(path)
    assert len(hourly(path, zone="UTC")[0]) == 2


def test_daily_bars_bear_the_date_as_written(write: Write) -> None:
    rows = [
        "2024-01-02",
        "2024-01-03 00:00:00",
        "2024-01-04T00:00:00Z",
        "2024-01-05 00:00:00-05:00",
        "2024-01-08T21:00:00Z",
    ]
    content = lines("Date,Open,High,Low,Close,Adj Close,Volume", *(f"{ts},1,2,0.5,1.5,1.4,9" for ts in rows))
    frame, bad = read(CsvSource(write(content), "daily", symbol="SPY"))
    assert frame.column("ts").astype("datetime64[D]").astype(str).tolist() == [row[:10] for row in rows[:4]]
    assert frame.column("adj_close").tolist() == [1.4] * 4
    assert [b.location for b in bad] == ["bars.csv:6"]
    assert "time of day" in bad[0].reason


def test_chunks_are_of_the_size_asked_for_and_the_same_each_time(write: Write) -> None:
    rows = [GOOD.replace("10:00:00", f"10:{n // 60:02d}:{n % 60:02d}") for n in range(250)]
    rows[120] = "rubbish"
    source = CsvSource(write(lines(HEADER, *rows)), "intraday", interval="1m", chunk_rows=100)
    chunks = list(source.chunks())
    assert [len(chunk.frame) for chunk in chunks] == [100, 100, 49]
    assert [chunk.frame.fingerprint for chunk in chunks] == [chunk.frame.fingerprint for chunk in source.chunks()]
    assert sum(len(chunk.quarantined) for chunk in chunks) == 1
    assert chunks[-1].rows_read == 250
    assert len({chunk.token for chunk in chunks}) == 3


def test_a_flood_of_bad_rows_comes_in_chunks_too(write: Write) -> None:
    chunks = list(CsvSource(write(lines(HEADER, GOOD, *["x"] * 25)), "intraday", interval="1h", chunk_rows=10).chunks())
    assert sum(len(chunk.quarantined) for chunk in chunks) == 25
    assert sum(len(chunk.frame) for chunk in chunks) == 1


def test_trades_of_one_moment_are_all_kept_without_a_number_in_file_order_also_those_that_come_late(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbone.sources.text.lines._BLOCK", 100)
    rows = [f"2024-01-02T10:00:00Z,{'AB'[n % 2]},{n + 1}" for n in range(40)]
    path = write(lines("time,symbol,price", *rows, "2024-01-02T10:00:01Z,A,99", "2024-01-02T10:00:00Z,A,98"))
    chunks = list(CsvSource(path, "trades", chunk_rows=7).chunks())
    frame = Frame.concat([chunk.frame for chunk in chunks])
    a = frame.select(symbols=["A"])
    assert len(frame) == 42
    assert a.column("price").tolist() == [*range(1, 41, 2), 98, 99]
    assert a.to_arrow().column("sequence").null_count == 22
    assert not [bad for chunk in chunks for bad in chunk.quarantined]


def test_one_sided_quotes_and_whole_numbers(write: Write) -> None:
    rows = ["1,1.1,", "2.0,,1.2", "2.5,1.1,1.2", "9223372036854775808,1,2"]
    content = lines("ts,symbol,seq,bid,ask", *(f"2024-01-02T10:00:00Z,EURUSD,{row}" for row in rows))
    frame, bad = read(CsvSource(write(content), "quotes"))
    assert frame.column("sequence").tolist() == [1, 2]
    assert [b.reason for b in bad] == [
        "sequence is not a whole number of 64 bits: '2.5'",
        "sequence is not a whole number of 64 bits: '9223372036854775808'",
    ]


def test_the_interval_column_is_read_in_any_spelling(write: Write) -> None:
    content = lines("interval," + HEADER, "60m," + GOOD, "1 hour," + LATER, "7m," + LATER)
    frame, bad = read(CsvSource(write(content), "intraday"))
    assert set(frame.column("interval")) == {"1h"}
    assert len(frame) == 2
    assert "unknown interval '7m'" in bad[0].reason


def test_columns_can_be_renamed_and_named_by_position(write: Write) -> None:
    renamed = hourly(write(lines(HEADER.replace("close", "Mid"), GOOD)), columns={"mid": "close"})[0]
    by_position = hourly(
        write(GOOD),
        columns={"1": "ts", "2": "symbol", "3": "open", "4": "high", "5": "low", "6": "close", "7": "volume"},
    )[0]
    assert renamed == by_position == hourly(write(lines(HEADER, GOOD)))[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "no header line"),
        (HEADER.encode(), "no rows"),
        (HEADER.encode() + b"\n\n\n", "no rows"),
        (b"ts,symbol,open,high,low\n", "lacks close: found 'ts', 'symbol', 'open', 'high', 'low'; intraday_bars needs"),
        (b"ts,symbol,open,high,low,clse\n", "is 'clse' meant to be close"),
        (b"ts,open,high,low,close\n", "lacks symbol"),
        (b"date,time,symbol,open,high,low,close\n", "two columns for ts: 'date' and 'time'"),
        (GOOD.encode(), "names no column that"),
        (b"<!DOCTYPE html>\n<html></html>\n", "names no column that"),
        (b"PK\x03\x04zip", "zip archive"),
        (b"PAR1", "Parquet"),
        (b"\xff\xfet\0s\0\n\0", "found 'ts'"),
        (b"ts,symbol\0\n", "not text"),
        (gzip.compress(lines(HEADER, GOOD).encode(), mtime=0)[:-9], "damaged or cut off"),
        (gzip.compress(lines(HEADER, GOOD).encode(), mtime=0)[:-8] + b"12345678", "damaged or cut off"),
    ],
)
def test_files_that_cant_be_used_are_refused_in_one_line(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        hourly(write(content))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="does not exist"):
        hourly(tmp_path / "none.csv")
    with pytest.raises(InputInvalid, match="is not a file"):
        hourly(tmp_path)


def test_a_decompression_bomb_is_refused(write: Write) -> None:
    bomb = gzip.compress(HEADER.encode() + b"\n" * 9_000_000, mtime=0)
    with pytest.raises(InputInvalid, match="unpacks to over 200 times"):
        hourly(write(bomb))


def test_too_much_text_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.sources.text.opening.MAX_BYTES", 100)
    with pytest.raises(InputInvalid, match="over 100 bytes"):
        hourly(write(lines(HEADER, GOOD, LATER)))


def test_progress_reaches_the_size_of_the_file(write: Write) -> None:
    seen: list[Progress] = []
    path = write(gzip.compress(lines(HEADER, GOOD, LATER, "x").encode(), mtime=0))
    list(CsvSource(path, "intraday", interval="1h").chunks(progress=seen.append))
    assert seen[-1] == Progress(3, path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize("options", [{"chunk_rows": 0}, {"zone": "Mars/Base"}, {"interval": "7m"}])
def test_arguments_that_are_not_allowed_are_refused_at_once(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"chunk_rows=0|Mars/Base|7m"):
        CsvSource("bars.csv", "intraday", **options)  # type: ignore[arg-type]


def test_describe_names_file_and_dimension() -> None:
    assert CsvSource(SAMPLE, "intraday", interval="60m").describe() == "csv eurusd_1h_tail.csv.gz (intraday_bars, 1h)"


def test_a_header_with_a_bare_carriage_return_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "noise.csv"
    path.write_bytes(b"\r\x01\n")
    with pytest.raises(InputInvalid) as caught:
        list(CsvSource(path, "intraday", interval="1h").chunks())
    assert "\n" not in str(caught.value)
