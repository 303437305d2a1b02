"""Files in the layouts of vendors, venues and terminals: recognised, and each column said what it is."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from backbone.domain import Dimension, Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid, SourceError
from backbone.sources.port import Account, BadRow
from backbone.sources.text import dialects
from backbone.sources.text.dialects import SHAPES, Dialect
from backbone.sources.text.vendors import BUILT_IN
from tests.backbone.sources.dialect_files import FILES, File

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "file.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def read(path: Path, dimension: Dimension | str, **options: object) -> tuple[Frame, list[BadRow], Account]:
    given = {"symbol": "X", **({"interval": "1h"} if Dimension.parse(dimension).has_interval else {}), **options}
    source = CsvSource(path, dimension, **given)  # type: ignore[arg-type]
    chunks = list(source.chunks())
    bad = [row for chunk in chunks for row in chunk.quarantined]
    return Frame.concat([chunk.frame for chunk in chunks]), bad, source.account


def first_row(frame: Frame) -> dict[str, object]:
    (row,) = frame.to_arrow().slice(0, 1).to_pylist()
    return dict(row)


@pytest.mark.parametrize("file", FILES, ids=[f"{n}-{file.dialect}" for n, file in enumerate(FILES)])
def test_a_file_of_a_dialect_is_read_without_a_word_but_what_it_does_not_show(write: Write, file: File) -> None:
    frame, _, account = read(write(file.text), file.dimension, **file.options)
    assert account.dialect == file.dialect
    assert len(frame) == file.rows
    wanted = {
        **file.first,
        "ts": datetime.fromisoformat(str(file.first["ts"])).astimezone(UTC),
    }
    assert wanted in [{name: row.get(name) for name in wanted} for row in frame.to_arrow().to_pylist()]
    assert set(file.ignored) <= account.ignored.keys()


@pytest.mark.parametrize("file", FILES, ids=[f"{n}-{file.dialect}" for n, file in enumerate(FILES)])
def test_each_column_of_a_file_is_read_or_ignored_with_a_reason(write: Write, file: File) -> None:
    _, _, account = read(write(file.text), file.dimension, **file.options)
    read_ones = [name for key in account.columns for name in key.split("+")]
    fields = max(
        len(next(csv.reader([line], delimiter=each))) for line in file.text.split("\n")[:3] for each in ",;\t" if line
    )
    assert len(read_ones) + len(account.ignored) == fields
    assert all(account.ignored.values())


@pytest.mark.parametrize("file", [file for file in FILES if file.options], ids=lambda file: file.dialect)
def test_what_a_file_does_not_show_is_asked_for(write: Write, file: File) -> None:
    with pytest.raises(InputInvalid, match=r"--zone|--time-format") as refused:
        read(write(file.text), file.dimension)
    hints = next(each for each in BUILT_IN if each.name == file.dialect).asks
    assert all(hint in str(refused.value) for hint in hints.values())


def test_every_dialect_has_a_file_here() -> None:
    assert {file.dialect for file in FILES} == {dialect.name for dialect in BUILT_IN}


def test_names_are_unique_and_each_dialect_is_known_by_a_header_or_by_shapes() -> None:
    assert len({dialect.name for dialect in BUILT_IN}) == len(BUILT_IN)
    for dialect in BUILT_IN:
        assert bool(dialect.header) != bool(dialect.shapes)
        assert set(dialect.shapes) <= SHAPES.keys()
        columns = {column for dimension in dialect.dimensions for column in dimension.columns}
        assert set(dialect.columns.values()) <= columns


def test_no_two_dialects_without_a_header_fit_one_line() -> None:
    bare = [(file, next(each for each in BUILT_IN if each.name == file.dialect)) for file in FILES]
    bare = [(file, dialect) for file, dialect in bare if dialect.shapes]
    for (file, one), (_, other) in itertools.product(bare, bare):
        line = next(iter(file.text.split("\n")))
        for delimiter in ",;\t":
            assert one is other or not other.fits_shape(line.split(delimiter))


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("173525189,11343.67,0.467,5297.49,1596240000519,True,True", "1=sequence,2=price,3=size,5=ts"),
        ("26129,0.0163,4.704,27781,27781,1498793709153,true,true", "1=sequence,2=price,3=size,6=ts"),
    ],
    ids=["trades", "aggTrades"],
)
def test_trades_without_a_header_are_not_guessed_but_read_by_position(write: Write, line: str, columns: str) -> None:
    with pytest.raises(InputInvalid, match=r"--columns 1="):
        read(write(line + "\n"), "trades")
    told = dict(pair.split("=") for pair in columns.split(","))
    frame, bad, account = read(write(line + "\n"), "trades", columns=told)
    assert (len(frame), bad) == (1, [])
    assert first_row(frame)["sequence"] == int(line.split(",")[0])
    assert len(account.ignored) == len(line.split(",")) - 4


def test_whole_numbers_of_1e_9_are_not_taken_for_prices(write: Write) -> None:
    header = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence"
    row = "1609160400000429831,1609160400000704060,0,1,5482,T,A,0,3720250000000,1,129,19251,1170352"
    with pytest.raises(InputInvalid, match=r"price is a whole number of 1e-9.*pretty_px.*3720250000000"):
        read(write(f"{header}\n{row}\n"), "trades")


def test_what_the_caller_says_stands_above_the_dialect(write: Write) -> None:
    text = next(file.text for file in FILES if file.dialect == "metatrader5-bars")
    frame, _, account = read(write(text), "intraday", zone="UTC", columns={"<VOL>": "volume"})
    assert first_row(frame)["volume"] == 0
    assert account.columns["<VOL>"] == "volume"
    assert "<TICKVOL>" in account.ignored


def test_a_zone_in_the_name_of_a_column_stands_above_the_one_for_times_without(write: Write) -> None:
    text = next(file.text for file in FILES if file.dialect == "dukascopy")
    frame, _, account = read(write(text), "intraday", zone="America/New_York")
    assert str(first_row(frame)["ts"]) == "2024-03-08 19:00:00+00:00"
    assert account.notes == [
        "times are those of UTC, as the column Gmt time says; the zone America/New_York is not used"
    ]
    frame, _, _ = read(write(text), "intraday", columns={"Gmt time": "ts", "Open": "open"})
    assert str(first_row(frame)["ts"]) == "2024-03-08 19:00:00+00:00"
    own = text.replace("Volume", "Own").replace("4211.55", "2024-03-08 15:00").replace("3120.2", "2024-03-08 16:00")
    frame, _, _ = read(write(own), "intraday", zone="America/New_York", columns={"Own": "ts"})
    assert str(first_row(frame)["ts"]) == "2024-03-08 20:00:00+00:00"


def test_a_file_of_another_dimension_is_named(write: Write) -> None:
    text = next(file.text for file in FILES if file.dialect == "binance-trades")
    with pytest.raises(InputInvalid, match="this is Binance, trades: --dimension trades"):
        read(write(text), "intraday")


def test_several_symbols_side_by_side_are_refused(write: Write) -> None:
    text = "Price,Close,Close,Open,Open\nTicker,A,B,A,B\nDate,,,,\n2024-03-07,1,2,3,4\n"
    with pytest.raises(InputInvalid, match=r"several symbols side by side \(A, B\)"):
        read(write(text), "daily")


ACME = Dialect(
    name="acme",
    title="ACME",
    header=("when", "open", "high", "low", "last"),
    columns={"when": "ts", "last": "close"},
    ignored={"note": "is for people"},
    zone="UTC",
)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(dialects, "entry_points", lambda *, group: points if group == dialects.GROUP else [])
    return points


def test_a_package_adds_a_dialect_by_an_entry_point(write: Write, added: list[EntryPoint]) -> None:
    added.append(EntryPoint("acme", f"{__name__}:ACME", dialects.GROUP))
    text = "when,open,high,low,last,note\n2024-03-08 14:00,1,3,0.5,2,hello\n"
    frame, bad, account = read(write(text), "intraday")
    assert (first_row(frame)["close"], bad, account.dialect) == (2, [], "acme")
    assert account.ignored == {"note": "is for people"}


@pytest.mark.parametrize(
    ("value", "message"),
    [("nowhere.at.all:X", "can't be loaded"), (f"{__name__}:NOT_ONE", "is 'acme'; its package has to name a Dialect")],
)
def test_an_added_dialect_that_is_none_is_named(
    write: Write, added: list[EntryPoint], value: str, message: str
) -> None:
    added.append(EntryPoint("broken", value, dialects.GROUP))
    with pytest.raises(SourceError, match=message):
        read(write("ts,open,high,low,close\n2024-03-08T14:00Z,1,3,0.5,2\n"), "intraday")


NOT_ONE = "acme"
