"""Migrations: applied once, in order, and never after they were edited."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import duckdb
import pytest
from msgspec.structs import replace

from backbone import Backbone, load_settings
from backbone.domain import Dimension
from backbone.domain.clock import to_us
from backbone.domain.hashing import shard_of
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.memory import MemoryDatabase
from backbone.store.errors import PositionLost, SchemaMismatch
from backbone.store.migrations import Migration, pending, shipped
from tests.backbone.domain.version_1 import WRITTEN

FIRST = Migration("0001_a", "CREATE TABLE a (x INT)", "1")
SECOND = Migration("0002_b", "CREATE TABLE b (x INT)", "2")


async def opened(path: Path, migrations: list[Migration]) -> DuckDBStore:
    store = DuckDBStore(path, inline=True, migrations=migrations)
    await store.open()
    return store


OUTBOX_OF_BEFORE = """
    UPDATE telemetry.relay_cursor SET position = 41;
    INSERT INTO telemetry.checkpoint VALUES ('csv', 'trades', 'rows:9', 7, now());
    INSERT INTO telemetry.outbox VALUES (41, 'e1', 'i', 'trades', 'EURUSD', 1, 1, 1, 'x'::BLOB, now()),
                                        (42, 'e2', 'i', 'trades', 'ÖL', 1, 1, 1, 'x'::BLOB, now())
"""

LARGE_OF_BEFORE = """
    INSERT INTO telemetry.dead_letters VALUES ('g', 't', 0, 7, 'why', repeat('x', 50000)::BLOB, now());
    INSERT INTO telemetry.ingest_runs BY NAME
    SELECT 1 AS id, 'r1' AS run_id, 'i' AS ingest_id, 'trades' AS dimension, 'live' AS source, 'ok' AS status,
        1 AS rows, 1 AS inserted, 0 AS changed, 0 AS unchanged, 1 AS position, 1 AS outbox_rows, 0 AS duration_s,
        now() AS executed_at, '{}' AS metadata, ['S' || n FOR n IN range(1000)] AS symbols;
    INSERT INTO telemetry.runs BY NAME
    SELECT 'r1' AS run_id, 'trades' AS dimension, 'ok' AS status, 'csv' AS source, 1 AS rows, 1 AS inserted,
        0 AS changed, 0 AS unchanged, 0 AS quarantined, 0 AS duration_s, now() AS executed_at, '{}' AS metadata,
        ['S' || n FOR n IN range(1000)] AS symbols
"""

JOURNAL_OF_BEFORE = """
    UPDATE telemetry.relay_cursor SET position = 41;
    INSERT INTO telemetry.ingest_runs BY NAME
    SELECT 1 AS id, 'r' AS run_id, 'i' AS ingest_id, 'trades' AS dimension, 'csv' AS source, 'ok' AS status, 1 AS rows,
        1 AS inserted, 0 AS changed, 0 AS unchanged, 41 AS position, 1 AS outbox_rows, [] AS symbols, 0 AS duration_s,
        now() AS executed_at, '' AS error, '{{}}' AS metadata;
    INSERT INTO telemetry.outbox
    SELECT position, 'e' || position, 'i', 'trades', 'EURUSD', 1, 1, 1, 'x'::BLOB, now()
    FROM unnest([{outbox}]::BIGINT[]) AS waiting(position)
