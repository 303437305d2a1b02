"""Redis is killed, frozen for 30 s and emptied while rows are written and read: nothing fails, nothing old is read."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis

from backbone import Backbone
from backbone.services import native
from backbone.services import redis as launcher
from tests.backbone.facade.kit import BARS, bars, plan
from tests.faults.drills.kit import health, inspect, say, settings_of, store_of
from tests.services.stores import drop_database, make_database

FROZEN_SECONDS = 30.0
BACK_SECONDS = 5.0
LONGEST_SECONDS = 3.0  # the first who meets a server that answers nothing waits a second; a busy machine takes its time


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """TimescaleDB, and a Redis that may be emptied by who may use it."""
    data = tmp_path_factory.mktemp("redis-drills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(launcher.RIGHTS, "backbone", f"{launcher.RIGHTS['backbone']} +flushall")
        try:
            running = anyio.run(bring_up, data)
        except native.Unavailable as error:
            pytest.skip(f"NOT DRILLED ON REAL SERVERS: {error}")
        yield running
        anyio.run(native.down, data)


async def bring_up(data: Any) -> native.Services:
    return await native.up(["timescale", "redis"], data=data, die_with_parent=True)


class Load:
    """Writes and reads in turn, and notes how long each took; what is read is never older than what was written."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.written = 0
        self.taken: list[float] = []
        self.ingested = anyio.Event()

    async def ingest(self) -> None:
        await self.backbone.ingest(plan())
        self.ingested.set()

    async def run(self) -> None:
        while True:
            self.written += 1
            await self.backbone.record(bars(3, symbol="GBPUSD", close=float(self.written)))
            began = time.monotonic()
            for _ in range(3):
                frame = await self.backbone.fetch(BARS, symbols=["GBPUSD"], interval="1h")
                assert (frame.column("close")[-1], frame.stale) == (float(self.written), False)
            self.taken.append((time.monotonic() - began) / 3)


@asynccontextmanager
async def under_load(servers: native.Services) -> AsyncIterator[Load]:
    """A backbone that ingests, records and fetches; in the end the store is looked through."""
    dsn = await make_database(servers, "timescale")
    redis = {"cache.backend": "redis", "cache.url": servers.environment["BACKBONE_CACHE_URL"]}
    async with Backbone.open(settings_of(dsn, **redis)) as backbone, anyio.create_task_group() as group:
        load = Load(backbone)
        group.start_soon(load.run)
        group.start_soon(load.ingest)
        yield load
        with anyio.fail_after(60):
            await load.ingested.wait()
        group.cancel_scope.cancel()
    store = store_of(dsn, "looking")
    await store.open()
    found = await inspect(store, BARS)
    await store.close()
    assert found.rows == 5003
    say(f"{load.written} writes, {3 * len(load.taken)} reads, worst {max(load.taken):.2f} s")
    assert max(load.taken) < LONGEST_SECONDS
    await drop_database(servers, dsn)


async def is_ok(backbone: Backbone) -> float:
    began = time.monotonic()
    with anyio.fail_after(BACK_SECONDS):
        while health(backbone, "cache").level != "ok":  # noqa: ASYNC110 - the roster is looked at, as people do
            await anyio.sleep(0.02)
    return time.monotonic() - began


async def is_told(backbone: Backbone) -> None:
    with anyio.fail_after(BACK_SECONDS):
        while health(backbone, "cache").level == "ok":  # noqa: ASYNC110
            await anyio.sleep(0.02)
    assert health(backbone, "cache").why.startswith("Redis at 127.0.0.1:")


async def test_killed_again_and_again(servers: native.Services) -> None:
    async with under_load(servers) as load:
        took = []
        for _ in range(5):
            await anyio.sleep(1)
            servers.kill("redis")
            await is_told(load.backbone)
            await anyio.sleep(1)
            await servers.restart("redis")
            took.append(await is_ok(load.backbone))
        say(f"ok {statistics.median(took):.2f} s after its return, at worst {max(took):.2f} s")


async def test_frozen(servers: native.Services) -> None:
    async with under_load(servers) as load:
        await anyio.sleep(1)
        servers.freeze("redis")
        try:
            await is_told(load.backbone)
            before = load.written
            await anyio.sleep(FROZEN_SECONDS)
            assert load.written > before + 100
        finally:
            servers.thaw("redis")
        say(f"ok {await is_ok(load.backbone):.2f} s after it went on")
        await anyio.sleep(2)


async def test_emptied_under_way(servers: native.Services) -> None:
    async with under_load(servers) as load, Redis.from_url(servers.environment["BACKBONE_CACHE_URL"]) as client:
        for _ in range(20):
            await anyio.sleep(0.2)
            await client.flushall()
        assert health(load.backbone, "cache").level == "ok"
