"""Any frame that a file can hold, written into it and read back, is equal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.cli.show.rows import csv_of
from backbone.domain import Dimension, Frame
from backbone.sources.corrections import WORDS
from backbone.sources.csv import CsvSource
from backbone.sources.file import FileSource
from backbone.sources.parquet import ParquetSource
from backbone.sources.text.layout import required_columns
from tests.backbone.sources.dialect_files import FILES
from tests.backbone.sources.dialect_writing import Written, frames
from tests.campaigns import so_many

DAY = timedelta(days=1)
FIRST, DAYS = datetime(1801, 1, 1, tzinfo=UTC), 298 * 365
LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ")
TEXTS = st.text(LETTERS, min_size=1, max_size=6)
QUICK = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


def read(source: FileSource) -> Frame:
    chunks = list(source.chunks())  # type: ignore[attr-defined]
    assert [row for chunk in chunks for row in chunk.quarantined] == []
    return Frame.concat([chunk.frame for chunk in chunks])


@cache
def way_of(number: int) -> tuple[Written, st.SearchStrategy[Frame]]:
    """How a file is written, and frames that such a file can hold."""
    way = Written.like(FILES[number])
    return way, frames(way)


@pytest.mark.parametrize("number", range(len(FILES)), ids=[f"{n}-{file.dialect}" for n, file in enumerate(FILES)])
@QUICK
@given(data=st.data())
def test_a_file_of_a_dialect_holds_what_was_written_into_it(tmp_path: Path, number: int, data: st.DataObject) -> None:
    file, (way, fitting) = FILES[number], way_of(number)
    frame = data.draw(fitting)
    path = tmp_path / "file.csv"
    path.write_text(way.text(frame), encoding="utf-8")
    interval = {"interval": "1h"} if file.dimension.has_interval else {}
    source = CsvSource(path, file.dimension, symbol="X", **interval, **file.options)  # type: ignore[arg-type]
    assert read(source) == frame
    assert source.account.dialect == file.dialect


@cache
def any_frame(dimension: Dimension) -> st.SearchStrategy[Frame]:
    """Frames of any content, but for texts with blanks around them and words that tell of a cancelled trade."""
    moments = st.integers(0, DAYS).map(lambda days: FIRST + days * DAY)
    if dimension is not Dimension.DAILY_BARS:
        moments = st.tuples(moments, st.integers(0, 86_400 * 10**6 - 1)).map(
            lambda pair: pair[0] + timedelta(microseconds=pair[1])
        )
    texts = TEXTS.map(str.strip).filter(lambda text: bool(text) and text.casefold() not in WORDS)
    numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
    whole = st.integers(-(2**63), 2**63 - 1)
    cells: dict[str, st.SearchStrategy[object]] = {}
    for name, kind in dimension.kinds.items():
        values = {"timestamp": moments, "string": texts, "double": numbers, "int64": whole}[kind]
        if name == "interval":
            values = st.sampled_from(["1m", "1h", "1wk"])
        needed = name in required_columns(dimension) or (dimension is Dimension.QUOTES and name == "bid")
        cells[name] = values if needed else st.none() | values
    rows = st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=6)
    return rows.map(lambda given: Frame.from_records(dimension, given))


@pytest.mark.parametrize("dimension", list(Dimension))
@pytest.mark.campaign
@settings(QUICK, max_examples=so_many(40, part=20))
@given(data=st.data())
def test_csv_with_our_names_holds_any_frame(tmp_path: Path, dimension: Dimension, data: st.DataObject) -> None:
    frame = data.draw(any_frame(dimension))
    path = tmp_path / "file.csv"
    path.write_bytes(csv_of(frame))
    assert read(CsvSource(path, dimension)) == frame


@pytest.mark.parametrize("dimension", list(Dimension))
@pytest.mark.campaign
@settings(QUICK, max_examples=so_many(40, part=20))
@given(data=st.data())
def test_parquet_with_our_names_holds_any_frame(tmp_path: Path, dimension: Dimension, data: st.DataObject) -> None:
    frame = data.draw(any_frame(dimension))
    path = tmp_path / "file.parquet"
    pq.write_table(frame.to_arrow(), path)
    assert read(ParquetSource(path, dimension)) == frame