"""


def answer(statements: str, connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(statements).fetchall()


def described(table: str, connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return answer(f"DESCRIBE {table}", connection)


async def test_each_migration_is_applied_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    store = await opened(path, [FIRST])
    assert (await store.migrate()).applied == ("0001_a",)
    await store.close()
    store = await opened(path, [FIRST, SECOND])
    rehearsal = await store.migrate(dry_run=True)
    assert (rehearsal.applied, rehearsal.pending, rehearsal.current) == ((), ("0002_b",), "0001_a")
    report = await store.migrate()
    assert (report.applied, report.pending, report.current) == (("0002_b",), (), "0002_b")
    assert (await store.migrate()).applied == ()
    await store.close()


async def test_a_dry_run_on_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.duckdb", [FIRST, SECOND])
    for _ in range(2):
        report = await store.migrate(dry_run=True)
        assert (report.pending, report.current) == (("0001_a", "0002_b"), "")
    await store.close()


async def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stand(tmp_path: Path) -> None:
    broken = Migration("0002_b", "CREATE TABLE b (x INT); SELECT * FROM nowhere", "2")
    store = await opened(tmp_path / "store.duckdb", [FIRST, broken])
    with pytest.raises(SchemaMismatch, match="nowhere"):
        await store.migrate()
    store._migrations[1] = SECOND
    assert (await store.migrate()).applied == ("0002_b",)
    await store.close()


CATALOGS = {
    "duckdb_tables()": "schema_name, table_name, sql",
    "duckdb_sequences()": "schema_name, sequence_name, sql",
    "duckdb_constraints()": "schema_name, table_name, constraint_text",
    "duckdb_columns()": "schema_name, table_name, column_index, column_name, data_type, is_nullable, column_default",
}
OWN = {"telemetry.schema_migrations": "name, checksum", "telemetry.identity": "count(DISTINCT generation)"}
"""What databases that were made alike have in common, of tables that hold more."""


def made_of(connection: duckdb.DuckDBPyConnection) -> list[object]:
    """All that a database consists of, and its rows, but for what is its own."""
    here = "WHERE database_name = current_database()"
    found = [answer(f"FROM {of} SELECT {what} {here} ORDER BY ALL", connection) for of, what in CATALOGS.items()]
    names = answer(f"FROM duckdb_tables() SELECT schema_name || '.' || table_name {here} ORDER BY ALL", connection)
    return [*found, *(answer(f"FROM {name} SELECT {OWN.get(name, '*')} ORDER BY ALL", connection) for (name,) in names)]


async def test_databases_in_memory_that_are_copies_are_what_the_migrations_make_and_their_own() -> None:
    long_ago = datetime(1999, 1, 1, tzinfo=UTC)
    databases = [None, MemoryDatabase(attached=True), MemoryDatabase(attached=True), MemoryDatabase(attached=True)]
    made, generations = [], set()
    for memory in databases:
        store = DuckDBStore(":memory:", memory=memory, inline=True, clock=lambda: long_ago)
        await store.open()
        assert (await store.migrate()).applied == tuple(each.name for each in shipped("duckdb"))
        assert (await store.migrate()).applied == ()
        made.append(await store._session.run(made_of))
        generations.add((await store.probe()).generation)
        when = "SELECT DISTINCT epoch_us(applied_at) FROM telemetry.schema_migrations"
        assert await store._session.run(partial(answer, when)) == [(to_us(long_ago),)]
        assert await store._session.run(partial(answer, "SELECT nextval('telemetry.revision')")) == [(1,)]
        await store.close()
    assert len(made[0]) > len(CATALOGS)
    assert made == [made[0]] * len(databases)
    assert len(generations) == len(databases)
    for memory in filter(None, databases):
        memory.close()


def test_an_edited_migration_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="restore the file"):
        pending([FIRST, SECOND], {"0001_a": "edited"})


def test_a_database_of_a_newer_version_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="newer backbone"):
        pending([FIRST], {"0001_a": "1", "0002_b": "2"})


def test_a_migration_slipped_in_before_those_in_force_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="next free number"):
        pending([FIRST, SECOND], {"0002_b": "2"})


def test_line_endings_do_not_change_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    checksums = set()
    for ending in (b"\n", b"\r\n"):
        (tmp_path / "x" / "0001_a.sql").write_bytes(b"SELECT 1;" + ending + b"SELECT 2;" + ending)
        checksums.add(shipped("x", tmp_path)[0].checksum)
    assert len(checksums) == 1


async def test_the_shipped_tables_have_the_columns_of_their_dimension() -> None:
    store = DuckDBStore(":memory:", inline=True)
    await store.open()
    await store.migrate()
    types = {"string": "VARCHAR", "timestamp": "TIMESTAMP WITH TIME ZONE", "double": "DOUBLE", "int64": "BIGINT"}
    origin = ["source", "ingest_id", "revision", "ingested_at"]
    for dimension in Dimension:
        for suffix, more in (("", origin), ("_revisions", [*origin, "replaced_at"])):
            table = f"market_data.{dimension.value}{suffix}"
            found = await store._session.run(partial(described, table))
            assert [column[0] for column in found] == [*dimension.columns, *more]
            for name, kind, nullable, *_ in found[: len(dimension.columns)]:
                assert kind == types[dimension.kinds[name]]
                assert nullable == ("NO" if name in dimension.key else "YES")
    await store.close()


async def test_a_file_of_an_earlier_version_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its relay's cursor, its epochs, and the shards of changes that wait."""
    path = tmp_path / "store.duckdb"
    before = [migration for migration in shipped("duckdb") if migration.name < "0003"]
    earlier = await opened(path, before)
    await earlier.migrate()
    await earlier._session.run(partial(answer, OUTBOX_OF_BEFORE))
    await earlier.close()
    store = await opened(path, shipped("duckdb"))
    assert (await store.migrate()).applied == tuple(each.name for each in shipped("duckdb")[2:])
    assert await store.cursor("stream", 0) == 41
    assert [row.position for row in await store.read_outbox(41)] == [42]
    assert [row.position for row in await store.read_outbox(40, whole=True)] == [41, 42]
    with pytest.raises(PositionLost):  # what lay before the oldest may have been pruned
        await store.read_outbox(39, whole=True)
    assert await store.claim_epoch("csv", Dimension.TRADES) == 8
    shards = await store._session.run(partial(answer, "SELECT symbol, shard FROM telemetry.outbox ORDER BY 1"))
    assert shards == [(symbol, shard_of(symbol)) for symbol in ("EURUSD", "ÖL")]
    assert len((await store.probe()).generation) == 32
    await store.close()


