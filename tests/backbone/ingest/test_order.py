"""What a file becomes does not depend on where its blocks and chunks end, whatever the order of its rows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone import Dimension, Frame, IngestPlan
from backbone.sources.text import lines, order
from backbone.testing import embedded
from tests.backbone.ingest.tables import Table, accounted, ran

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
Trade = tuple[int, str, float, int | None]
"""Second, symbol, price (0 can't be true), sequence."""
FEW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=60)


def moment(second: int) -> str:
    return (NOON + timedelta(seconds=second)).isoformat()


def csv_of(path: Path, trades: Sequence[Trade]) -> Path:
    rows = [f"{moment(s)},{symbol},{price},{'' if seq is None else seq}" for s, symbol, price, seq in trades]
    path.write_text("\n".join(["ts,symbol,price,sequence", *rows]) + "\n")
    return path


async def stored(path: Path, sizes: Sequence[int], dimension: Dimension = Dimension.TRADES) -> list[Frame]:
    """The whole table after the file came in by chunks of each size, into a store of its own."""
    found = []
    for rows in sizes:
        async with embedded() as backbone:
            source = "parquet" if path.suffix == ".parquet" else "csv"
            plan = IngestPlan(dimensions=[dimension], path=path, source=source, chunk_rows=rows)
            accounted(await backbone.ingest(plan))
            found.append(await backbone.fetch(dimension))
    return found


async def kept(path: Path, rows: int) -> Frame:
    """The table after the file came in by chunks of this size, without a database."""
    table = Table()
    await ran(IngestPlan(dimensions=[Dimension.TRADES], path=path, chunk_rows=rows), table)
    return table.held


def a_file(sequences: st.SearchStrategy[int | None]) -> st.SearchStrategy[list[Trade]]:
    prices = st.sampled_from([1.0, 1.0, 2.0, 0.0])
    return st.lists(st.tuples(st.integers(0, 2), st.sampled_from("AB"), prices, sequences), min_size=1, max_size=9)


FILES = a_file(st.none()) | a_file(st.integers(0, 1))


@MANY
@given(trades=FILES)
def test_where_chunks_end_does_not_matter(tmp_path: Path, trades: list[Trade]) -> None:
    path = csv_of(tmp_path / "trades.csv", trades)
    assert len({asyncio.run(kept(path, rows)).fingerprint for rows in range(1, len(trades) + 1)}) == 1


@FEW
@given(trades=FILES)
def test_where_chunks_end_does_not_matter_to_the_embedded_store(tmp_path: Path, trades: list[Trade]) -> None:
    path = csv_of(tmp_path / "trades.csv", trades)
    tables = asyncio.run(stored(path, [1, 2, len(trades)]))
    assert len({table.fingerprint for table in tables}) == 1


@MANY
@given(trades=FILES, block=st.integers(40, 200))
def test_where_blocks_end_does_not_matter(tmp_path: Path, trades: list[Trade], block: int) -> None:
    path = csv_of(tmp_path / "trades.csv", trades)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "SHOWN", 4)
        whole = asyncio.run(kept(path, 100))
        patch.setattr(lines, "_BLOCK", block)
        assert [asyncio.run(kept(path, rows)).fingerprint for rows in (2, 3)] == [whole.fingerprint] * 2


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
async def test_trades_newest_first_are_numbered_in_the_order_of_time(tmp_path: Path, suffix: str) -> None:
    trades: list[Trade] = [(2, "A", 15.0, None), (1, "A", 14.0, None), (1, "A", 13.0, None), (1, "A", 12.0, None)]
    path = csv_of(tmp_path / "trades.csv", [*trades, (0, "A", 11.0, None)])
    if suffix == "parquet":
        path = tmp_path / "trades.parquet"
        stamps = pa.array([NOON + timedelta(seconds=s) for s in (2, 1, 1, 1, 0)], pa.timestamp("us", tz="UTC"))
        table = pa.table({"ts": stamps, "symbol": ["A"] * 5, "price": [15.0, 14.0, 13.0, 12.0, 11.0]})
        pq.write_table(table, path)
    for table in await stored(path, [1, 2, 3, 5]):
        assert table.column("price").tolist() == [11.0, 12.0, 13.0, 14.0, 15.0]
        assert table.column("sequence").tolist() == [0, 0, 1, 2, 0]


async def test_of_two_rows_with_one_key_the_upper_one_counts_where_the_newest_come_first(tmp_path: Path) -> None:
    trades: list[Trade] = [(9, "A", 5.0, 1), (1, "A", 4.0, 7), (1, "A", 3.0, 7), (0, "A", 2.0, 7)]
    for table in await stored(csv_of(tmp_path / "down.csv", trades), [1, 2, 4]):
        assert table.column("price").tolist() == [2.0, 4.0, 5.0]
    for table in await stored(csv_of(tmp_path / "up.csv", trades[::-1]), [1, 2, 4]):
        assert table.column("price").tolist() == [2.0, 4.0, 5.0]


async def test_a_row_that_can_not_be_true_takes_no_good_ones_place(tmp_path: Path) -> None:
    """In one chunk the good row went as a duplicate and the bad one into quarantine; in two the good one stayed."""
    path = csv_of(tmp_path / "trades.csv", [(0, "A", 5.0, 1), (0, "A", -1.0, 1)])
    for table in await stored(path, [1, 2]):
        assert table.column("price").tolist() == [5.0]


async def test_equal_trades_of_one_moment_are_all_kept_wherever_they_stand(tmp_path: Path) -> None:
    """As a feed receives them: the second one, in another chunk behind a later moment, was taken for the first."""
    path = csv_of(tmp_path / "trades.csv", [(0, "A", 1.0, None), (2, "A", 1.0, None), (0, "A", 1.0, None)])
    assert [table.num_rows for table in await stored(path, [1, 2, 3])] == [3, 3, 3]


async def test_bars_in_any_order_become_the_same_table(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    days = [f"2024-01-{day:02},A,1,2,1,{close}" for day, close in [(5, 1.5), (3, 1.2), (5, 1.6), (4, 1.1), (2, 1.3)]]
    path.write_text("\n".join(["ts,symbol,open,high,low,close", *days]) + "\n")
    tables = await stored(path, [1, 2, 3, 4, 5], Dimension.DAILY_BARS)
    assert len({table.fingerprint for table in tables}) == 1


async def test_one_moment_over_two_pages_and_two_records_keeps_each_event_once(tmp_path: Path) -> None:
    """Equal events of one run are two; of two runs, a page read again or a record sent again, they are the same."""
    page = csv_of(tmp_path / "1.csv", [(0, "A", 1.0, None), (1, "A", 2.0, None), (1, "A", 2.0, None)])
    after = csv_of(tmp_path / "2.csv", [(1, "A", 2.0, None), (1, "A", 3.0, None), (2, "A", 4.0, None)])
    async with embedded() as backbone:
        for path in (page, after, after, page):
            accounted(await backbone.ingest(IngestPlan(dimensions=[Dimension.TRADES], path=path)))
        for price in (2.0, 5.0, 5.0):
            row = {"symbol": "A", "ts": NOON + timedelta(seconds=1), "price": price}
            await backbone.record(Frame.from_records(Dimension.TRADES, [row]))
        table = await backbone.fetch(Dimension.TRADES)
    assert Counter(table.column("price").tolist()) == {1.0: 1, 2.0: 2, 3.0: 1, 4.0: 1, 5.0: 1}
    assert [price for price in table.column("price").tolist() if price not in {1.0, 4.0}] == [2.0, 2.0, 3.0, 5.0]
