"""The hour that the clocks show twice, in files with local times without an offset."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.domain import Frame
from backbone.sources.csv import CsvSource
from backbone.sources.parquet import ParquetSource
from backbone.sources.port import BadRow

HEADER = "timestamp,symbol,open,high,low,close"
HOURS = ["00:00", "01:00", "01:00", "02:00"]
UTC_HOURS = ["04:00", "05:00", "06:00", "07:00"]


def bars(clock: list[str], symbols: str = "A", *, day: str = "2024-11-03") -> list[str]:
    """Rows whose close says which one it is."""
    return [f"{day} {at}:00,{symbol},1,99,0.5,{n + 1}" for n, at in enumerate(clock) for symbol in symbols]


def read(path: Path, rows: list[str], dimension: str = "intraday") -> tuple[list[tuple[str, float]], list[BadRow]]:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    interval = "1h" if dimension == "intraday" else None
    chunks = list(CsvSource(path, dimension, interval=interval, zone="America/New_York").chunks())
    return clocks(Frame.concat([chunk.frame for chunk in chunks])), [
        bad for chunk in chunks for bad in chunk.quarantined
    ]


def clocks(frame: Frame) -> list[tuple[str, float]]:
    """The UTC clock of each row, and its close or price."""
    table = frame.to_arrow()
    value = "close" if "close" in table.column_names else "price"
    return [(f"{at:%H:%M}", close) for at, close in zip(table["ts"].to_pylist(), table[value].to_pylist(), strict=True)]


def test_the_first_pass_is_summer_and_the_second_winter(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", bars(HOURS)) == (list(zip(UTC_HOURS, [1, 2, 3, 4], strict=True)), [])


def test_in_files_that_are_newest_first_the_first_pass_is_winter(tmp_path: Path) -> None:
    found, bad = read(tmp_path / "a.csv", bars(HOURS)[::-1])
    assert (found, bad) == (list(zip(UTC_HOURS, [1, 2, 3, 4], strict=True)), [])


def test_each_symbol_has_its_own_order(tmp_path: Path) -> None:
    found, bad = read(tmp_path / "a.csv", [*bars(HOURS, "A"), *bars(HOURS, "B")])
    mixed, none = read(tmp_path / "b.csv", bars(HOURS, "AB"))
    assert found == mixed == list(zip(UTC_HOURS, [1, 2, 3, 4], strict=True)) * 2
    assert bad == none == []


@pytest.mark.parametrize("size", [40, 64, 100, 1000])
def test_where_blocks_end_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("backbone.sources.text.lines._BLOCK", size)
    minutes = [f"{hour:02d}:{minute:02d}" for hour in (0, 1, 1, 2) for minute in range(0, 60, 5)]
    for rows in (bars(minutes), bars(minutes)[::-1]):
        found, bad = read(tmp_path / "a.csv", rows)
        expected = [f"{hour:02d}:{minute:02d}" for hour in range(4, 8) for minute in range(0, 60, 5)]
        assert (found, bad) == (list(zip(expected, range(1, 49), strict=True)), [])


@pytest.mark.parametrize(
    "clock",
    [["00:00", "01:00", "02:00"], ["01:00"], ["01:00", "01:00"], ["00:00", "01:00", "01:00", "01:00", "02:00"]],
)
def test_where_the_order_does_not_tell_the_rows_are_quarantined(tmp_path: Path, clock: list[str]) -> None:
    found, bad = read(tmp_path / "a.csv", [*bars(["12:00"], day="2024-11-01", symbols="Z"), *bars(clock)])
    assert [at for at, _ in found] == [{"00:00": "04:00", "02:00": "07:00"}[at] for at in clock if at != "01:00"] + [
        "16:00"
    ]
    assert len(bad) == clock.count("01:00")
    assert all("ambiguous (the clocks show it twice)" in row.reason for row in bad)
    assert [row.location for row in bad] == [f"a.csv:{n + 3}" for n, at in enumerate(clock) if at == "01:00"]


def test_the_end_of_the_file_ends_the_hour(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", bars(HOURS[:3])) == ([("04:00", 1), ("05:00", 2), ("06:00", 3)], [])


@pytest.mark.parametrize("quoted", [(1,), (2,), (1, 2), (0, 3)])
def test_lines_that_are_read_by_themselves_are_told_the_same(tmp_path: Path, quoted: tuple[int, ...]) -> None:
    rows = [row.replace(",1,99", ',"1,000",9999') if n in quoted else row for n, row in enumerate(bars(HOURS))]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    chunks = list(CsvSource(path, "intraday", interval="1h", zone="America/New_York", decimal=".").chunks())
    assert clocks(Frame.concat([chunk.frame for chunk in chunks])) == list(zip(UTC_HOURS, [1, 2, 3, 4], strict=True))


@pytest.mark.parametrize("size", [100, 1_000_000])
@pytest.mark.parametrize("backwards", [False, True])
def test_two_autumns_of_which_nothing_lies_in_between_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backwards: bool, size: int
) -> None:
    monkeypatch.setattr("backbone.sources.text.lines._BLOCK", size)
    rows = [*bars(["01:00", "01:00"], day="2023-11-05"), *bars(["01:00", "01:00", "02:00"])]
    found, bad = read(tmp_path / "a.csv", rows[::-1] if backwards else rows)
    assert (found, bad) == ([("05:00", 1), ("06:00", 2), ("05:00", 1), ("06:00", 2), ("07:00", 3)], [])


def test_trades_that_come_late_are_no_second_pass(tmp_path: Path) -> None:
    rows = [f"2024-11-03 {at},A,{n + 1}" for n, at in enumerate(
        ["00:59:59", "01:59:58", "01:00:01", "01:00:01", "02:00:00"])]  # fmt: skip
    path = tmp_path / "t.csv"
    for late, expected in ((rows, ["04:59", "05:59", "06:00", "06:00", "07:00"]), (
        [rows[0], rows[1], rows[1].replace(":58", ":57"), rows[4]], ["04:59", "07:00"])):  # fmt: skip
        path.write_text("\n".join(["time,symbol,price", *late]) + "\n")
        chunks = list(CsvSource(path, "trades", zone="America/New_York").chunks())
        assert [at for at, _ in clocks(Frame.concat([chunk.frame for chunk in chunks]))] == expected


def test_parquet_files_are_told_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [row.split(",") for row in bars(HOURS)]
    names = HEADER.split(",")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    stamps = pa.array([at.replace(" ", "T") for at in columns["timestamp"]]).cast(pa.timestamp("us"))
    numbers = {name: pa.array(columns[name]).cast(pa.float64()) for name in names[2:]}
    pq.write_table(pa.table({"timestamp": stamps, "symbol": columns["symbol"], **numbers}), path)
    chunks = list(ParquetSource(path, "intraday", interval="1h", zone="America/New_York").chunks())
    assert clocks(Frame.concat([chunk.frame for chunk in chunks])) == list(zip(UTC_HOURS, [1, 2, 3, 4], strict=True))
    assert not list(itertools.chain.from_iterable(chunk.quarantined for chunk in chunks))
