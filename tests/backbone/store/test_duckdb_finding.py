"""The parts of a snapshot, counted slice by slice: what comes out is that of one pass over all."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.duckdb import finding
from backbone.store.duckdb.headroom import Headroom
from backbone.store.duckdb.store import DuckDBStore
from backbone.store.records import Chunk
from backbone.store.snapshots import PartFacts, Parts
from tests.backbone.export.kit import DAY, trades

TRADES = Dimension.TRADES


async def filled(path: Path) -> DuckDBStore:
    store = DuckDBStore(path)
    await store.open()
    await store.migrate()
    frames = [trades(range(0, 200_000, 1_000), symbol) for symbol in ("Z", "Ä", "a", "A")]
    frames += [trades(range(500, 90_000, 3_000), "A"), trades(range(0, 50_000, 1_000), "Z")]  # the last: known already
    for n, frame in enumerate(frames):
        await store.write(Chunk(ingest_id("csv", frame), str(n), "csv", frame))
    correction = Frame.from_records(TRADES, [{"symbol": "Z", "ts": DAY, "sequence": 0, "price": 7.5}])
    await store.write(Chunk(ingest_id("csv", correction), "correction", "csv", correction))
    return store


@pytest.mark.parametrize("slice_rows", [70, 10_000])
async def test_slices_of_any_size_give_the_same_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_rows: int
) -> None:
    store = await filled(tmp_path / "s.duckdb")
    wanted = [
        Parts(TRADES, period=period, by_symbol=by_symbol)
        for period in ("day", "month", "year", "all")
        for by_symbol in (True, False)
    ]

    async def found() -> list[list[PartFacts]]:
        snapshot = await store.open_snapshot("test", 600.0)
        return [await store.find_parts(snapshot.name, each) for each in wanted]

    try:
        whole = await found()
        monkeypatch.setattr(finding, "SLICE_ROWS", slice_rows)
        assert await found() == whole
        by_day = whole[0]
        assert [each.part.symbol for each in by_day] == sorted(["A", "Z", "a", "Ä"] * 3)
        assert sum(each.rows for each in by_day) == 4 * 200 + 30
        assert [len(each) for each in whole] == [12, 3, 4, 1, 4, 1, 4, 1]
    finally:
        await store.close()


async def test_memory_goes_back_behind_each_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    returned: list[int] = []
    monkeypatch.setattr(Headroom, "give_back", lambda *_: returned.append(1))
    monkeypatch.setattr(finding, "SLICE_ROWS", 500)
    store = await filled(tmp_path / "s.duckdb")
    try:
        snapshot = await store.open_snapshot("test", 600.0)
        await store.find_parts(snapshot.name, Parts(TRADES))
        assert len(returned) == 2
    finally:
        await store.close()
