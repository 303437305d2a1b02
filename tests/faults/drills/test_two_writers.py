"""Two processes that want the same, and two writers of one symbol."""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from backbone.domain import Dimension
from backbone.services import native
from backbone.store.port import Store
from backbone.store.records import OutboxRow
from backbone.store.timescale import TimescaleStore
from tests.backbone.facade.kit import bars
from tests.faults.drills.kit import everything_published, inspect, say, store_of
from tests.services.stores import chunk as bars_chunk
from tests.services.stores import drop_database, make_database

ROOT = Path(__file__).parents[3]
BARS = Dimension.INTRADAY_BARS
ROUNDS = 8
WRITES = 1000
BOUND_SECONDS = 180.0
SEED = 11


class Racer:
    """The other side of `racer`."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def hear(self) -> Any:
        with anyio.fail_after(60):
            return msgspec.json.decode(await self._lines.receive_until(b"\n", 1_000_000))

    async def tell(self, text: str) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(f"{text}\n".encode())


@asynccontextmanager
async def racers() -> AsyncIterator[list[Racer]]:
    command = [sys.executable, "-m", "tests.faults.drills.racer"]
    async with (
        await anyio.open_process(command, cwd=ROOT, stderr=None) as one,
        await anyio.open_process(command, cwd=ROOT, stderr=None) as two,
    ):
        pair = [Racer(one), Racer(two)]
        try:
            assert [await each.hear() for each in pair] == ["ready", "ready"]
            yield pair
        finally:
            one.kill()
            two.kill()


async def race(pair: list[Racer], dsn: str, lead: float) -> list[Any]:
    """Both ingest the same plan, the second one so many seconds later; what became of it."""
    for each in pair:
        await each.tell(dsn)
        assert await each.hear() == "open"
    await pair[0].tell("go")
    await anyio.sleep(lead)
    await pair[1].tell("go")
    return [await each.hear() for each in pair]


async def test_two_processes_that_ingest_the_same_plan_give_the_rows_of_one(services: native.Services) -> None:
    chance = random.Random(SEED)
    hashes, fenced = set(), 0
    say(f"seed {SEED}: {ROUNDS} races")
    async with racers() as pair:
        for _ in range(ROUNDS):
            dsn = await make_database(services, "timescale")
            outcomes = await race(pair, dsn, chance.uniform(0.0, 0.15))
            store = store_of(dsn, "inspector")
            await store.open()
            found = await inspect(store, BARS)
            await store.close()
            assert any(each["done"] for each in outcomes), outcomes
            for each in outcomes:
                if each["done"]:
                    assert each["inserted"] + each["unchanged"] == 5000
                else:
                    assert "epoch" in each["why"]
                    fenced += 1
            assert found.rows == 5000
            hashes.add(found.table)
            # an opened backbone must be closed before its database goes; it is, since both have answered
            await drop_database(services, dsn)
    say(f"{fenced} of {2 * ROUNDS} were fenced out; one hash: {hashes}")
    assert fenced, "the two never met: choose other moments"
    assert len(hashes) == 1


async def test_outbox_order_of_one_symbol_is_commit_order_1000_times(services: native.Services) -> None:
    await services.sql("ALTER SYSTEM SET track_commit_timestamp = on")
    await services.restart("timescale")
    dsn = await make_database(services, "timescale")
    stores = [store_of(dsn, f"writer-{number}") for number in range(2)]
    for store in stores:
        await store.open()
        await store.migrate()
    seen: list[OutboxRow] = []
    done = anyio.Event()

    async def write(store: TimescaleStore, name: str, first: int) -> None:
        for n in range(first, WRITES, 2):
            await store.write(bars_chunk(bars(1, close=1.0 + n / WRITES), f"{name} {n}"))

    async def follow(store: Store) -> None:
        """As the relay does: what appears below a position that was passed already is lost."""
        while True:
            last = done.is_set()
            page = await store.read_outbox(seen[-1].position if seen else 0)
            seen.extend(page)
            if last and not page:
                return
            await anyio.sleep(0.002)

    with anyio.fail_after(BOUND_SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(follow, stores[0])
            async with anyio.create_task_group() as writers:
                writers.start_soon(write, stores[0], "one", 0)
                writers.start_soon(write, stores[1], "two", 1)
            done.set()
    rows = await everything_published(stores[0])
    moments = await commit_moments(dsn)
    found = await inspect(stores[0], BARS)
    for store in stores:
        await store.close()
    await drop_database(services, dsn)
    turns = sum(a.ingest_id != b.ingest_id for a, b in pairwise(rows))
    say(f"{len(rows)} changes by two writers, {turns} turns; {found.rows} row; the reader missed none")
    assert len(rows) == len(moments) == WRITES
    assert all(earlier < later for earlier, later in pairwise(moments)), "outbox order is not commit order"
    assert [row.position for row in seen] == [row.position for row in rows]


async def commit_moments(dsn: str) -> list[Any]:
    """When the transactions were committed, as the server noted it, in the outbox's order."""
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=20)
    try:
        query = "SELECT pg_xact_commit_timestamp(xid::xid) FROM telemetry.outbox ORDER BY position"
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close(timeout=5)
