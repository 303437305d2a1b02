"""A source whose columns change: taken, refused, left out or kept aside, as the contract of its dimension says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Backbone, Dimension, Frame, IngestPlan, SourceError
from backbone.ingest.plan import IngestRun
from backbone.quality.contracts import Shape, differences, other_columns
from backbone.sources.port import Account, SourceChunk
from backbone.testing import embedded
from tests.backbone.ingest.providers import KIND, Provider, installed

DAILY = Dimension.DAILY_BARS
MANY = 22  # more than are looked through of the journal
ROW = "A,2018-06-04,1,2,0.5,1.5,100"
HEAD = "symbol,date,open,high,low,close,volume"
WITH_ADJUSTED = f"{HEAD},adj_close\nA,2018-06-05,1,2,0.5,1.5,100,0.75\n"
WITHOUT_VOLUME = "symbol,date,open,high,low,close\nA,2018-06-05,1,2,0.5,1.5\n"
WITH_A_NOTE = f"{HEAD},remark\nA,2018-06-05,1,2,0.5,1.5,100,hm\n"


def contract(mode: str) -> dict[str, Any]:
    return {"quality.contracts.daily_bars": mode}


def written(path: Path, text: str) -> IngestPlan:
    path.write_text(text)
    return IngestPlan(dimensions=[DAILY], path=path)


async def ingested(backbone: Backbone, path: Path, text: str) -> IngestRun:
    return await backbone.ingest(written(path, text))


async def before_and_now(path: Path, mode: str, text: str) -> tuple[IngestRun, list[dict[str, Any]], list[str]]:
    """The run over the changed file, the rows that are stored then, and why others were kept aside."""
    async with embedded(overrides=contract(mode)) as backbone:
        await ingested(backbone, path, f"{HEAD}\n{ROW}\n")
        run = await ingested(backbone, path, text)
        rows = (await backbone.fetch(DAILY)).to_arrow().to_pylist()
        return run, rows, [row.reason for row in await backbone.quarantined()]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WITH_ADJUSTED, "'adj_close' is new, read as adj_close"),
        (WITHOUT_VOLUME, "'volume' is missing, which was read as volume"),
        (WITH_A_NOTE, "'remark' is new"),
    ],
)
async def test_a_frozen_source_is_refused_and_nothing_goes_in(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bars.csv"
    async with embedded(overrides=contract("freeze")) as backbone:
        await ingested(backbone, path, f"{HEAD}\n{ROW}\n")
        assert (await ingested(backbone, path, f"{HEAD}\n{ROW}\n")).unchanged == 1
        with pytest.raises(SourceError, match=r"quality\.contracts\.daily_bars=freeze refuses that") as refused:
            await ingested(backbone, path, text)
        assert told in str(refused.value)
        assert (await backbone.fetch(DAILY)).num_rows == 1


@pytest.mark.parametrize("text", [WITH_ADJUSTED, WITHOUT_VOLUME, WITH_A_NOTE])
async def test_an_evolving_source_is_taken_and_its_columns_are_those_of_before_the_next_time(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "bars.csv"
    store = {"store.path": str(tmp_path / "store.duckdb")}
    async with embedded(overrides=store) as backbone:
        await ingested(backbone, path, f"{HEAD}\n{ROW}\n")
        assert (await ingested(backbone, path, text)).inserted == 1
    async with embedded(overrides={**store, **contract("freeze")}) as backbone:
        assert (await ingested(backbone, path, text)).unchanged == 1
        with pytest.raises(SourceError, match="others than before"):
            await ingested(backbone, path, f"{HEAD}\n{ROW}\n")


async def test_what_differs_is_left_out_and_the_columns_of_before_stay_those_of_before(tmp_path: Path) -> None:
    run, rows, aside = await before_and_now(tmp_path / "bars.csv", "discard", WITH_ADJUSTED)
    assert (run.inserted, aside) == (1, [])
    assert [row["adj_close"] for row in rows] == [None, None]
    assert [row["volume"] for row in rows] == [100.0, 100.0]
    assert any("'adj_close' is new, read as adj_close; what differs was left out" in note for note in run.notes)
    path = tmp_path / "again.csv"
    async with embedded(overrides=contract("discard")) as backbone:
        for text in (f"{HEAD}\n{ROW}\n", WITH_ADJUSTED, WITH_ADJUSTED.replace("06-05", "06-06")):
            await ingested(backbone, path, text)
        assert (await backbone.fetch(DAILY)).to_arrow().column("adj_close").null_count == 3


async def test_where_a_column_is_missing_there_is_nothing_to_discard(tmp_path: Path) -> None:
    run, rows, _ = await before_and_now(tmp_path / "bars.csv", "discard", WITHOUT_VOLUME)
    assert run.inserted == 1
    assert [row["volume"] for row in rows] == [100.0, None]


async def test_rows_are_kept_aside_and_go_in_by_a_replay_once_the_contract_lets_them(tmp_path: Path) -> None:
    store = {"store.path": str(tmp_path / "store.duckdb")}
    path = tmp_path / "bars.csv"
    async with embedded(overrides={**store, **contract("quarantine")}) as backbone:
        await ingested(backbone, path, f"{HEAD}\n{ROW}\n")
        run = await ingested(backbone, path, WITH_ADJUSTED)
        assert (run.rows_read, run.quarantined, run.inserted) == (1, 1, 0)
        [row] = await backbone.quarantined()
        assert row.reason == "the source's columns are others than before: 'adj_close' is new, read as adj_close"
        assert (await backbone.quarantine.replay()).stayed == 1
        assert await backbone.quarantined() == [row]
        assert (await ingested(backbone, path, WITH_ADJUSTED)).quarantined == 1
    async with embedded(overrides=store) as backbone:
        assert (await backbone.quarantine.replay()).taken == 1
        assert (await backbone.fetch(DAILY)).to_arrow().column("adj_close").to_pylist() == [None, 0.75]


async def test_a_kind_of_values_that_changes_is_seen_where_the_file_says_it(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"

    def write(volume: pa.Array) -> IngestPlan:
        day = pa.array(["2018-06-04"]).cast(pa.date32())
        prices = {name: [1.0] for name in ("open", "high", "low", "close")}
        pq.write_table(pa.table({"symbol": ["A"], "date": day, **prices, "volume": volume}), path)
        return IngestPlan(dimensions=[DAILY], source="parquet", path=path)

    async with embedded(overrides=contract("discard")) as backbone:
        await backbone.ingest(write(pa.array([5.0])))
        run = await backbone.ingest(write(pa.array([7], pa.int64())))
        assert any("'volume' was double and is int64 now" in note for note in run.notes)
        assert (await backbone.fetch(DAILY)).to_arrow().column("volume").to_pylist() == [None]


async def test_other_sources_and_dimensions_are_not_held_to_it(tmp_path: Path) -> None:
    async with embedded(overrides=contract("freeze")) as backbone:
        await ingested(backbone, tmp_path / "one.csv", f"{HEAD}\n{ROW}\n")
        assert (await ingested(backbone, tmp_path / "two.csv", WITH_ADJUSTED)).inserted == 1


async def test_rows_that_are_judged_again_one_by_one_do_not_make_a_contract_forgotten(tmp_path: Path) -> None:
    store, path = {"store.path": str(tmp_path / "store.duckdb")}, tmp_path / "bars.csv"
    bad = "".join(f"A,2018-01-{day:02},-1,-1,-2,-1,\n" for day in range(1, MANY + 1))
    async with embedded(overrides=store) as backbone:
        assert (await ingested(backbone, path, f"{HEAD}\n{ROW}\n{bad}")).quarantined == MANY
    allowed = {"quality.nonpositive_prices": "allow"}
    async with embedded(overrides={**store, **allowed, **contract("freeze")}) as backbone:
        assert (await backbone.quarantine.replay()).taken == MANY
        with pytest.raises(SourceError, match="others than before"):
            await ingested(backbone, path, WITH_ADJUSTED)


class Feed:
    """A provider that keeps an account of its columns."""

    name = KIND

    def __init__(self, *columns: str) -> None:
        self.account = Account(columns=dict.fromkeys(columns, ""))

    def chunks(self, **_: Any) -> Iterator[SourceChunk]:
        bar = {"symbol": "A", "ts": datetime(2018, 6, 4, tzinfo=UTC), "close": 1.0}
        prices = dict.fromkeys(("open", "high", "low"), 1.0)
        yield SourceChunk(Frame.from_records(DAILY, [{**bar, **prices}]), (), "", 1)


async def test_a_provider_that_is_refused_again_and_again_stays_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ["a"]
    installed(cast("Provider", SimpleNamespace(open=lambda **_: Feed(*columns))), monkeypatch)
    plan = IngestPlan(dimensions=[DAILY], source=KIND, symbols=["A"])
    async with embedded(overrides=contract("freeze")) as backbone:
        assert (await backbone.ingest(plan)).inserted == 1
        columns += ["b"]
        for _ in range(MANY):
            with pytest.raises(SourceError, match="'b' is new"):
                await backbone.ingest(plan)


def test_differences_are_told_column_by_column() -> None:
    before = Shape({"a": "open", "b": "close", "c": "", "d": "volume"}, {"a": "double"})
    now = Shape({"a": "open", "b": "adj_close", "c": "", "e": ""}, {"a": "string", "e": "string"})
    found = differences(before, now)
    assert other_columns(found) == (
        "the source's columns are others than before: 'a' was double and is string now, "
        "'b' was read as close and is as adj_close now, 'e' is new, 'd' is missing, which was read as volume"
    )
    assert [each.reads for each in found] == [("open",), ("adj_close",), (), ()]
    assert differences(before, before) == ()


def test_a_shape_is_remembered_whole_or_not_at_all() -> None:
    shape = Shape({"a": "open"}, {"a": "double"})
    assert Shape.of_json(shape.to_json()) == shape
    assert Shape.of_json("{") is None
    assert Shape.of_json('{"columns": 7}') is None
    assert Shape({f"column {n}": "" for n in range(10_000)}).to_json() == ""
