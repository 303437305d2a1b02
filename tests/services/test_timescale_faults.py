"""What the TimescaleDB store does when server or network fail: every call ends in time, and says what is wrong."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import anyio
import pytest

from backbone.domain import Frame
from backbone.services import native
from backbone.store.errors import StoreError, StoreUnavailable, UnknownOutcome
from backbone.store.records import DeadLetter, JournalRow, QuarantineRow, Query
from backbone.store.timescale import Bounds, TimescaleStore
from backbone.store.timescale.database import Database
from backbone.store.timescale.session import Session
from tests.services.proxy import proxy
from tests.services.stores import (
    BARS,
    DAY,
    HASTY,
    TRADES,
    bare,
    bars,
    chunk,
    drop_database,
    empty,
    make_database,
    opened,
    until_somebody_waits,
)

Call = Callable[[TimescaleStore], Awaitable[object]]

JOURNAL = JournalRow("run", "", BARS, "csv", "failed", 0, 0, 0, 0, (), None, None, 0.0, DAY)
CALLS: dict[str, Call] = {
    "migrate": lambda s: s.migrate(),
    "probe": lambda s: s.probe(),
    "claim_epoch": lambda s: s.claim_epoch("csv", BARS),
    "write": lambda s: s.write(chunk(bars({0: 1.0}), "run")),
    "lookup": lambda s: s.lookup("run", "x"),
    "read": lambda s: s.read(Query(BARS)),
    "read_outbox": lambda s: s.read_outbox(0),
    "cursor": lambda s: s.cursor("stream", 0),
    "advance": lambda s: s.advance("stream", 0, 1, 0),
    "outbox_status": lambda s: s.outbox_status(),
    "quarantine": lambda s: s.quarantine([QuarantineRow("csv", "a:1", "bad", "x", "trades", "run", DAY)]),
    "quarantined": lambda s: s.quarantined(),
    "seen": lambda s: s.seen("group", ["x"]),
    "record_seen": lambda s: s.record_seen("group", ["x"]),
    "offsets": lambda s: s.offsets("group"),
    "commit_offsets": lambda s: s.commit_offsets("group", {("topic", 0): 1}),
    "add_dead_letters": lambda s: s.add_dead_letters([DeadLetter("group", "topic", 0, 1, "bad", b"x", DAY)]),
    "dead_letters": lambda s: s.dead_letters(),
    "delete_dead_letters": lambda s: s.delete_dead_letters([DeadLetter("group", "topic", 0, 1, "bad", b"x", DAY)]),
    "record_journal": lambda s: s.record_journal(JOURNAL),
    "journal": lambda s: s.journal(),
    "coverage": lambda s: s.coverage(BARS),
    "prune": lambda s: s.prune(outbox_before=DAY, dry_run=False),
    "drop": lambda s: s.drop(BARS, before=DAY, dry_run=False),
}


@pytest.fixture(scope="module")
def dsn(services: native.Services) -> Iterator[str]:
    address = anyio.run(make_database, services, "timescale")
    yield address
    anyio.run(drop_database, services, address)


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[TimescaleStore]:
    async with opened(dsn, bounds=HASTY) as store:
        await empty(dsn)
        yield store


async def settled(store: TimescaleStore) -> None:
    """Wait until the store answers again."""
    with anyio.fail_after(5):
        while True:
            try:
                await store.probe()
            except StoreUnavailable:
                await anyio.sleep(0.05)
            else:
                return


async def test_p1_every_call_ends_within_its_deadline_while_the_server_is_frozen_and_works_when_it_thaws(
    services: native.Services, dsn: str, store: TimescaleStore
) -> None:
    took: dict[str, float] = {}

    async def call(name: str) -> None:
        began = time.monotonic()
        with pytest.raises((StoreUnavailable, UnknownOutcome)):
            await CALLS[name](store)
        took[name] = time.monotonic() - began

    services.freeze("timescale")
    try:
        async with anyio.create_task_group() as group:
            for name in CALLS:
                group.start_soon(call, name)
        began = time.monotonic()
        await store.close()
        closing = time.monotonic() - began
        with pytest.raises(StoreUnavailable):
            await TimescaleStore(dsn, bounds=HASTY).open()
    finally:
        services.thaw("timescale")
    assert took.keys() == CALLS.keys()
    assert max(took.values()) < 2 * HASTY.deadline + 2.0
    assert closing < 5.0
    await store.open()
    await settled(store)
    for call_of in CALLS.values():
        await call_of(store)


async def test_p1_a_store_that_stays_open_through_a_freeze_answers_soon_after(
    services: native.Services, store: TimescaleStore
) -> None:
    services.freeze("timescale")
    try:
        with pytest.raises(StoreUnavailable):
            await store.read(Query(BARS))
    finally:
        services.thaw("timescale")
    await settled(store)
    assert (await store.write(chunk(bars({0: 1.0}), "run"))).inserted == 1


async def test_p2_who_waits_for_a_connection_is_told_after_a_bound(dsn: str) -> None:
    database = Database(dsn, Bounds(pool_size=1, max_overflow=0, pool_timeout=0.3), "test")
    await database.open()
    holding, done = anyio.Event(), anyio.Event()

    async def hold(session: Session) -> None:
        await session.value("SELECT 1")
        holding.set()
        await done.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(database.run, hold)
        await holding.wait()
        with anyio.fail_after(2), pytest.raises(StoreUnavailable, match="all connections were busy"):
            await database.run(lambda s: s.value("SELECT 1"))
        done.set()
    assert await database.run(lambda s: s.value("SELECT 1")) == 1
    assert float(database.facts()["pool_longest_wait_s"]) >= 0.0
    await database.close()


async def test_p3_sockets_notice_a_network_that_is_gone(dsn: str) -> None:
    database = Database(dsn, HASTY, "test")
    await database.open()
    [connection] = database._connections.values()
    raw = connection._transport.get_extra_info("socket")
    assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1000
    await database.close()


async def test_p3_half_open_connections_are_cut_once_one_of_them_was_met(services: native.Services, dsn: str) -> None:
    async with proxy(services.port("timescale")) as network, opened(network.dsn(dsn), bounds=HASTY) as store:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(store.cursor, "stream", 0)
        network.silent = True
        with pytest.raises(StoreUnavailable):
            await store.cursor("stream", 0)
        network.silent = False
        with anyio.fail_after(3):
            assert await store.cursor("stream", 0) == 0


async def test_p4_settings_of_a_session_outlive_its_return_to_the_pool(store: TimescaleStore) -> None:
    names = ("timezone", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path")
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in (*names, "application_name"))
    for _ in range(3):
        found = await store._database.run(lambda s: s.row(query))
        assert tuple(found) == ("UTC", "1s", "800ms", "1s", "pg_catalog, pg_temp", "backbone")


async def test_p5_a_table_that_changed_under_a_prepared_statement_costs_one_more_attempt(
    dsn: str, store: TimescaleStore
) -> None:
    await store.record_seen("group", ["one"])
    async with bare(dsn) as other:
        for kind in ("varchar", "text"):
            before = await store.seen("group", ["one"])
            await other.execute(f"ALTER TABLE telemetry.seen ALTER COLUMN event_id TYPE {kind}")
            assert await store.seen("group", ["one"]) == before == {"one"}


async def test_p8_the_loop_goes_on_while_many_rows_are_encoded_and_copied(store: TimescaleStore) -> None:
    frame = many_trades(100_000)
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await anyio.sleep(0.001)
            gaps.append(time.perf_counter() - began)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        await store.write(chunk(frame, "run"))
        group.cancel_scope.cancel()
    assert len(gaps) > 50
    assert sorted(gaps)[len(gaps) * 9 // 10] < 0.05


def many_trades(count: int) -> Frame:
    import numpy as np
    import pyarrow as pa

    stamps = pa.array(np.arange(count) * 1_000_000 + 1_704_067_200_000_000).cast(pa.timestamp("us", tz="UTC"))
    columns = {"symbol": ["A"] * count, "ts": stamps, "sequence": np.arange(count), "price": np.ones(count)}
    return Frame.from_arrow(TRADES, pa.table(columns))


async def test_p16_many_calls_at_once_share_few_connections(store: TimescaleStore) -> None:
    async with anyio.create_task_group() as group:
        for n in range(40):
            group.start_soon(store.write, chunk(bars({n: 1.0}, f"S{n}"), f"run {n}"))
            group.start_soon(store.read, Query(BARS))
    assert len((await store.read(Query(BARS))).frame) == 40


async def test_p17_connections_that_were_killed_are_replaced_without_a_word(dsn: str, store: TimescaleStore) -> None:
    async with bare(dsn) as other:
        for n in range(3):
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'backbone'"
            )
            assert (await store.write(chunk(bars({n: 1.0}), f"run {n}"))).inserted == 1


async def _read_until_it_fails(store: TimescaleStore) -> None:
    """A process of a killed server may answer once more before it notices."""
    while True:
        await store.read(Query(BARS))


async def test_p17_a_server_that_was_killed_is_unavailable_in_one_line_and_loses_nothing(
    services: native.Services, store: TimescaleStore
) -> None:
    written = await store.write(chunk(bars({0: 1.0}), "run"))
    services.kill("timescale")
    try:
        with anyio.fail_after(10), pytest.raises(StoreUnavailable) as refused:
            await _read_until_it_fails(store)
        assert "\n" not in str(refused.value)
    finally:
        await services.restart("timescale")
    await settled(store)
    assert (await store.read(Query(BARS))).frame == bars({0: 1.0})
    assert await store.lookup("run", written.ingest_id) is not None


@pytest.mark.parametrize("wrong", ["password", "port", "database"])
async def test_p18_what_is_wrong_with_the_address_is_said_and_never_the_password(dsn: str, wrong: str) -> None:
    parts = urlsplit(dsn)
    canary = "canary-7f3"
    address = {
        "password": dsn.replace(parts.password or "", canary),
        "port": dsn.replace(f":{parts.port}/", ":1/"),
        "database": f"{dsn}-missing",
    }[wrong]
    with pytest.raises(StoreUnavailable) as refused:
        await TimescaleStore(address, bounds=HASTY).open()
    texts = [str(refused.value), repr(refused.value), str(refused.value.__cause__)]
    assert not any(canary in text or (parts.password or "-") in text for text in texts)
    assert f"{parts.hostname}:" in texts[0]


async def test_p18_more_connections_than_the_server_has_are_refused_with_the_remedy(
    services: native.Services, dsn: str
) -> None:
    name = urlsplit(dsn).path[1:]
    await services.sql(f"ALTER DATABASE {name} CONNECTION LIMIT 1")
    try:
        async with bare(dsn):
            with pytest.raises(StoreUnavailable, match="pool_size"):
                await TimescaleStore(dsn, bounds=HASTY).open()
    finally:
        await services.sql(f"ALTER DATABASE {name} CONNECTION LIMIT -1")


async def test_p19_a_transaction_that_idles_is_ended_by_the_server(store: TimescaleStore) -> None:
    async def idle(session: Session) -> None:
        async with session.transaction():
            await session.value("SELECT 1")
            await anyio.sleep(1.5)
            await session.value("SELECT 1")

    with pytest.raises(StoreError):
        await store._database.run(idle, deadline=2.5)
    assert await store.cursor("stream", 0) == 0


async def test_p20_closing_a_store_in_use_ends_in_time(dsn: str) -> None:
    async with opened(dsn, bounds=HASTY) as store, anyio.create_task_group() as group:
        group.start_soon(_ignoring, store)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await store.close()
        with pytest.raises(StoreUnavailable, match="open the store first"):
            await store.cursor("stream", 0)
        group.cancel_scope.cancel()


async def _ignoring(store: TimescaleStore) -> None:
    with pytest.raises(StoreError):
        await store._database.run(lambda s: s.value("SELECT pg_sleep(30)"), deadline=20)


async def test_p21_no_task_of_the_client_keeps_a_floor_and_complains_while_the_server_is_down(
    dsn: str, store: TimescaleStore, caplog: pytest.LogCaptureFixture
) -> None:
    before = {task.get_name() for task in asyncio.all_tasks()}
    store._database.drop_idle()
    assert await store.cursor("stream", 0) == 0
    assert {task.get_name() for task in asyncio.all_tasks()} == before
    assert not [record for record in caplog.records if record.name.startswith("asyncpg")]


async def test_x5_cancelled_calls_end_their_scope_and_leak_no_connection(dsn: str, store: TimescaleStore) -> None:
    caught = 0
    for n in range(60):
        with anyio.move_on_after(0.0002 * n) as scope:
            await store.write(chunk(bars({n: float(n)}), f"run {n}"))
        caught += scope.cancelled_caught
    assert caught
    async with bare(dsn) as other, anyio.create_task_group():
        for _ in range(100):
            open_ones = await other.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'backbone' AND state <> 'idle'"
            )
            if not open_ones:
                break
            await anyio.sleep(0.02)
        assert not open_ones
    async with anyio.create_task_group() as group:
        for _ in range(HASTY.most_connections * 2):
            group.start_soon(store.cursor, "stream", 0)


async def test_a_lost_answer_to_commit_is_looked_up_and_nothing_is_doubled(
    services: native.Services, dsn: str, store: TimescaleStore
) -> None:
    async with proxy(services.port("timescale")) as network, opened(network.dsn(dsn), bounds=HASTY) as remote:
        for n in range(5):
            network.drop_reply_to = b"COMMIT\0"
            result = await remote.write(chunk(bars({n: 1.0}), f"run {n}"))
            assert (result.inserted, result.known) == (1, False)
        assert network.dropped == 5
    assert (await store.read(Query(BARS))).frame == bars(dict.fromkeys(range(5), 1.0))
    assert len(await store.read_outbox(0)) == len(await store.journal()) == 5


async def test_a_lost_answer_with_nobody_left_to_ask_is_unknown_until_it_is_looked_up(
    services: native.Services, dsn: str, store: TimescaleStore
) -> None:
    given = chunk(bars({0: 1.0}), "run")
    async with proxy(services.port("timescale")) as network, opened(network.dsn(dsn), bounds=HASTY) as remote:
        network.drop_reply_to = b"COMMIT\0"
        network.silent_after_drop = True
        with pytest.raises(UnknownOutcome, match="look the chunk up"):
            await remote.write(given)
    found = await store.lookup("run", given.ingest_id)
    assert found is not None
    again = await store.write(given)
    assert (again.inserted, again.known) == (found.inserted, True) == (1, True)
    assert (await store.read(Query(BARS))).frame == bars({0: 1.0})
    assert len(await store.journal()) == 1


async def test_looking_up_waits_for_a_writer_that_is_still_at_work(dsn: str, store: TimescaleStore) -> None:
    given = chunk(bars({0: 1.0}), "run")
    async with bare(dsn) as blocker, opened(dsn) as writer, opened(dsn) as asker:
        await blocker.execute("BEGIN; LOCK TABLE telemetry.ingest_runs IN EXCLUSIVE MODE")
        found: list[object] = []

        async def look() -> None:
            found.append(await asker.lookup("run", given.ingest_id))

        async with anyio.create_task_group() as group:
            group.start_soon(writer.write, given)
            await until_somebody_waits(dsn)
            group.start_soon(look)
            await anyio.sleep(0.1)
            assert not found
            await blocker.execute("COMMIT")
        assert found[0] is not None


async def test_a_lock_of_somebody_else_is_waited_for_up_to_a_bound_and_named(dsn: str, store: TimescaleStore) -> None:
    async with bare(dsn) as other:
        await other.execute("BEGIN; LOCK TABLE telemetry.outbox IN ACCESS EXCLUSIVE MODE")
        with anyio.fail_after(5), pytest.raises(StoreUnavailable, match="55P03"):
            await store.write(chunk(bars({0: 1.0}), "run"))
        await other.execute("ROLLBACK")
    assert len((await store.read(Query(BARS))).frame) == 0


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_p17_who_loses_a_deadlock_begins_anew(dsn: str, store: TimescaleStore, state: str) -> None:
    """Twice it is the one that the server ends, the third time it goes through."""
    async with bare(dsn) as other:
        await other.execute(
            f"""
            CREATE SEQUENCE public.tries;
            CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('public.tries') < 3 THEN RAISE EXCEPTION 'lost' USING ERRCODE = '{state}'; END IF;
                RETURN NEW;
            END; $$;
            CREATE TRIGGER lose BEFORE INSERT ON telemetry.ingest_runs FOR EACH ROW EXECUTE FUNCTION public.lose();
            """
        )
        try:
            assert (await store.write(chunk(bars({0: 1.0}), "run"))).inserted == 1
        finally:
            await other.execute("DROP FUNCTION public.lose() CASCADE; DROP SEQUENCE public.tries")
    assert len(await store.journal()) == len(await store.read_outbox(0)) == 1
