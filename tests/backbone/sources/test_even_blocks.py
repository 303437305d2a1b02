"""Blocks and columns that are even are read by a shorter way: what comes of them is what the longer one gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.sources.csv import CsvSource
from backbone.sources.text.lines import MAX_LINE, are_even, examine
from backbone.sources.text.shapes import evenly
from backbone.sources.text.times import TimeForm, counted, moment, moments

CELLS = st.sampled_from([b"1", b"2.5", b"", b" ", b"x", b'"a"', b"a\0", b"\r", b"\xff", "ü".encode(), b"NA"])
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(b",".join), min_size=1, max_size=6)
SHAPES = [
    "00.00.0000 00:00:00.000",
    "0000-00-00T00:00:00Z",
    "0000-00-00 00:00",
    "0000.00.00",
    "00000000 000000",
    "0000000000000",
    "0000000000000000000",
    "0000-00-00T00:00:00+00:00",
    "00-Jan-0000",
    " 0000-00-00",
    "0000-00-00 ",
    "0",
]


@given(lines=LINES, end=st.sampled_from([b"\n", b"\r\n"]))
def test_even_lines_of_as_many_fields_are_all_plain(lines: list[bytes], end: bytes) -> None:
    data = end.join(lines) + b"\n"
    fields = lines[0].count(b",") + 1
    looked = examine(data, ",", fields)
    if are_even(data, ",", fields) and all(line.count(b",") == fields - 1 for line in data.split(b"\n")[:-1]):
        assert looked.plain.all()
    if looked.plain.all() and fields > 1 and b'"' not in data:
        assert are_even(data, ",", fields)


def test_a_line_that_is_too_long_is_not_even() -> None:
    fits, long = b"1," + b"a" * (MAX_LINE - 2) + b"\n", b"1," + b"a" * (MAX_LINE - 1) + b"\n"
    assert are_even(b"1,a\n" + fits + b"1,a\n", ",", 2)
    assert not are_even(b"1,a\n" + long + b"1,a\n", ",", 2)
    assert examine(b"1,a\n" + long, ",", 2).plain.tolist() == [True, False]


BODY = st.lists(
    st.sampled_from(
        [
            "2024-01-02T10:00:00Z,A,1,2,1,2,5",
            "2024-01-02T11:00:00Z, B ,1,2,1,2,",
            "2024-01-02T12:00:00.1234567Z,A,1,2,1,2,x",
            "2024-01-02T13:00:00Z,A,x,2,1,2,5",
            "2024-13-02T10:00:00Z,A,1,2,1,2,5",
            "",
            "  ",
            "2024-01-02T14:00:00Z,A,1,2,1,2",
            "2024-01-02T15:00:00Z,A,1,2,1,2,5,6",
            '2024-01-02T16:00:00Z,"A",1,2,1,2,5',
            "2024-01-02T17:00:00Z,,1,2,1,2,5",
            "2024-01-02T18:00:00Z,A,0x1,2,1,2,NA",
            "2024-01-02T19:00:00Z,A,1,2,1,2,5\r",
        ]
    ),
    min_size=1,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODY)
def test_a_file_gives_the_same_by_whole_blocks_and_by_lines_told_apart(tmp_path: Path, body: list[str]) -> None:
    path = tmp_path / "a.csv"
    plain = [f"2024-01-01T{hour:02d}:00:00Z,A,1,2,1,2,5" for hour in range(20)]
    path.write_text("\n".join(["ts,symbol,open,high,low,close,volume", *plain, *body, ""]))

    def read() -> object:
        source = CsvSource(path, "intraday", interval="1h")
        chunks = list(source.chunks())
        frames = [chunk.frame.to_arrow().to_pylist() for chunk in chunks]
        return frames, [chunk.quarantined for chunk in chunks], source.account.notes

    whole = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backbone.sources.text.reader.are_even", lambda *_: False)
        assert read() == whole


@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 10**6), rows=st.sampled_from([1, 2, 255, 600]))
@pytest.mark.parametrize(
    "form",
    [
        TimeForm(zone=ZoneInfo("UTC")),
        TimeForm(zone=ZoneInfo("America/New_York"), day_first=True),
        TimeForm(dates=True),
        TimeForm(unit="ms"),
    ],
)
def test_times_of_one_shape_are_those_that_each_text_says(form: TimeForm, shape: str, seed: int, rows: int) -> None:
    chance = np.random.default_rng(seed)
    small = chance.random() < 0.7  # digits that make dates more often than not
    texts = [
        "".join(str(chance.integers(0, 3 if small else 10)) if c == "0" else c for c in shape) for _ in range(rows)
    ]
    assert (evenly(pa.array(texts)) is None) == (shape != shape.strip())
    found = moments(pa.array(texts), form)
    for text, at, failed in zip(texts, found.values.to_pylist(), found.failed.tolist(), strict=True):
        try:
            assert (at, failed) == (moment(text, form).at, False)
        except ValueError:
            assert failed


def test_texts_that_differ_in_more_than_digits_are_not_even() -> None:
    for other in ("2024-01-02X", "2024.01.02", "2024-01-0x", "2024-01-021", " 024-01-02", None, "2024-01-0\u0660"):
        for texts in (["2024-01-02", other], ["2024-01-02"] * 600 + [other]):
            assert evenly(pa.array(texts)) is None, other
    assert evenly(pa.array([], pa.string())) is None
    assert evenly(pa.array(["x", "2024-01-02", "2024-01-03"]).slice(1)) is not None


NUMBERS = st.one_of(
    st.integers(10**8, 10**10),
    st.integers(10**11, 10**14),
    st.integers(10**18, 10**18 + 10**9),
    st.integers(0, 2**63 - 1),
)


@given(
    numbers=st.lists(st.tuples(NUMBERS, st.sampled_from([1, -1])), min_size=1),
    unit=st.sampled_from([None, "s", "ms", "us", "ns"]),
    finer=st.booleans(),
)
def test_whole_numbers_are_those_that_their_texts_say(
    numbers: list[tuple[int, int]], unit: str | None, finer: bool
) -> None:
    signed = [number * sign for number, sign in numbers]
    form = replace(TimeForm(epochs=True, finer=finer), unit=unit)  # type: ignore[arg-type]
    one, other = counted(pa.array(signed), form), moments(pa.array(list(map(str, signed))), form)
    assert one.failed.tolist() == other.failed.tolist()
    fits = pa.array(~one.failed)
    assert one.values.filter(fits) == other.values.filter(fits)


@pytest.mark.parametrize("cell", ["-nan", "nan(1)", "nAn", "-inf", "1e400", "0x1p3"])
@pytest.mark.parametrize("column", [2, 6], ids=["price", "volume"])
def test_what_a_reader_of_csv_takes_for_a_number_is_one_only_where_the_line_by_itself_says_so(
    tmp_path: Path, cell: str, column: int
) -> None:
    path = tmp_path / "a.csv"
    lines = [f"2024-01-01T{hour:02d}:00:00Z,A,1,2,1,2,5".split(",") for hour in range(20)]
    lines[12][column] = cell
    path.write_text("\n".join(["ts,symbol,open,high,low,close,volume", *map(",".join, lines), ""]))

    def read() -> object:
        source = CsvSource(path, "intraday", interval="1h")
        chunks = list(source.chunks())
        frames = [chunk.frame.to_arrow().to_pylist() for chunk in chunks]
        return frames, [chunk.quarantined for chunk in chunks], source.account.notes

    columnwise = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backbone.sources.text.reader.Reader._even_rows", lambda *_: None)
        patch.setattr("backbone.sources.text.lines._has_delimiters", lambda starts, *_: np.zeros(len(starts), np.bool_))
        assert read() == columnwise
