"""Writers side by side: one order per symbol, no reader passes anything over, nobody writes what another has taken."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone.domain import Frame, codec
from backbone.domain.clock import MAX_US, MIN_US, to_us
from backbone.domain.identifiers import shard
from backbone.services import native
from backbone.store.errors import FencedOut
from backbone.store.records import OutboxRow, Query, ReadResult, WriteResult
from backbone.store.since import Since
from backbone.store.timescale import Bounds, TimescaleStore
from backbone.store.timescale.ledger import NEWEST
from backbone.store.timescale.locks import SHARDS, writing
from tests.services.stores import (
    BARS,
    DAY,
    bare,
    bars,
    chunk,
    drop_database,
    empty,
    make_database,
    opened,
    until_somebody_waits,
)

ROOT = Path(__file__).parents[2]
ROOMY = Bounds(pool_size=2, max_overflow=6)


@pytest.fixture(scope="module")
def dsn(services: native.Services) -> Iterator[str]:
    address = anyio.run(make_database, services, "timescale")
    yield address
    anyio.run(drop_database, services, address)


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[TimescaleStore]:
    async with opened(dsn, bounds=ROOMY) as store:
        await empty(dsn)
        yield store


async def follow(store: TimescaleStore, until: int) -> list[OutboxRow]:
    """Read the outbox as the relay does, while others write, until so many rows were seen."""
    seen: list[OutboxRow] = []
    with anyio.fail_after(120):
        while len(seen) < until:
            rows = await store.read_outbox(seen[-1].position if seen else 0, 7)
            seen += rows
            if not rows:
                await anyio.sleep(0.01)
    return seen


async def test_the_outbox_order_of_one_symbol_is_its_commit_order_a_thousand_times(
    dsn: str, store: TimescaleStore
) -> None:
    """Each writer overwrites the one bar; whoever commits last must come last, whatever the interleaving."""
    committed: list[float] = []

    async def write(writer: TimescaleStore, first: int) -> None:
        for n in range(first, 1000, 4):
            await writer.write(chunk(bars({0: float(n)}), f"run {n}"))

    async with opened(dsn, bounds=ROOMY) as other, anyio.create_task_group() as group:
        for first, writer in enumerate((store, other, store, other)):
            group.start_soon(write, writer, first)
        seen = await follow(store, 1000)
    positions = [row.position for row in seen]
    assert positions == sorted(set(positions))
    published = [float(codec.decode(row.payload).column("close")[0]) for row in seen]
    assert sorted(published) == [float(n) for n in range(1000)]
    async with bare(dsn) as other_connection:
        rows = await other_connection.fetch(
            "SELECT close FROM (SELECT close, revision FROM market_data.intraday_bars_revisions UNION ALL "
            "SELECT close, revision FROM market_data.intraday_bars) versions ORDER BY revision"
        )
    committed = [close for (close,) in rows]
    assert published == committed


async def test_a_reader_beside_many_writers_of_many_symbols_passes_nothing_over(store: TimescaleStore) -> None:
    results: list[WriteResult] = []

    async def write(symbol: str) -> None:
        results.extend([await store.write(chunk(bars({n: float(n)}, symbol), f"{symbol} {n}")) for n in range(25)])

    async with anyio.create_task_group() as group:
        for n in range(6):
            group.start_soon(write, f"S{n}")
        seen = await follow(store, 150)
    assert [row.position for row in seen] == sorted(result.position for result in results)
    for symbol in {row.symbol for row in seen}:
        closes = [float(codec.decode(row.payload).column("close")[0]) for row in seen if row.symbol == symbol]
        assert closes == [float(n) for n in range(25)]


async def test_a_position_waits_for_every_smaller_one_that_may_still_come(dsn: str, store: TimescaleStore) -> None:
    """The slow writer has the smaller number and commits last: the fast one's rows wait for it, in the cache too."""
    slow, fast = two_shards()
    epoch = await store.claim_epoch("csv", BARS)
    async with bare(dsn) as blocker, opened(dsn) as other:
        await blocker.execute("BEGIN; LOCK TABLE telemetry.epochs IN EXCLUSIVE MODE")
        async with anyio.create_task_group() as group:
            group.start_soon(other.write, chunk(bars({0: 1.0}, slow), "slow", epoch=epoch))
            await until_somebody_waits(dsn)
            result = await store.write(chunk(bars({0: 1.0}, fast), "fast"))
            assert await store.read_outbox(0) == []
            assert (await store.outbox_status()).pending == 1
            both = await store.read(Query(BARS, (slow, fast)))
            assert (both.frame.num_rows, both.position) == (1, result.position)
            complete = both.complete or 0
            assert 0 < complete < result.position
            alone = await store.read(Query(BARS, (fast,)))
            assert (alone.position, alone.complete) == (result.position, None)
            await blocker.execute("COMMIT")
        late, early = await store.read_outbox(0)
        assert (late.symbol, early.symbol) == (slow, fast)
        assert complete < late.position < early.position
        assert (await store.read(Query(BARS, (slow, fast)))).complete is None


