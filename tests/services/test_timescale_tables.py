"""Tables, migrations, chunks, former versions: what the server itself says of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import asyncpg
import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame, decode
from backbone.domain.hashing import shard_of
from backbone.services import native
from backbone.store.errors import PositionLost, SchemaMismatch, StoreError, StoreUnavailable
from backbone.store.migrations import shipped
from backbone.store.records import JournalRow, QuarantineRow, Query
from backbone.store.timescale import TimescaleStore
from backbone.store.timescale.selecting import Selection
from backbone.store.timescale.tables import SQL_TYPES, Tables
from tests.backbone.domain.version_1 import WRITTEN
from tests.services.stores import (
    BARS,
    DAY,
    KINDS,
    TRADES,
    bare,
    bars,
    chunk,
    drop_database,
    dsn_of,
    empty,
    make_database,
    opened,
)

ROOT = Path(__file__).parents[2]
CHUNK = re.compile(r"(?<=on )_hyper_\d+_\d+_chunk")
ORIGIN = {"source": "text", "ingest_id": "text", "revision": "bigint", "ingested_at": "timestamp with time zone"}


@pytest.fixture(params=KINDS)
async def fresh(services: native.Services, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database without any tables."""
    address = await make_database(services, request.param)
    yield address
    await drop_database(services, address)


def days(count: int, symbol: str = "A", first: datetime = DAY) -> Frame:
    """One trade a day."""
    stamps = [first + timedelta(days=n) for n in range(count)]
    rows = [{"symbol": symbol, "ts": ts, "sequence": 0, "price": float((ts - DAY).days)} for ts in stamps]
    return Frame.from_records(TRADES, rows)


async def chunks_of(dsn: str, table: str) -> int:
    async with bare(dsn) as other:
        count: int = await other.fetchval(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = $1", table
        )
        return count


def has_chunks(dsn: str) -> bool:
    return "/test_timescale" in dsn


# migrations


async def test_migrating_twice_does_nothing_and_a_dry_run_changes_nothing(fresh: str) -> None:
    store = TimescaleStore(fresh)
    await store.open()
    names = tuple(migration.name for migration in shipped("timescale"))
    for _ in range(2):
        report = await store.migrate(dry_run=True)
        assert (report.applied, report.pending, report.current) == ((), names, "")
    assert (await store.probe()).writable is False
    with pytest.raises(SchemaMismatch, match="backbone migrate"):
        await store.write(chunk(bars({0: 1.0}), "run"))
    assert (await store.migrate()).applied == names
    report = await store.migrate()
    assert (report.applied, report.pending, report.current) == ((), (), names[-1])
    await store.close()


async def test_a_database_of_an_earlier_version_goes_on_where_it_was(fresh: str) -> None:
    """Its relay's cursor, its epochs, and the shards of changes that wait."""
    before = [migration for migration in shipped("timescale") if migration.name < "0003"]
    async with bare(fresh) as owner:
        await owner.execute(
            "CREATE SCHEMA telemetry; CREATE SCHEMA market_data; SET search_path TO market_data; "
            "CREATE TABLE telemetry.schema_migrations (name text PRIMARY KEY, checksum text, applied_at timestamptz)"
        )
        for migration in before:
            await owner.execute(migration.sql)
            query = "INSERT INTO telemetry.schema_migrations VALUES ($1, $2, now())"
            await owner.execute(query, migration.name, migration.checksum)
        await owner.execute(
            """
            UPDATE telemetry.relay_cursor SET position = 41;
            INSERT INTO telemetry.checkpoint VALUES ('csv', 'trades', 'rows:9', 7, now());
            INSERT INTO telemetry.outbox
                (position, revision, rows, bytes, created_at, event_id, ingest_id, dimension, symbol, payload)
            VALUES (41, 1, 1, 1, now(), 'e1', 'i', 'trades', 'EURUSD', 'x'),
                   (42, 1, 1, 1, now(), 'e2', 'i', 'trades', 'ÖL', 'x')
            """
        )
        former = WRITTEN[TRADES].payload
        await owner.execute("UPDATE telemetry.outbox SET payload = $1", former)
    store = TimescaleStore(fresh)
    await store.open()
    assert (await store.migrate()).applied == tuple(each.name for each in shipped("timescale")[2:])
    assert await store.cursor("stream", 0) == 41
    [waiting] = await store.read_outbox(41)
    assert (waiting.position, waiting.checksum) == (42, None)
    assert decode(waiting.payload, waiting.checksum) == WRITTEN[TRADES].rows
    assert [row.position for row in await store.read_outbox(40, whole=True)] == [41, 42]
    with pytest.raises(PositionLost):  # what lay before the oldest may have been pruned
        await store.read_outbox(39, whole=True)
    assert await store.claim_epoch("csv", TRADES) == 8
    assert len((await store.probe()).generation) == 32
    await store.close()
    async with bare(fresh) as owner:
        found = await owner.fetch("SELECT symbol, shard FROM telemetry.outbox ORDER BY position")
    assert [tuple(row) for row in found] == [(symbol, shard_of(symbol)) for symbol in ("EURUSD", "ÖL")]


