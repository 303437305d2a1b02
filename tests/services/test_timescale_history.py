"""Reads from exports on the real server: whatever happens, they give what the store alone gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from backbone import Backbone, Frame, load_settings
from backbone.domain.identifiers import ingest_id
from backbone.store.records import Chunk
from backbone.store.timescale import since as asked
from tests.backbone.history.play import Differs, Play
from tests.backbone.history.virtual.test_property import ignoring_the_ledger, short_of_the_edge
from tests.contracts.test_store_since import DAY_US, ONE_DAY, WEEK, noted, trades_on, whole_days, written_in
from tests.services.stores import DAY, TRADES, bare, empty, opened, until_somebody_waits

ACTS = 25


def play_of(seed: int, dsn: str, root: Path) -> Play:
    overrides = {
        "store.backend": "timescale",
        "export.path": str(root),
        "export.reads": True,
        "export.mapped": seed % 2 == 0,
        "cache.backend": "off",
        "control.enabled": False,
        "quality.session": "24x7",
    }
    settings = load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Backbone]:
        async with Backbone.open(settings) as backbone:
            yield backbone

    return Play(seed, opened, root)


@pytest.mark.parametrize("seed", range(3))
async def test_a_window_is_what_the_store_holds(seed: int, dsn: str, tmp_path: Path) -> None:
    await empty(dsn)
    play = play_of(seed, dsn, tmp_path)
    await play.run(ACTS)
    assert play.history_rows


@pytest.mark.parametrize("bug", [ignoring_the_ledger, short_of_the_edge])
async def test_a_bug_is_found(bug: object, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "stretches_of", bug)

    async def played() -> None:
        for seed in range(10):
            await empty(dsn)
            await play_of(seed, dsn, tmp_path / str(seed)).run(ACTS)

    with pytest.raises(Differs):
        await played()


async def test_what_was_under_way_when_the_export_read_is_not_taken_for_older_than_it(dsn: str, tmp_path: Path) -> None:
    """It commits after the export has read, and its number is smaller than one that the export has seen."""
    await empty(dsn)
    async with play_of(0, dsn, tmp_path).opened() as backbone, bare(dsn) as blocker:
        await backbone.record(trade(1.0))
        await blocker.execute("BEGIN; SELECT FROM telemetry.positions WHERE symbol = 'AIG' FOR UPDATE")
        async with anyio.create_task_group() as group:
            group.start_soon(backbone.record, trade(2.0))
            await until_somebody_waits(dsn)
            async with opened(dsn) as beside:
                other = trade(5.0, "IBM")
                await beside.write(Chunk(ingest_id("beside", other), "run", "beside", other))
            await backbone.export()
            await blocker.execute("COMMIT")
        found = await backbone.fetch(TRADES, symbols=["AIG"], start=DAY, end=DAY)
        assert found.column("price").tolist() == [2.0]
        await backbone.export()
        assert await backbone.fetch(TRADES, symbols=["AIG"], start=DAY, end=DAY) == found


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE telemetry.epochs SET epoch = epoch + 1, updated_at = now() WHERE source = 'drop'",
        "DELETE FROM telemetry.epochs WHERE source = 'drop cut'",
    ],
    ids=["dropped again", "dropped first"],
)
async def test_where_a_version_that_noted_no_moments_has_dropped_rows_nothing_stands(dsn: str, statement: str) -> None:
    await empty(dsn)
    async with opened(dsn) as store, bare(dsn) as other:
        await written_in(store, trades_on(0, 1, 2))
        since = await noted(store)
        await store.drop(TRADES, before=DAY + ONE_DAY / 2, dry_run=False)
        assert whole_days(await store.read_since(WEEK, since)) == [(0, 1)]
        await other.execute(statement)
        assert whole_days(await store.read_since(WEEK, since)) == [(0, 7 + 1 / DAY_US)]


def trade(price: float, symbol: str = "AIG") -> Frame:
    return Frame.from_records(TRADES, [{"symbol": symbol, "ts": DAY, "sequence": 1, "price": price}])