def two_shards() -> tuple[str, str]:
    first = "A"
    return first, next(f"B{n}" for n in range(100) if shard(f"B{n}", SHARDS) != shard(first, SHARDS))


def crossing() -> tuple[tuple[str, str], tuple[str, str]]:
    """Two pairs of symbols on the same two shards, the one in their order and the other against it.

    The shards are eight apart: a set of such numbers has no order of its own either, but that in which it was filled.
    """
    names = [f"S{n:03}" for n in range(400)]
    first, last = ([name for name in names if shard(name, SHARDS) == number] for number in (1, 9))
    along = (first[0], next(name for name in last if name > first[0]))
    against = (last[0], next(name for name in first if name > last[0]))
    return along, against


@asynccontextmanager
async def holding(dsn: str, symbol: str) -> AsyncIterator[Any]:
    """A transaction that holds the lock of a symbol's shard until it is ended."""
    async with bare(dsn) as connection:
        await connection.execute(f"BEGIN; {writing(BARS, [symbol], ('somebody', symbol))}")
        yield connection


async def test_writers_whose_shards_cross_never_wait_in_a_ring(dsn: str, store: TimescaleStore) -> None:
    """Both are held at their first lock until both are at it: unsorted, each would get what the other one wants."""
    pairs = crossing()
    one, other = pairs[0]
    frames = [Frame.concat([bars({0: 1.0}, symbol) for symbol in sorted(pair)]) for pair in pairs]
    async with holding(dsn, one) as first, holding(dsn, other) as second, anyio.create_task_group() as group:
        for n, frame in enumerate(frames):
            group.start_soon(store.write, chunk(frame, f"run {n}"))
            await until_somebody_waits(dsn, n + 1)
        await first.execute("COMMIT")
        await second.execute("COMMIT")
    assert set((await store.read(Query(BARS))).frame.symbols) == {*pairs[0], *pairs[1]}


@pytest.mark.parametrize("held_at", ["market_data.intraday_bars", "telemetry.positions"])
async def test_rows_and_position_are_of_one_moment(dsn: str, store: TimescaleStore, held_at: str) -> None:
    """The reader is held where it looks at the one or at the other, and meanwhile somebody commits both.

    It may see what was before, or what came of it. Who asks for the two one after the other would mix them up, one way
    or the other.
    """
    written = await store.write(chunk(bars({0: 1.0}), "run"))
    before, after = (written.position, bars({0: 1.0})), (written.position + 1, bars({0: 2.0}))
    read: list[ReadResult] = []

    async def look() -> None:
        read.append(await store.read(Query(BARS, ("EURUSD",))))

    async with bare(dsn) as writer, anyio.create_task_group() as group:
        await writer.execute(f"BEGIN; LOCK TABLE {held_at} IN ACCESS EXCLUSIVE MODE")
        group.start_soon(look)
        await until_somebody_waits(dsn)
        await writer.execute("UPDATE telemetry.positions SET position = position + 1")
        await writer.execute("UPDATE market_data.intraday_bars SET close = 2")
        await writer.execute("COMMIT")
    [found] = read
    assert (found.position, found.frame) in (before, after)
    later = await store.read(Query(BARS, ("EURUSD",)))
    assert (later.position, later.frame) == after


async def test_the_same_chunk_of_a_run_from_two_processes_at_once_is_applied_once(
    dsn: str, store: TimescaleStore
) -> None:
    results: list[WriteResult] = []

    async def write(writer: TimescaleStore, n: int) -> None:
        results.append(await writer.write(chunk(bars({n: 1.0}), f"run {n}")))

    async with opened(dsn, bounds=ROOMY) as other:
        for n in range(20):
            async with anyio.create_task_group() as group:
                group.start_soon(write, store, n)
                group.start_soon(write, other, n)
    assert [result.inserted for result in results] == [1] * 40
    assert sum(result.known for result in results) == 20
    assert len(await store.journal()) == len(await store.read_outbox(0)) == 20


async def test_once_an_epoch_is_claimed_nothing_of_an_earlier_one_can_still_commit(
    dsn: str, store: TimescaleStore
) -> None:
    fenced = 0

    async def ingest(writer: TimescaleStore, name: str) -> None:
        nonlocal fenced
        epoch = await writer.claim_epoch("csv", BARS)
        for n in range(10):
            given = chunk(bars({n: 1.0}), name, epoch=epoch)
            try:
                await writer.write(given)
            except FencedOut:
                fenced += 1
                return

    async with opened(dsn, bounds=ROOMY) as other, anyio.create_task_group() as group:
        group.start_soon(ingest, store, "one")
        group.start_soon(ingest, other, "two")
    assert fenced <= 1
    assert await store.claim_epoch("csv", BARS) == 3
    assert (await store.read(Query(BARS))).frame == bars(dict.fromkeys(range(10), 1.0))
    assert len(await store.read_outbox(0)) == 10