async def test_changes_that_an_earlier_version_wrote_are_relayed_and_subscribed_to_from_an_old_position(
    tmp_path: Path,
) -> None:
    path = tmp_path / "backbone.duckdb"
    earlier = await opened(path, [migration for migration in shipped("duckdb") if migration.name < "0005"])
    await earlier.migrate()
    await earlier._session.run(_insert_changes)
    await earlier.close()
    settings = load_settings(overrides={"store.path": str(path), "control.enabled": False}, env={})
    async with Backbone.open(settings) as backbone:
        for position, (dimension, each) in enumerate(WRITTEN.items(), 1):
            async with backbone.subscribe(dimension, start=0) as updates:
                with anyio.fail_after(30):
                    update = await anext(aiter(updates))
            assert (update.position, update.frame) == (position, each.rows)


async def test_letters_chunks_and_runs_that_an_earlier_version_wrote_whole_are_read_beside_those_in_parts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.duckdb"
    earlier = await opened(path, [migration for migration in shipped("duckdb") if migration.name < "0011"])
    await earlier.migrate()
    await earlier._session.run(partial(answer, LARGE_OF_BEFORE))
    await earlier.close()
    store = await opened(path, shipped("duckdb"))
    await store.migrate()
    symbols = tuple(f"S{n}" for n in range(1000))
    [letter] = await store.dead_letters()
    assert letter.payload == b"x" * 50_000
    [row], [run] = await store.journal(), await store.runs()
    assert (row.symbols, run.symbols) == (symbols, symbols)
    await store.add_dead_letters([replace(letter, offset=8, payload=b"y" * 50_000)])
    await store.record_journal(replace(row, run_id="r2", symbols=symbols[::-1]))
    await store.record_run(replace(run, run_id="r2", symbols=symbols[::-1]))
    assert [each.payload[:1] for each in await store.dead_letters_at([("t", 0, 7), ("t", 0, 8)])] == [b"x", b"y"]
    for found in (await store.journal(), await store.runs()):
        assert {each.run_id: each.symbols for each in found} == {"r1": symbols, "r2": symbols[::-1]}
    await store.close()


def _insert_changes(connection: duckdb.DuckDBPyConnection) -> None:
    for dimension, each in WRITTEN.items():
        symbol = each.rows.symbols[0]
        connection.execute(
            """
            INSERT INTO telemetry.outbox BY NAME
            SELECT nextval('telemetry.outbox_position') AS position, ? AS event_id, 'i' AS ingest_id, ? AS dimension,
                ? AS symbol, 1 AS rows, 7 AS revision, octet_length(payload) AS bytes, payload, now() AS created_at,
                ? AS shard FROM (SELECT ?::BLOB AS payload)
            """,
            [dimension.value, dimension.value, symbol, shard_of(symbol), each.payload],
        )
        connection.execute(
            "INSERT INTO telemetry.positions VALUES (?, ?, currval('telemetry.outbox_position'))",
            [dimension.value, symbol],
        )


@pytest.mark.parametrize(("outbox", "pruned"), [("41, 42", 0), ("42, 43", 41), ("", 41)])
async def test_how_far_an_earlier_version_pruned_is_told_from_its_journal(
    tmp_path: Path, outbox: str, pruned: int
) -> None:
    path = tmp_path / "store.duckdb"
    earlier = await opened(path, [migration for migration in shipped("duckdb") if migration.name < "0003"])
    await earlier.migrate()
    await earlier._session.run(partial(answer, JOURNAL_OF_BEFORE.format(outbox=outbox)))
    await earlier.close()
    store = await opened(path, shipped("duckdb"))
    await store.migrate()
    assert await store._session.run(partial(answer, "SELECT position FROM telemetry.pruned")) == [(pruned,)]
    await store.close()


async def test_two_databases_are_not_the_same() -> None:
    found = set()
    for _ in range(2):
        store = await opened(Path(":memory:"), shipped("duckdb"))
        await store.migrate()
        found.add((await store.probe()).generation)
        await store.close()
    assert len(found) == 2
