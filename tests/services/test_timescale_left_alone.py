"""What a desk leaves alone, on TimescaleDB and PostgreSQL: gaps are filled, bad rows judged again, the gate shuts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from backbone import Backbone, Dimension, Settings, load_settings
from backbone.domain.status import Status
from backbone.ingest.reconsidering import Reconsidered
from backbone.services import native
from tests.backbone.facade.kit import BARS, bars
from tests.backbone.facade.test_backfill import ALL, END, HOUR, WEEK, trades
from tests.backbone.facade.test_gate import BTC, quote, until
from tests.backbone.ingest.providers import KIND, Provider, installed
from tests.services.proxy import proxy
from tests.services.stores import drop_database, make_database


@pytest.fixture(params=["timescale", "postgres"])
def dsn(services: native.Services, request: pytest.FixtureRequest) -> Iterator[str]:
    address = anyio.run(make_database, services, request.param)
    yield address
    anyio.run(drop_database, services, address)


def settings(dsn: str, **more: Any) -> Settings:
    overrides = {"store.backend": "timescale", "store.pool_size": 2, "control.enabled": False, **more}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)


async def delete(dsn: str, table: str, start: datetime, end: datetime) -> None:
    """Lose rows beside the ledger, as a hand in the database would."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        statement = f"DELETE FROM market_data.{table} WHERE ts >= $1 AND ts < $2"  # noqa: S608
        await connection.execute(statement, start, end)
    finally:
        await connection.close()


async def test_what_is_missing_comes_back_and_is_told_to_subscribers_once(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(Provider(ALL, trades()), monkeypatch)
    days: dict[str, Any] = {
        "source": KIND,
        "symbols": ["AAPL"],
        "start": WEEK,
        "end": WEEK + timedelta(days=2, hours=23),
    }
    async with Backbone.open(settings(dsn, **{"quality.sessions": {"AAPL": "us_equities"}})) as backbone:
        await backbone.record(ALL)
        await backbone.backfill("trades", **days)
        await delete(dsn, "intraday_bars", WEEK + 5 * HOUR, WEEK + 8 * HOUR)
        await delete(dsn, "trades", WEEK + timedelta(days=1), WEEK + timedelta(days=2))
        async with backbone.subscribe(BARS, symbols=["EURUSD"]) as updates:
            report = await backbone.backfill(BARS, source=KIND, end=END)
            assert (report.missing, report.inserted, report.status) == (3, 3, Status.OK)
            assert (await backbone.backfill("trades", **days)).inserted == 50
            assert (await backbone.backfill(BARS, source=KIND, end=END)).pieces == 0
            await backbone.record(bars(1, start=END + HOUR, close=9.0))
            came = 0
            with anyio.fail_after(20):
                async for update in updates:
                    came += update.frame.num_rows
                    if update.frame.end == END + HOUR:
                        break
        assert came == 3 + 1
        assert (await backbone.fetch(BARS, end=END)).canonical_bytes() == ALL.canonical_bytes()
        assert (await backbone.fetch("trades")).canonical_bytes() == trades().canonical_bytes()


async def test_bad_rows_are_judged_again_and_a_row_tells_how_it_came_to_be(dsn: str) -> None:
    bad = bars(2, close=-5.0, symbol="CRUDE")
    async with Backbone.open(settings(dsn)) as backbone:
        await backbone.record(bad)
        await backbone.record(bars(2, symbol="EURUSD"))
        await backbone.record(bars(1, close=1.3))
        await backbone.fetch(BARS, symbols=["EURUSD"])
        assert len(await backbone.quarantine.list()) == 2
    async with Backbone.open(settings(dsn, **{"quality.nonpositive_prices": "allow"})) as backbone:
        assert await backbone.quarantine.replay() == Reconsidered(taken=2)
        assert await backbone.quarantined() == []
        assert (await backbone.fetch(BARS, symbols=["CRUDE"])).canonical_bytes() == bad.canonical_bytes()
        [row] = (await backbone.why("EURUSD", bars().start or WEEK, dimension=BARS)).found
        standing, former = row.versions
        assert (standing.values["close"], former.values["close"]) == (1.3, 1.2)
        assert None not in {standing.event_id, standing.run_id, former.event_id, former.run_id}


async def test_the_gate_shuts_while_the_server_is_silent_and_opens_again(
    services: native.Services, dsn: str, tmp_path: Path
) -> None:
    switch = tmp_path / "kill"
    async with proxy(services.port("timescale")) as line:
        chosen = settings(line.dsn(dsn), kill_switch=str(switch), **{"store.connect_timeout": 2.0})
        async with Backbone.open(chosen) as backbone:
            assert backbone.gate(Dimension.QUOTES, BTC).level == "blocked"
            await quote(backbone)
            async with backbone.watch_gate(Dimension.QUOTES, [BTC]) as watch:
                await until(watch, "ok")
                line.silent = True
                assert (await until(watch, "blocked")).reasons[0].startswith("store: ")
                line.silent = False
                await until(watch, "ok")
                switch.touch()
                assert (await until(watch, "blocked")).reasons[0].startswith("kill_switch: ")
                switch.unlink()
                gate = await until(watch, "ok")
                assert gate.as_of <= datetime.now(UTC)