async def test_a_writer_that_is_overtaken_after_its_first_look_is_fenced_out_before_its_commit(
    dsn: str, store: TimescaleStore
) -> None:
    """It is held between the look at the epoch and the end of its transaction, and another one claims."""
    epoch = await store.claim_epoch("csv", BARS)
    refused: list[str] = []

    async def write() -> None:
        try:
            await store.write(chunk(bars({0: 1.0}), "late", epoch=epoch))
        except FencedOut as error:
            refused.append(str(error))

    async with bare(dsn) as blocker, anyio.create_task_group() as group:
        await blocker.execute("BEGIN; LOCK TABLE telemetry.outbox IN EXCLUSIVE MODE")
        group.start_soon(write)
        await until_somebody_waits(dsn)
        assert await store.claim_epoch("csv", BARS) == epoch + 1
        await blocker.execute("COMMIT")
    assert ["epoch 2 holds now" in each for each in refused] == [True]
    assert (await store.read(Query(BARS))).frame.num_rows == 0
    assert await store.read_outbox(0) == []


async def test_a_claim_waits_for_the_writer_that_holds_its_epoch_already(dsn: str, store: TimescaleStore) -> None:
    epoch = await store.claim_epoch("csv", BARS)
    ended: list[str] = []

    async def write() -> None:
        await store.write(chunk(bars({0: 1.0}), "first", epoch=epoch))
        ended.append("written")

    async def claim() -> None:
        await store.claim_epoch("csv", BARS)
        assert len(await store.read_outbox(0)) == 1
        ended.append("claimed")

    async with bare(dsn) as blocker:
        await blocker.execute(WAIT_AT_COMMIT)
        try:
            async with anyio.create_task_group() as group:
                await blocker.execute("BEGIN; SELECT pg_advisory_xact_lock(4711)")
                group.start_soon(write)
                await until_somebody_waits(dsn)
                group.start_soon(claim)
                await until_somebody_waits(dsn, 2)
                assert ended == []
                await blocker.execute("COMMIT")
        finally:
            await blocker.execute("DROP FUNCTION public.wait() CASCADE")
    assert sorted(ended) == ["claimed", "written"]


WAIT_AT_COMMIT = """
CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END; $$;
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON telemetry.ingest_runs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION public.wait();
"""


PROCESS = """
import anyio, sys
from tests.services.stores import *
from backbone.store.errors import FencedOut
async def main():
    async with opened(sys.argv[1]) as store:
        epoch = await store.claim_epoch("csv", BARS)
        print("claimed", flush=True)
        sys.stdin.readline()
        for n in range(20):
            try:
                await store.write(chunk(bars({n: 1.0}), sys.argv[2], epoch=epoch))
            except FencedOut:
                print("fenced", flush=True)
                return
        print("done", flush=True)
anyio.run(main)
"""


async def said(process: anyio.abc.Process) -> bytes:
    assert process.stdout
    heard = b""
    while not heard.endswith(b"\n"):
        heard += await process.stdout.receive()
    return heard


async def test_two_processes_with_the_same_plan_leave_the_rows_of_one(dsn: str, store: TimescaleStore) -> None:
    async def start(name: str) -> anyio.abc.Process:
        process = await anyio.open_process([sys.executable, "-c", PROCESS, dsn, name], cwd=ROOT, stderr=None)
        assert await said(process) == b"claimed\n"
        return process

    ended = []
    async with await start("one") as one, await start("two") as two:
        for process in (one, two):
            assert process.stdin
            await process.stdin.send(b"\n")
        for process in (one, two):
            ended.append(await said(process))
            await process.wait()
    assert ended == [b"fenced\n", b"done\n"]
    assert (await store.read(Query(BARS))).frame == bars(dict.fromkeys(range(20), 1.0))
    assert len(await store.read_outbox(0)) == len(await store.journal()) == 20


async def test_tables_restored_into_a_server_that_counts_from_lower_go_on_upwards(
    dsn: str, store: TimescaleStore
) -> None:
    first = await store.write(chunk(bars({0: 1.0}), "run 1"))
    async with bare(dsn) as other:
        await other.execute("UPDATE telemetry.outbox SET position = position + (1000000::bigint << 17)")
        await other.execute("UPDATE telemetry.positions SET position = position + (1000000::bigint << 17)")
    assert await store.read_outbox(0) == []
    second = await store.write(chunk(bars({0: 2.0}), "run 2"))
    assert second.position > first.position + (1_000_000 << 17)
    assert [row.position for row in await store.read_outbox(0)][-1] == second.position
    assert len(await store.read_outbox(0)) == 2