MIGRATE = """
import anyio, sys
from backbone.store.timescale import TimescaleStore
async def main():
    store = TimescaleStore(sys.argv[1])
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    print(len((await store.migrate()).applied), (await store.probe()).writable, flush=True)
    await store.close()
anyio.run(main)
"""


async def test_processes_that_migrate_at_once_share_the_work_and_apply_each_migration_once(fresh: str) -> None:
    def race() -> list[tuple[int, str]]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", MIGRATE, fresh]
        racers = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
        for racer in racers:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        ends = [racer.communicate("\n", timeout=60)[0].split() for racer in racers]
        return [(int(applied), writable) for applied, writable in ends]

    ends = await anyio.to_thread.run_sync(race)
    assert [writable for _, writable in ends] == ["True"] * 3
    assert sum(applied for applied, _ in ends) == len(shipped("timescale"))


async def test_an_edited_migration_is_refused(dsn: str, store: TimescaleStore) -> None:
    async with bare(dsn) as other:
        await other.execute("UPDATE telemetry.schema_migrations SET checksum = 'x' || checksum WHERE name LIKE '0001%'")
        try:
            with pytest.raises(SchemaMismatch, match="restore the file"):
                await store.migrate()
        finally:
            await other.execute(
                "UPDATE telemetry.schema_migrations SET checksum = substr(checksum, 2) WHERE name LIKE '0001%'"
            )


async def test_the_tables_have_the_columns_of_their_dimension(dsn: str, store: TimescaleStore) -> None:
    types = {
        "string": "text",
        "timestamp": "timestamp with time zone",
        "double": "double precision",
        "int64": "bigint",
    }
    async with bare(dsn) as other:
        for dimension in Dimension:
            for suffix, more in (("", ORIGIN), ("_revisions", {**ORIGIN, "replaced_at": types["timestamp"]})):
                found = await other.fetch(
                    "SELECT column_name, data_type, is_nullable, collation_name FROM information_schema.columns "
                    "WHERE table_schema = 'market_data' AND table_name = $1",
                    dimension.value + suffix,
                )
                wanted = {name: types[kind] for name, kind in dimension.kinds.items()} | more
                assert {row["column_name"]: row["data_type"] for row in found} == wanted
                values = {row["column_name"] for row in found if row["is_nullable"] == "YES"}
                assert values == set(dimension.values)
                assert {row["collation_name"] for row in found if row["data_type"] == "text"} == {"C"}
    assert set(SQL_TYPES) == set(types)


async def test_tables_are_hypertables_with_the_chunks_of_their_dimension_or_plain_and_say_so(
    dsn: str, store: TimescaleStore
) -> None:
    info = await store.probe()
    if not has_chunks(dsn):
        assert info.degraded_reason is not None
        assert info.degraded_reason.startswith("plain PostgreSQL: works, without chunks")
        assert (info.writable, info.details["licence"]) == (True, "none")
        return
    assert (info.degraded_reason, info.details["licence"]) == (None, "apache")
    async with bare(dsn) as other:
        found = await other.fetch(
            "SELECT hypertable_name, time_interval FROM timescaledb_information.dimensions "
            "WHERE hypertable_schema !~ '^_timescaledb'"
        )
    assert len(found) == len(Dimension)  # the outbox among others is plain
    assert dict(found) == {dimension.value: dimension.chunk for dimension in Dimension}


