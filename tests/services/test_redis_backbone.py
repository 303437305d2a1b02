"""Whole backbones on one Redis: what one has read the other need not; what one changes or drops the other sees."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from backbone import Backbone
from backbone.domain.status import Status
from backbone.services import native
from tests.backbone.facade.kit import BARS, bars
from tests.services.clients import ROOT
from tests.services.conftest import serving
from tests.services.redis_reader import settings_of
from tests.services.stores import drop_database, make_database

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """TimescaleDB and a Redis that are frozen and killed."""
    yield from serving(["timescale", "redis"], tmp_path_factory.mktemp("servers"))


@pytest.fixture
def store(servers: native.Services) -> Iterator[str]:
    address = anyio.run(make_database, servers, "timescale")
    yield address
    anyio.run(drop_database, servers, address)


@pytest.fixture
def cache(servers: native.Services) -> str:
    return servers.environment["BACKBONE_CACHE_URL"]


Ask = Callable[[], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def another_process(store: str, cache: str) -> AsyncIterator[Ask]:
    """Fetches in a process of its own."""
    env = {**os.environ, "STORE": store, "CACHE": cache}
    command = [sys.executable, "-m", "tests.services.redis_reader"]
    async with await anyio.open_process(command, cwd=ROOT, env=env, stderr=None) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)

        async def line() -> bytes:
            with anyio.fail_after(30):
                return bytes(await lines.receive_until(b"\n", 10_000))

        async def ask() -> dict[str, Any]:
            assert process.stdin is not None
            await process.stdin.send(b"\n")
            return dict(json.loads(await line()))

        assert await line() == b"ready"
        try:
            yield ask
        finally:
            await process.stdin.aclose()


async def seen_within_a_second(ask: Ask, name: str, wanted: object) -> None:
    """Until another process reads that; who began to ask a second later has to."""
    until = time.monotonic() + 1.0
    while True:
        began = time.monotonic()
        if (await ask())[name] == wanted:
            return
        assert began < until, f"{name} is not {wanted} after a second"


async def test_what_one_process_has_read_the_other_finds_and_what_it_changes_the_other_sees(
    store: str, cache: str
) -> None:
    async with Backbone.open(settings_of(store, cache)) as backbone, another_process(store, cache) as ask:
        await backbone.record(bars(3))
        await seen_within_a_second(ask, "rows", 3)
        before = (await backbone.cache_metrics(reset=True)).keys
        assert before == 1
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).num_rows == 3
        assert (await backbone.cache_metrics()).hits == 1  # by what the other one has loaded
        for n in range(20):
            assert (await ask())["rows"] == 3
            await backbone.record(bars(3, close=2.0 + n))
            await seen_within_a_second(ask, "close", 2.0 + n)
            assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).column("close")[-1] == 2.0 + n


async def test_what_one_process_drops_the_other_does_not_read_any_more(store: str, cache: str) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    async with Backbone.open(settings_of(store, cache)) as backbone, another_process(store, cache) as ask:
        for days in range(1, 201):
            await backbone.record(bars(1, start=noon - days * 24 * HOUR))
        await seen_within_a_second(ask, "rows", 200)
        assert (await ask())["rows"] == 200
        (drop,) = (await backbone.retention(apply=True)).drops
        assert drop.rows
        await seen_within_a_second(ask, "rows", 200 - drop.rows)


async def test_a_frozen_redis_is_passed_by_and_used_again(servers: native.Services, store: str, cache: str) -> None:
    async with Backbone.open(settings_of(store, cache)) as backbone:
        await backbone.record(bars(3))
        await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
        servers.freeze("redis")
        try:
            with anyio.fail_after(20):
                for n in range(5):
                    await backbone.record(bars(3, close=2.0 + n))
                    frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
                    assert (frame.column("close")[-1], frame.stale) == (2.0 + n, False)
            entry = backbone.roster().find(f"{backbone.path}/cache")
            assert entry is not None
            assert entry.health.level == "degraded"
            assert "no answer within" in (entry.health.why or "")
        finally:
            servers.thaw("redis")
        await is_ok(backbone)
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).column("close")[-1] == 6.0


async def test_a_redis_that_is_killed_and_comes_back_empty_harms_nobody(
    servers: native.Services, store: str, cache: str
) -> None:
    async with Backbone.open(settings_of(store, cache)) as backbone:
        await backbone.record(bars(3))
        for n in range(3):
            servers.kill("redis")
            with anyio.fail_after(20):
                await backbone.record(bars(3, close=2.0 + n))
                frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
                assert (frame.column("close")[-1], frame.stale) == (2.0 + n, False)
            await servers.restart("redis")
            await is_ok(backbone)
            for _ in range(2):
                frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
                assert frame.column("close")[-1] == 2.0 + n
        assert (await backbone.cache_metrics()).hits > 0


async def test_a_backbone_opens_though_redis_is_not_there_yet_and_uses_it_once_it_is(
    servers: native.Services, store: str, cache: str
) -> None:
    servers.kill("redis")
    try:
        async with Backbone.open(settings_of(store, cache)) as backbone:
            await backbone.record(bars(3))
            assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")).num_rows == 3
            report = await backbone.connectivity()
            assert {each.name: each.status for each in report.probes}["cache"] is Status.FAILED
            await servers.restart("redis")
            await is_ok(backbone)
            for _ in range(2):
                await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
            assert (await backbone.cache_metrics()).hits > 0
    finally:
        await servers.restart("redis")


async def test_the_probe_of_the_cache_is_a_round_trip_and_says_no_password(store: str, cache: str) -> None:
    async with Backbone.open(settings_of(store, cache)) as backbone:
        report = await backbone.connectivity()
        (probe,) = [each for each in report.probes if each.name == "cache"]
        assert (probe.status, probe.backend) == (Status.OK, "redis")
        assert cache.split(":")[2].split("@")[0] not in report.to_json().decode()


async def is_ok(backbone: Backbone) -> None:
    """Until the cache says so; within five seconds of the server's return."""
    with anyio.fail_after(5):
        while True:
            entry = backbone.roster().find(f"{backbone.path}/cache")
            if entry is not None and entry.health.level == "ok":
                return
            await anyio.sleep(0.05)
