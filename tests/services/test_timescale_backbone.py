"""A whole backbone on the TimescaleDB store: the actors above it do not know the difference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone, Dimension, IngestPlan, StoreUnavailable, load_settings
from backbone.domain.status import Status
from compose import native
from tests.services.stores import DAY, bars, drop_database, make_database

SAMPLE = Path(__file__).parents[2] / "config" / "samples" / "eurusd_1h_tail.csv.gz"
BARS = Dimension.INTRADAY_BARS
PLAN = IngestPlan(dimensions=[BARS], interval="1h", path=SAMPLE)


@pytest.fixture(scope="module", params=["timescale", "postgres"])
def dsn(services: native.Services, request: pytest.FixtureRequest) -> Iterator[str]:
    address = anyio.run(make_database, services, request.param)
    yield address
    anyio.run(drop_database, services, address)


def settings(dsn: str) -> Any:
    store = {"store.backend": "timescale", "store.statement_timeout": 5.0, "store.pool_size": 2}
    overrides = {**store, "control.enabled": False}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)


async def test_ingest_fetch_subscribe_and_probe(dsn: str) -> None:
    async with (
        Backbone.open(settings(dsn)) as backbone,
        backbone.subscribe(BARS, symbols=["EURUSD"], start="earliest") as updates,
    ):
        run = await backbone.ingest(PLAN)
        assert run.inserted == run.rows_read == 5000
        again = await backbone.ingest(PLAN)
        assert (again.inserted, again.unchanged) == (0, 5000)
        window = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", limit=500)
        assert (len(window), window.stale) == (500, False)
        seen = 0
        with anyio.fail_after(20):
            async for update in updates:
                seen += len(update.frame)
                if seen == 5000:
                    break
        result = await backbone.record(bars({0: 1.5}, "GBPUSD"))
        assert (result.inserted, result.position > run.position) == (1, True)
        live = await backbone.fetch(BARS, symbols=["GBPUSD"], interval="1h")
        assert live == bars({0: 1.5}, "GBPUSD")
        assert len(await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", as_of=DAY)) == 0
        report = await backbone.connectivity()
        [probe] = [each for each in report.probes if each.name == "store"]
        assert (probe.healthy, probe.backend) == (True, "timescale")
        assert probe.status is (Status.OK if "timescale_" in dsn else Status.DEGRADED)


async def test_a_server_that_is_not_there_is_said_in_one_line(dsn: str) -> None:
    nowhere = f"postgresql://backbone:canary@127.0.0.1:1/{dsn.rpartition('/')[2]}"
    with pytest.raises(StoreUnavailable) as refused:
        async with Backbone.open(settings(nowhere)):
            pass
    assert "127.0.0.1:1/" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)