async def test_an_extension_that_comes_later_makes_hypertables_of_tables_with_rows(services: native.Services) -> None:
    address = await make_database(services, "postgres")
    async with opened(address) as store:
        await store.write(chunk(days(5), "run"))
        async with bare(address) as other:
            await other.execute("CREATE EXTENSION timescaledb")
        info = await store.probe()
        assert info.degraded_reason is not None
        assert "plain tables: daily_bars" in info.degraded_reason
        await store.migrate()
        assert (await store.probe()).degraded_reason is None
        assert (await store.read(Query(TRADES))).frame == days(5)
        assert await chunks_of(address, "trades") == 5
        assert (await store.write(chunk(days(6), "run 2"))).inserted == 1
    await drop_database(services, address)


async def test_rows_may_live_in_another_schema(fresh: str) -> None:
    async with opened(fresh, schema="desk_7") as store:
        await store.write(chunk(days(3), "run"))
        assert (await store.read(Query(TRADES))).frame == days(3)
    async with bare(fresh) as other:
        assert await other.fetchval("SELECT count(*) FROM desk_7.trades") == 3
        assert await other.fetchval("SELECT to_regnamespace('market_data')") is None


@pytest.mark.parametrize(
    "evil",
    [
        'x"; DROP SCHEMA public; --',
        "x.y",
        "",
        "1a",
        "A",
        "pg_temp",
        "telemetry",
        "a" * 64,
        "x\n",
        "ä",
        "_timescaledb_internal",
    ],
)
def test_a_schema_that_is_no_plain_name_is_refused(evil: str) -> None:
    with pytest.raises(ValueError, match="small letters"):
        TimescaleStore("postgresql://h/d", schema=evil)


# chunks


async def explained(dsn: str, query: Query) -> tuple[set[str], str]:
    """The chunks that a read would touch, and its plan."""
    selection = Selection(Tables(), query)
    statement = selection.page(None, 100)
    async with bare(dsn) as other:
        await other.execute("SET plan_cache_mode = force_custom_plan")
        rows = await other.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}", *selection.values)
    lines = [row[0] for row in rows]
    touched = {match[0] for line in lines if "never executed" not in line for match in CHUNK.finditer(line)}
    return touched, "\n".join(lines)


async def test_a_time_range_touches_only_its_chunks(dsn: str, store: TimescaleStore) -> None:
    await store.write(chunk(days(20), "run"))
    start = DAY + timedelta(days=7)
    for symbols in (("A",), ("A", "B"), ()):
        query = Query(TRADES, symbols, start=start, end=start + timedelta(days=1, hours=1))
        touched, plan = await explained(dsn, query)
        assert len(touched) == (2 if has_chunks(dsn) else 0), plan
        assert (await store.read(query)).frame == days(2, first=start)


async def test_the_newest_rows_are_read_from_the_newest_chunks(dsn: str, store: TimescaleStore) -> None:
    both = Frame.concat([days(20), days(15, "B")])
    await store.write(chunk(both, "run"))
    for symbols, frame in ((("A",), days(20)), (("A", "B", "A"), both)):
        query = Query(TRADES, symbols, limit=3)
        touched, plan = await explained(dsn, query)
        if has_chunks(dsn):
            assert "never executed" in plan
            assert len(touched) <= 9, plan
            assert "Index Scan Backward" in plan
        assert (await store.read(query)).frame == frame.newest(3)


async def test_dropping_takes_whole_old_chunks_and_the_rows_before_the_moment_in_the_next(
    dsn: str, store: TimescaleStore
) -> None:
    await store.write(chunk(days(20), "run"))
    cut = DAY + timedelta(days=10, hours=1)
    before = await chunks_of(dsn, "trades") if has_chunks(dsn) else 0
    assert await store.drop(TRADES, before=cut) == 11
    assert (await store.read(Query(TRADES))).frame.num_rows == 20
    assert await store.drop(TRADES, before=cut, dry_run=False) == 11
    assert (await store.read(Query(TRADES))).frame == days(9, first=DAY + timedelta(days=11))
    if has_chunks(dsn):
        assert before - await chunks_of(dsn, "trades") == 10


