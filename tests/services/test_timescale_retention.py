"""Retention and wider bars of a whole backbone over TimescaleDB: cache, ledger and chunks agree after a drop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from backbone import Backbone, Frame, load_settings
from backbone.services import native
from backbone.settings import Settings
from tests.backbone.facade.kit import BARS, SAMPLE, bars, plan, write_csv
from tests.services.stores import drop_database, make_database

DAY = timedelta(days=1)


@pytest.fixture
def dsn(services: native.Services) -> Iterator[str]:
    address = anyio.run(make_database, services, "timescale")
    yield address
    anyio.run(drop_database, services, address)


def settings_of(dsn: str | None) -> Settings:
    """TimescaleDB at this address, or DuckDB in memory; all else in this process."""
    if dsn is None:
        return load_settings(profile="embedded", overrides={"control.enabled": False, "store.path": ":memory:"})
    overrides = {"control.enabled": False, "store.backend": "timescale"}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)


async def test_old_chunks_are_dropped_the_cache_forgets_them_and_they_can_be_ingested_again(
    dsn: str, tmp_path: Path
) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    frame = Frame.concat([bars(1, start=noon - n * DAY) for n in range(1, 201)])
    path = write_csv(tmp_path / "bars.csv", frame)
    async with Backbone.open(settings_of(dsn)) as backbone:
        assert (await backbone.ingest(plan(path))).inserted == 200
        assert (await backbone.fetch(BARS)).num_rows == 200
        (planned,) = (await backbone.retention()).drops
        report = await backbone.retention(apply=True)
        (drop,) = report.drops
        assert drop.rows == planned.rows
        assert drop.rows in (135, 136)
        left = await backbone.fetch(BARS)
        assert left.num_rows == 200 - drop.rows
        assert report.findings[0].beyond_cap == 0
        again = await backbone.ingest(plan(path))
        assert (again.inserted, again.unchanged) == (drop.rows, left.num_rows)
        assert await backbone.fetch(BARS) == frame

        await backbone.ingest(plan(SAMPLE))
        (kept,) = (await backbone.retention(apply=True)).drops
        assert kept.rows > 5000 - 1
        assert (await backbone.fetch(BARS)).num_rows == left.num_rows


async def test_wider_bars_are_those_of_the_embedded_store(dsn: str) -> None:
    found: list[list[Frame]] = []
    for settings in (settings_of(dsn), settings_of(None)):
        async with Backbone.open(settings) as backbone:
            await backbone.ingest(plan(SAMPLE))
            found.append(
                [
                    await backbone.fetch(BARS, symbols=["EURUSD"], interval=interval, limit=limit)
                    for interval in ("4h", "1d", "1wk", "1mo")
                    for limit in (None, 5)
                ]
            )
    assert found[0] == found[1]
    assert all(frame.num_rows >= 5 for frame in found[0])
