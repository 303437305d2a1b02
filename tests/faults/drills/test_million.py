"""A million rows through the whole cycle on real servers: each arrives once, as it is stored, and nothing piles up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from backbone import Backbone, IngestPlan
from backbone.services import native
from backbone.settings import Settings
from tests.faults.drills.bare_million import bare_lateness
from tests.faults.drills.kit import say
from tests.faults.drills.million import ROWS, TRADES, Watch, sum_of, written
from tests.services.conftest import serving
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database

LAG_SECONDS = 0.010


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    yield from serving(native.ALL, tmp_path_factory.mktemp("million"))


@asynccontextmanager
async def fresh(services: native.Services) -> AsyncIterator[Settings]:
    """A database and topics that nobody has used."""
    dsn = await make_database(services, "timescale")
    yield institutional(services, dsn)
    await drop_database(services, dsn)


@pytest.fixture
async def settings(services: native.Services) -> AsyncIterator[Settings]:
    async with fresh(services) as settings:
        yield settings


async def beside(services: native.Services, path: Path) -> float:
    """The lateness of a loop in which the bare clients do the same."""
    async with fresh(services) as settings:
        return await bare_lateness(services, settings, path)


async def test_a_million_rows_arrive_once_as_they_are_stored(
    services: native.Services, settings: Settings, tmp_path: Path
) -> None:
    path, watch, opened = written(tmp_path / "trades.parquet"), Watch(), anyio.Event()
    async with Backbone.open(settings) as backbone:
        async with anyio.create_task_group() as group:
            group.start_soon(watch.beat)
            async with anyio.create_task_group() as work:
                work.start_soon(watch.read, backbone, opened)
                await opened.wait()
                began = time.perf_counter()
                run = await backbone.ingest(IngestPlan(dimensions=[TRADES], source="parquet", path=path))
                stored = time.perf_counter() - began
            arrived = time.perf_counter() - began
            group.cancel_scope.cancel()
        table, rows = 0, 0
        for symbol in run.symbols:
            frame = await backbone.fetch(TRADES, symbols=[symbol])
            table, rows = (table + sum_of(frame)) % 2**64, rows + frame.num_rows
        roster = backbone.roster()
    say(f"1,000,000 rows stored in {stored:.1f} s, all with the consumer after {arrived:.1f} s; hash {watch.sum:016x}")
    say(f"loop late by p99 {1000 * watch.p99:.1f} ms, worst {1000 * max(watch.late):.0f} ms")
    say("memory at each tenth: " + ", ".join(f"{each >> 20} MB" for _, each in sorted(watch.memory.items())))
    assert (run.inserted, watch.rows, rows) == (ROWS, ROWS, ROWS)
    assert watch.sum == table
    assert not roster.orphans
    first, second = (max(each for tenth, each in watch.memory.items() if (tenth < 5) == half) for half in (True, False))
    assert second <= 1.1 * first, "memory grows with the rows"
    if watch.p99 >= LAG_SECONDS:
        bare = [await beside(services, path) for _ in range(2)]
        theirs = " and ".join(f"{1000 * late:.1f}" for late in bare)
        pytest.fail(
            f"the loop is late by p99 {1000 * watch.p99:.1f} ms; allowed are {1000 * LAG_SECONDS:g} ms; "
            f"with bare clients that do the same it was {theirs} ms"
        )