async def test_a_moment_by_mistake_in_the_future_does_not_empty_a_dimension(dsn: str, store: TimescaleStore) -> None:
    await store.write(chunk(days(5), "run"))
    future = DAY + timedelta(days=3650)
    assert await store.drop(TRADES, before=future) == 4
    assert await store.drop(TRADES, before=future, dry_run=False) == 4
    assert (await store.read(Query(TRADES))).frame == days(1, first=DAY + timedelta(days=4))
    again = await store.write(chunk(days(5), "run 2"))
    assert (again.inserted, again.unchanged) == (4, 1)


# former versions


async def test_rows_are_read_as_they_were_known_at_a_moment(dsn: str) -> None:
    moments = [DAY + timedelta(days=n) for n in range(10)]
    now = iter(moments)
    async with opened(dsn) as cleaner:
        await empty(dsn)
        await cleaner.probe()
    async with opened(dsn, clock=lambda: next(now)) as store:
        versions = [bars({0: 1.0, 1: 1.0}), bars({1: 2.0, 2: 2.0}), bars({0: 3.0, 1: 2.0, 2: 2.0})]
        for n, frame in enumerate(versions):
            await store.write(chunk(frame, f"run {n}"))

        async def known(at: datetime, **more: object) -> Frame:
            return (await store.read(Query(BARS, as_of=at, **more))).frame  # type: ignore[arg-type]

        first, second, third = moments[1:4]
        assert len(await known(first - timedelta(seconds=1))) == 0
        assert await known(first) == bars({0: 1.0, 1: 1.0})
        assert await known(second) == bars({0: 1.0, 1: 2.0, 2: 2.0})
        assert await known(third) == await known(third + timedelta(days=99)) == bars({0: 3.0, 1: 2.0, 2: 2.0})
        assert await known(second, limit=2) == bars({1: 2.0, 2: 2.0})
        assert await known(second, symbols=("EURUSD",), interval="1h", end=DAY) == bars({0: 1.0})
    async with bare(dsn) as other:
        former = await other.fetch(
            'SELECT close, ingested_at, replaced_at, source FROM market_data.intraday_bars_revisions ORDER BY "ts"'
        )
    assert [tuple(row) for row in former] == [(1.0, first, third, "csv"), (1.0, first, second, "csv")]


async def test_a_long_read_in_pages_gives_every_row_once(dsn: str, store: TimescaleStore) -> None:
    count = 150_000
    columns = {
        "symbol": pa.array(np.sort(np.random.default_rng(7).choice(["A", "BB", "Ä"], count))),
        "ts": pa.array(np.arange(count) * 1_000 + 1_704_067_200_000_000).cast(pa.timestamp("us", tz="UTC")),
        "sequence": pa.array(np.arange(count)),
        "price": pa.array(np.where(np.arange(count) % 5 == 0, np.nan, 1.5)),
        "venue": pa.array([None if n % 7 == 0 else "V" * (n % 4) for n in range(count)]),
    }
    frame = Frame.from_arrow(TRADES, pa.table(columns))
    for n, part in enumerate((frame.slice(0, 100_000), frame.slice(100_000))):
        assert (await store.write(chunk(part, f"run {n}"))).inserted == part.num_rows
    assert (await store.read(Query(TRADES))).frame.canonical_bytes() == frame.canonical_bytes()
    assert (await store.read(Query(TRADES, limit=90_000))).frame == frame.newest(90_000)
    changed = frame.to_arrow().set_column(3, "price", pa.array(np.where(np.arange(count) % 100 == 0, 9.0, 1.5)))
    corrected = Frame.from_arrow(TRADES, changed)
    result = await store.write(chunk(corrected.slice(0, 100_000), "run 3"))
    first = frame.slice(0, 100_000).column("price")
    other = corrected.slice(0, 100_000).column("price")
    assert result.changed == int((~((first == other) | (np.isnan(first) & np.isnan(other)))).sum())
    assert (await store.read(Query(TRADES))).frame.slice(0, 100_000) == corrected.slice(0, 100_000)


