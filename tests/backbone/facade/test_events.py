"""Events of one moment, and content that comes again, as who uses a whole backbone meets them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from backbone import Dimension, Frame, IngestPlan, RecordResult
from backbone.testing import embedded

TRADES, BARS = Dimension.TRADES, Dimension.INTRADAY_BARS
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def trades(*prices: float) -> Frame:
    return Frame.from_records(TRADES, [{"symbol": "A", "ts": NOON, "price": price, "size": 1.0} for price in prices])


def trades_file(path: Path, *prices: float) -> IngestPlan:
    rows = "".join(f"{NOON.isoformat()},A,{price},1\n" for price in prices)
    path.write_text("ts,symbol,price,size\n" + rows)
    return IngestPlan(dimensions=[TRADES], path=path)


def prices(frame: Frame) -> list[float]:
    return [float(price) for price in frame.column("price")]


async def test_two_live_trades_of_one_microsecond_in_two_calls_both_stay() -> None:
    async with embedded() as backbone:
        await backbone.record(trades(1.0))
        await backbone.record(trades(2.0))
        assert prices(await backbone.fetch(TRADES)) == [1.0, 2.0]


async def test_callers_whose_rows_go_in_together_give_an_equal_event_once_and_others_all() -> None:
    answers: dict[str, RecordResult] = {}

    async with embedded() as backbone:

        async def give(name: str, frame: Frame) -> None:
            answers[name] = await backbone.record(frame)

        async with anyio.create_task_group() as group:
            for name, frame in {"a": trades(5.0, 5.0), "b": trades(5.0), "c": trades(6.0)}.items():
                group.start_soon(give, name, frame)
        assert sorted(prices(await backbone.fetch(TRADES))) == [5.0, 5.0, 6.0]
    assert {name: (each.inserted, each.unchanged) for name, each in answers.items()} == {
        "a": (2, 0),
        "b": (0, 1),
        "c": (1, 0),
    }


async def test_a_subscriber_sees_each_event_of_a_moment_once_with_the_number_that_is_stored() -> None:
    async with embedded() as backbone, backbone.subscribe(TRADES, start="latest") as updates:
        for frame in (trades(1.0), trades(2.0, 1.0), trades(2.0)):
            await backbone.record(frame)
        first, second = await anext(updates), await anext(updates)
        assert Frame.concat([first.frame, second.frame]) == await backbone.fetch(TRADES)


async def test_a_file_that_overlaps_the_one_before_brings_only_what_is_new(tmp_path: Path) -> None:
    async with embedded() as backbone:
        await backbone.ingest(trades_file(tmp_path / "one.csv", 1.0, 2.0, 1.0))
        run = await backbone.ingest(trades_file(tmp_path / "two.csv", 1.0, 1.0, 3.0))
        assert (run.inserted, run.changed, run.unchanged) == (1, 0, 2)
        assert prices(await backbone.fetch(TRADES)) == [1.0, 2.0, 1.0, 3.0]


async def test_a_moment_that_fills_several_chunks_is_counted_through_all_of_them(tmp_path: Path) -> None:
    async with embedded() as backbone:
        plan = trades_file(tmp_path / "one.csv", *[1.0] * 7)
        plan = IngestPlan(dimensions=[TRADES], path=plan.path, chunk_rows=2)
        assert (await backbone.ingest(plan)).inserted == 7
        assert (await backbone.ingest(plan)).inserted == 0
        assert len(await backbone.fetch(TRADES)) == 7


def bars_file(path: Path, closes: Sequence[tuple[int, float]]) -> Path:
    rows = [f"{(NOON + timedelta(hours=hour)).isoformat()},A,1,9,1,{close}\n" for hour, close in closes]
    path.write_text("ts,symbol,open,high,low,close\n" + "".join(rows))
    return path


async def test_a_file_that_says_a_then_b_then_a_again_ends_in_a_and_counts_each(tmp_path: Path) -> None:
    path = bars_file(tmp_path / "f.csv", [(0, 1.0), (1, 1.0), (0, 2.0), (1, 2.0), (0, 1.0), (1, 1.0)])
    async with embedded() as backbone:
        plan = IngestPlan(dimensions=[BARS], interval="1h", path=path, chunk_rows=2)
        run = await backbone.ingest(plan)
        assert (run.inserted, run.changed) == (2, 4)
        assert (await backbone.fetch(BARS)).column("close").tolist() == [1.0, 1.0]
        again = await backbone.ingest(plan)
        assert again.inserted == 0
        assert (await backbone.fetch(BARS)).column("close").tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_a_file_whose_sequence_is_empty_in_all_rows_or_in_some_goes_in_as_the_frame_that_it_was_made_of(
    tmp_path: Path, kind: str
) -> None:
    numbered = Frame.from_records(TRADES, [{"symbol": "A", "ts": NOON, "price": 4.0, "size": 1.0, "sequence": 77}])
    for given, kept in (
        (trades(1.0, 2.0, 1.0), [1.0, 2.0, 1.0]),
        (Frame.concat([numbered, trades(1.0, 1.0)]), [4.0, 1.0, 1.0]),
    ):
        path, table = tmp_path / kind, given.to_arrow()
        if kind == "csv":
            pacsv.write_csv(table, path)
        else:
            pq.write_table(table, path)
        async with embedded() as backbone:
            for inserted in (len(kept), 0):
                run = await backbone.ingest(IngestPlan(dimensions=[TRADES], source=kind, path=path))
                assert (run.inserted, run.quarantined, run.changed) == (inserted, 0, 0)
            assert sorted(prices(await backbone.fetch(TRADES))) == sorted(kept)