async def test_in_a_server_that_counts_from_lower_what_is_written_is_newer_than_all_exports(
    store: TimescaleStore,
) -> None:
    """An export is noted with how far its server had counted, and most of that was nobody's rows."""
    await store.write(chunk(bars({0: 1.0}), "run 1"))
    snapshot = await store.open_snapshot("test", 30.0)
    await store.close_snapshot(snapshot.name)
    await store.note_export("export-0 0f", snapshot.level + 1_000_000)
    await store.migrate()
    await store.write(chunk(bars({0: 2.0}), "run 2"))
    held = Since("export-0 0f", snapshot.drops, (MIN_US, MAX_US), {"EURUSD": [(to_us(DAY), to_us(DAY))]})
    found = await store.read_since(Query(BARS, ("EURUSD",)), held)
    assert [frame.column("close").tolist() for frame in found.frames] == [[2.0]]


@pytest.mark.parametrize("reopened", [True, False])
async def test_what_was_written_last_stays_the_last_where_ids_start_again(
    dsn: str, store: TimescaleStore, reopened: bool
) -> None:
    """A logical replica has the rows and no sequences: A, B and A again end in A, whoever opened it."""
    a, b = bars({0: 1.0, 1: 1.0}), bars({1: 2.0})
    for n in range(5):
        await store.write(chunk(bars({100 + n: 1.0}), f"before {n}"))
    await store.write(chunk(a, "a"))
    async with bare(dsn) as other:
        for table in ("ledger", "ingest_runs"):
            await other.execute(f"ALTER TABLE telemetry.{table} ALTER COLUMN id RESTART WITH 1")
    if reopened:
        await store.migrate()
    await store.write(chunk(b, "b"))
    assert (await store.write(chunk(a, "a again"))).changed == 1
    assert (await store.read(Query(BARS, end=bars({1: 1.0}).end))).frame == a
    if reopened:
        assert [row.run_id for row in await store.journal(3)] == ["a again", "b", "a"]


async def test_the_newest_entry_over_a_moment_is_found_beside_a_long_history(dsn: str, store: TimescaleStore) -> None:
    """Entries behind a row from far back are not looked through, wherever long ones lie over short ones."""
    await store.write(chunk(bars({0: 1.0, 50_000: 1.0}), "long"))
    async with bare(dsn) as other:
        await other.execute(
            """
            INSERT INTO telemetry.ledger (dimension, ingest_id, revision, symbol, "interval", start_us, end_us, rows)
            SELECT l.dimension, 'x', l.revision, l.symbol, l."interval", us, us, 1
            FROM telemetry.ledger l, generate_series(l.start_us + 36000000000, l.end_us, 3600000000) AS us
            """
        )
        await other.execute("ANALYZE telemetry.ledger")
        late = [to_us(DAY) + 3_600_000_000]
        ranges = (["EURUSD"], ["1h"], late, late)
        plan = await other.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {NEWEST}", BARS.value, *ranges)
    text = "\n".join(line for (line,) in plan)
    touched = re.search(r"Buffers: shared hit=(\d+)", text)
    assert touched is not None
    assert int(touched[1]) < 100, text
    assert (await store.write(chunk(bars({1: 2.0}), "late"))).inserted == 1


@pytest.mark.parametrize("prepared", [False, True])
async def test_a_foreign_transaction_that_holds_publishing_back_is_named(
    services: native.Services, dsn: str, store: TimescaleStore, prepared: bool
) -> None:
    """Open in another database, by a session or prepared: whose it is, since when, and what ends it."""
    other = await make_database(services, "postgres")
    try:
        async with bare(other) as foreign:
            pid = await foreign.fetchval("SELECT pg_backend_pid()")
            await foreign.execute("BEGIN; CREATE TABLE public.held (x integer)")
            if prepared:
                await foreign.execute("PREPARE TRANSACTION 'left alone'")
            await store.write(chunk(bars({0: 1.0}), "run"))
            with anyio.fail_after(10):
                while (held := (await store.outbox_status()).held_by) is None:  # noqa: ASYNC110  the server tells nobody
                    await anyio.sleep(0.05)
            assert ("'left alone'" if prepared else f"pg_terminate_backend({pid})") in held
            assert "of backbone in database test_postgres" in held
            assert await store.read_outbox(0) == []
            with anyio.fail_after(20):
                while "held back" not in ((await store.probe()).degraded_reason or ""):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            await foreign.execute("ROLLBACK PREPARED 'left alone'" if prepared else "ROLLBACK")
    finally:
        await drop_database(services, other)
    assert (await store.outbox_status()).held_by is None
    assert len(await store.read_outbox(0)) == 1