# values that are meant to do harm


@pytest.mark.parametrize("evil", ["'; DROP TABLE market_data.trades; --", '"', "$1", "%s", "\\", "{}", "NULL", "😀"])
async def test_texts_are_values_wherever_they_stand(store: TimescaleStore, evil: str) -> None:
    rows = [{"symbol": evil, "ts": DAY, "sequence": 0, "price": 1.0, "venue": evil, "conditions": evil}]
    frame = Frame.from_records(TRADES, rows)
    given = chunk(frame, evil, metadata={evil: evil})
    await store.write(given)
    assert (await store.read(Query(TRADES, (evil,)))).frame == frame
    assert await store.lookup(evil, given.ingest_id) is not None
    assert (await store.journal(1))[0].metadata == {evil: evil}
    await store.advance(evil, 0, 1, 0)
    assert await store.cursor(evil, 0) == 1
    await store.record_seen(evil, [evil])
    assert await store.seen(evil, [evil, "other"]) == {evil}
    await store.quarantine([QuarantineRow(evil, evil, evil, evil, evil, evil, DAY)])
    assert len(await store.quarantined()) == 1


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_p15_text_that_the_server_refuses_is_refused_before_it_or_written_out(
    store: TimescaleStore, text: str
) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        await store.write(chunk(bars({0: 1.0}), text))
    with pytest.raises(ValueError, match="not allowed"):
        await store.claim_epoch(text, BARS)
    with pytest.raises(ValueError, match="not allowed"):
        await store.read(Query(TRADES, (text,)))
    row = JournalRow("run", "", BARS, "csv", "failed", 0, 0, 0, 0, (text,), None, None, 0.0, DAY, text, {"why": text})
    await store.record_journal(row)
    [kept] = await store.journal()
    assert kept.error is not None
    assert kept.error.isprintable()
    assert len((await store.read(Query(BARS))).frame) == 0


async def test_p13_moments_without_a_zone_are_refused_everywhere(store: TimescaleStore) -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001
    for call in (
        store.quarters(TRADES, naive, DAY),
        store.coverage(TRADES, naive),
        store.prune(outbox_before=naive),
        store.prune(quarantine_before=naive),
        store.drop(TRADES, before=naive),
        store.quarantine([QuarantineRow("csv", "a:1", "bad", "x", "trades", "run", naive)]),
        store.record_journal(JournalRow("r", "", BARS, "csv", "failed", 0, 0, 0, 0, (), None, None, 0.0, naive)),
    ):
        with pytest.raises(ValueError, match="no time zone"):
            await call


async def test_p14_moments_that_would_break_readers_can_not_be_stored_by_anybody(
    dsn: str, store: TimescaleStore
) -> None:
    async with bare(dsn) as other:
        for moment in ("infinity", "-infinity", "10000-01-01 00:00:00+00", "0044-03-15 00:00:00+00 BC"):
            with pytest.raises(asyncpg.PostgresError):
                await other.execute(
                    "INSERT INTO market_data.trades (ts, sequence, revision, ingested_at, symbol, source, ingest_id) "
                    "VALUES ($1::text::timestamptz, 0, 1, now(), 'A', 'x', 'x')",
                    moment,
                )
    assert len((await store.read(Query(TRADES))).frame) == 0


async def test_p10_numbers_of_the_wrong_kind_never_reach_the_server(store: TimescaleStore) -> None:
    for wrong in ({"sequence": 1.5}, {"sequence": True}, {"price": "1.0"}, {"sequence": 2**63}):
        with pytest.raises(ValueError):
            Frame.from_records(TRADES, [{"symbol": "A", "ts": DAY, "sequence": 0, **wrong}])
    assert len((await store.read(Query(TRADES))).frame) == 0


