"""What `record` takes: frames, mappings, Structs and lists of these; a mistake is told where the caller stands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import pyarrow as pa
import pytest

from backbone import Backbone, BackboneClosed, Frame
from backbone.store.port import Store
from backbone.store.records import Chunk, WriteResult
from backbone.testing import embedded, with_store
from tests.backbone.quotes import QUOTE, START, Quote


def later(minutes: int) -> dict[str, object]:
    return {**QUOTE, "ts": START + timedelta(minutes=minutes)}


async def test_one_row_or_several_are_recorded_in_any_of_the_forms() -> None:
    async with embedded() as backbone:
        given: list[tuple[Any, str | None, int]] = [
            (Frame.from_records("quotes", [later(0)]), None, 1),
            (Frame.from_records("quotes", [later(1)]), "quotes", 1),
            (later(2), "quotes", 1),
            (Quote(**later(3)), "quotes", 1),  # type: ignore[arg-type]
            ([later(4), Quote(**later(5))], "Quotes", 2),  # type: ignore[arg-type]
            ([Frame.from_records("quotes", [later(minutes)]) for minutes in (6, 7)], None, 2),
            ((later(minutes) for minutes in (8, 9)), "quotes", 2),
            ([], "quotes", 0),
        ]
        for rows, dimension, count in given:
            assert (await backbone.record(rows, dimension)).inserted == count
        stored = await backbone.fetch("quotes", symbols=["EURUSD"])
        assert (stored.num_rows, stored.end) == (10, START + timedelta(minutes=9))


async def test_who_records_while_the_backbone_is_left_is_told_that_the_rows_may_be_in(tmp_path: Path) -> None:
    told = anyio.Event()
    path = {"store.path": str(tmp_path / "rows.duckdb")}

    async def record(backbone: Backbone) -> None:
        with pytest.raises(BackboneClosed, match=r"is closed.*; the rows may be in: the same call again does no harm"):
            await backbone.record(QUOTE, "quotes")
        told.set()

    async with anyio.create_task_group() as group:
        async with embedded(
            overrides=path, parts=with_store(lambda make: cast("Store", Forgetful(make())))
        ) as backbone:
            group.start_soon(record, backbone)
            await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await told.wait()
    async with embedded(overrides=path) as backbone:
        assert (await backbone.record(QUOTE, "quotes")).unchanged == 1


class Forgetful:
    """A store that commits, and never says so."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, chunk: Chunk) -> WriteResult:
        await self._store.write(chunk)
        await anyio.sleep_forever()
        raise AssertionError


BARS = Frame.from_records("daily", [{"symbol": "A", "ts": START.replace(hour=0, minute=0), "close": 1.0}])


@pytest.mark.parametrize(
    ("rows", "dimension", "error", "text"),
    [
        (QUOTE, None, TypeError, r"no dimension given; rows that are no Frame need it: record\(rows, 'quotes'\)"),
        ([], None, TypeError, "no dimension given"),
        (5, "quotes", TypeError, "rows=5 given; allowed are a Frame, a mapping"),
        ("EURUSD", "quotes", TypeError, "rows='EURUSD' given; allowed are a Frame"),
        (pa.table({"symbol": ["A"]}), "quotes", TypeError, "from_arrow makes a frame of a table"),
        ([QUOTE, 5], "quotes", TypeError, "5 given as a row; allowed is a mapping from column to value"),
        ([BARS, QUOTE], "quotes", TypeError, "frames and rows given in one list"),
        (BARS, "quotes", ValueError, "dimension='quotes' given with a frame of daily_bars; leave it out"),
        ([BARS, Frame.empty("quotes")], None, ValueError, "frames of daily_bars, quotes given"),
        (QUOTE, "quote", ValueError, "unknown dimension 'quote'.* did you mean 'quotes'"),
        ({**QUOTE, "price": 1.0}, "quotes", ValueError, "quotes: unknown column 'price'; the columns are"),
        ({**QUOTE, "bid": "1.1"}, "quotes", ValueError, "quotes.bid: '1.1' given in row 0; allowed is a number"),
        ({**QUOTE, "ts": START.replace(tzinfo=None)}, "quotes", ValueError, "has no time zone"),
        ({"ts": START, "bid": 1.0}, "quotes", ValueError, "key column 'symbol' missing"),
    ],
)
async def test_what_can_not_be_recorded_is_refused_with_what_is_allowed(
    rows: Any, dimension: str | None, error: type[Exception], text: str, closed_for_writing: Backbone
) -> None:
    with pytest.raises(error, match=text):
        await closed_for_writing.record(rows, dimension)


@pytest.fixture
async def closed_for_writing() -> Any:
    """A backbone; nobody is asked for what is refused before."""
    async with embedded() as backbone:
        yield backbone
        assert backbone.roster().find(f"{backbone.path}/ingest").handled == 0  # type: ignore[union-attr]


async def test_a_store_that_restarts_after_the_process_went_to_another_folder_is_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was named by a path from the folder of before, which then named a new file, without a row."""
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "before")
    async with embedded(overrides={"store.path": "data/rows.duckdb"}) as backbone:
        await backbone.record(QUOTE, "quotes")
        monkeypatch.chdir(tmp_path / "after")
        store = backbone.system.find(f"{backbone.path}/store")
        assert store is not None
        await store.kill()
        assert (await backbone.record(QUOTE, "quotes")).unchanged == 1
    assert not list((tmp_path / "after").iterdir())