async def test_rows_that_stand_without_their_ledger_are_compared(dsn: str, store: TimescaleStore) -> None:
    """Written by somebody else, or restored alone: equal ones are left, others corrected, and all of it is told."""
    async with bare(dsn) as other:
        await other.execute(
            "INSERT INTO market_data.trades SELECT $1::timestamptz + n * interval '1 day', 0, 7 + n, 1, 1, now(), 'A', "
            "NULL, NULL, 'by hand', 'x' FROM generate_series(0, 1) AS n",
            DAY,
        )
    given = days(3)
    result = await store.write(chunk(given, "run"))
    assert (result.inserted, result.inserted + result.changed + result.unchanged) == (1, 3)
    assert (await store.read(Query(TRADES))).frame == given
    assert (await store.write(chunk(given, "again"))).known


@pytest.mark.parametrize("set_back", [False, True])
@pytest.mark.parametrize("many", [3, 200])
async def test_equal_rows_that_stand_without_their_ledger_are_left_and_others_corrected_though_numbers_are_set_back_too(
    dsn: str, store: TimescaleStore, many: int, set_back: bool
) -> None:
    given = days(many)
    await store.write(chunk(given, "run"))
    async with bare(dsn) as other:
        await other.execute("DELETE FROM telemetry.ledger")
        if set_back:
            await other.execute("UPDATE telemetry.positions SET position = position + (1::bigint << 40)")
    again = await store.write(chunk(given, "again"))
    assert (again.inserted, again.changed, again.unchanged) == (0, 0, many)
    async with bare(dsn) as other:
        await other.execute("DELETE FROM telemetry.ledger")
    rows = given.to_arrow().to_pylist()
    other_prices = Frame.from_records(TRADES, [{**row, "price": 0.5} for row in rows])
    assert (await store.write(chunk(other_prices, "corrected"))).changed == many
    assert (await store.read(Query(TRADES))).frame == other_prices


async def test_keys_that_are_taken_while_they_are_written_are_refused_without_a_word_of_the_rows(
    dsn: str, store: TimescaleStore
) -> None:
    async with bare(dsn) as other:
        await other.execute(
            """
            CREATE FUNCTION public.first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF pg_trigger_depth() = 1 THEN
                    INSERT INTO market_data.trades SELECT NEW.* ON CONFLICT DO NOTHING;
                END IF;
                RETURN NEW;
            END; $$;
            CREATE TRIGGER first BEFORE INSERT ON market_data.trades FOR EACH ROW EXECUTE FUNCTION public.first();
            """
        )
        try:
            with pytest.raises(StoreError, match="somebody else writes") as refused:
                await store.write(chunk(days(2), "run"))
        finally:
            await other.execute("DROP FUNCTION public.first() CASCADE")
    assert "Key (" not in str(refused.value)
    assert len(await store.journal()) == len(await store.read_outbox(0)) == 0


async def test_a_standby_is_known_by_what_it_refuses(services: native.Services, dsn: str) -> None:
    name = dsn.rpartition("/")[2]
    await services.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        store = TimescaleStore(dsn)
        await store.open()
        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.advance("stream", 0, 1, 0)
        await store.close()
    finally:
        await services.sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert dsn_of(services, name) == dsn
    assert datetime.now(UTC) > DAY


async def test_the_ledger_forgets_what_later_entries_cover(dsn: str, store: TimescaleStore) -> None:
    for n in range(10):
        await store.write(chunk(bars({0: float(n), 1: float(n), 2: float(n)}), f"run {n}"))
        await store.write(chunk(bars({1: -float(n)}), f"part {n}"))
    async with bare(dsn) as other:
        assert await other.fetchval("SELECT count(*) FROM telemetry.ledger") == 2


async def test_each_change_that_waits_has_the_shard_of_its_symbol(dsn: str, store: TimescaleStore) -> None:
    await store.write(chunk(Frame.concat([bars({0: 1.0}, symbol) for symbol in ("A", "B", "ÖL")]), "run"))
    async with bare(dsn) as other:
        found = await other.fetch("SELECT symbol, shard FROM telemetry.outbox")
    assert {tuple(row) for row in found} == {(symbol, shard_of(symbol)) for symbol in ("A", "B", "ÖL")}
