"""Large payloads of the embedded store lie in parts: what is unpacked to read a few of them fits into memory."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame, decode
from backbone.domain.codec import CodecError
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore, outbox
from backbone.store.duckdb.outbox import append
from backbone.store.duckdb.parts import LARGEST_WHOLE, Parts
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import count, table
from backbone.store.errors import PositionLost
from backbone.store.payloads import Origin, Payload
from backbone.store.records import Chunk

LATE = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with opened(tmp_path / "s.duckdb") as store:
        yield store


@asynccontextmanager
async def opened(path: Path, **more: str) -> AsyncIterator[DuckDBStore]:
    """A store on a file, with its tables."""
    store = DuckDBStore(path, max_payload_bytes=512 * 1024, **more)  # type: ignore[arg-type]
    await store.open()
    await store.migrate()
    try:
        yield store
    finally:
        await store.close()


def chunk(symbol: str, rows: int) -> Chunk:
    table = pa.table(
        {
            "symbol": [symbol] * rows,
            "ts": pa.array(range(rows), pa.timestamp("us", "UTC")),
            "sequence": range(rows),
            "price": [1.0 + n for n in range(rows)],
            "size": [1.0] * rows,
        }
    )
    frame = Frame.from_arrow("trades", table)
    return Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame)


async def sql(store: DuckDBStore, query: str) -> list[tuple[Any, ...]]:
    return await store._session.run(lambda connection: connection.execute(query).fetchall())


async def test_they_are_read_as_they_were_written_beside_small_ones(store: DuckDBStore) -> None:
    written = [chunk("A", 5), chunk("B", 20_000), chunk("C", 5), chunk("D", 300), chunk("E", 20_000)]
    for each in written:
        await store.write(each)
    found = await store.read_outbox(0, 1000)
    for each in written:
        rows = [decode(row.payload, row.checksum) for row in found if row.ingest_id == each.ingest_id]
        assert Frame.concat(rows) == each.frame
    assert max(len(row.payload) for row in found) > 10 * LARGEST_WHOLE
    assert await store.read_outbox(found[2].position, 2) == found[3:5]
    for name, column in (("outbox", "payload"), ("outbox_parts", "bytes")):
        [(largest,)] = await sql(store, f"SELECT max(octet_length({column})) FROM telemetry.{name}")  # noqa: S608
        assert largest <= LARGEST_WHOLE
    view = await sql(store, "SELECT position, payload, checksum FROM telemetry.payloads ORDER BY position")
    assert view == [(row.position, row.payload, row.checksum) for row in found]


async def test_one_that_an_earlier_release_has_written_whole_is_read_beside_them(store: DuckDBStore) -> None:
    await store.write(chunk("A", 20_000))
    await store.write(chunk("B", 20_000))
    found = await store.read_outbox(0, 1000)
    whole = found[1]
    await sql(
        store,
        f"""
        UPDATE telemetry.outbox SET payload = v.payload FROM telemetry.payloads v
        WHERE v.position = outbox.position AND v.position = {whole.position};
        DELETE FROM telemetry.outbox_parts WHERE position = {whole.position}
        """,  # noqa: S608
    )
    assert await store.read_outbox(0, 1000) == found


async def test_they_go_with_their_rows(store: DuckDBStore) -> None:
    await store.write(chunk("A", 20_000))
    published = (await store.read_outbox(0, 1000))[-1].position
    await store.write(chunk("B", 20_000))
    left = await store.read_outbox(published, 1000)
    await store.advance("stream", 0, published, 0)
    parts = "SELECT DISTINCT position FROM telemetry.outbox_parts ORDER BY 1"
    before = await sql(store, parts)
    await store.prune(outbox_before=LATE, dry_run=True)
    assert await sql(store, parts) == before
    assert (await store.prune(outbox_before=LATE, dry_run=False))["outbox"] > 0
    assert await sql(store, parts) == [(row.position,) for row in left]
    assert await store.read_outbox(published, 1000) == left


async def test_they_count_against_the_most_that_is_kept_with_all_their_bytes(store: DuckDBStore) -> None:
    await store.write(chunk("A", 20_000))
    await store.write(chunk("B", 20_000))
    rows = await store.read_outbox(0, 1000)
    await store.advance("stream", 0, rows[-1].position, 0)
    second = [row for row in rows if row.symbol == "B"]
    most = sum(len(row.payload) for row in second)
    assert most > 500_000
    for dry_run in (True, False):
        assert (await store.prune(outbox_bytes=most, dry_run=dry_run))["outbox"] == len(rows) - len(second)
    assert await store.read_outbox(0, 1000) == second


async def test_the_order_in_which_they_lie_in_the_file_is_not_theirs(store: DuckDBStore) -> None:
    await store.write(chunk("A", 20_000))
    await store.write(chunk("B", 20_000))
    found = await store.read_outbox(0, 1000)
    await sql(
        store,
        """
        CREATE TEMP TABLE turned AS SELECT * FROM telemetry.outbox_parts ORDER BY number DESC, position DESC;
        DELETE FROM telemetry.outbox_parts;
        INSERT INTO telemetry.outbox_parts SELECT * FROM turned
        """,
    )
    assert await store.read_outbox(0, 1000) == found
    view = await sql(store, "SELECT payload FROM telemetry.payloads ORDER BY position")
    assert view == [(row.payload,) for row in found]


@pytest.mark.parametrize("looks", range(1, 5))
async def test_what_is_pruned_while_it_is_read_is_said_to_be_gone(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """Whoever subscribes from an old position reads what is published, and retention may come between two looks."""
    await store.write(chunk("A", 20_000))
    await store.write(chunk("B", 5))
    found = await store.read_outbox(0, 1000)
    await store.advance("stream", 0, found[-1].position, 0)
    root, left = store._session._root, [looks]
    assert root is not None

    def prune() -> None:
        left[0] -= 1
        if left[0]:
            return
        with root.cursor() as beside:
            beside.begin()
            beside.execute(f"UPDATE telemetry.pruned SET position = {found[-1].position}")  # noqa: S608
            beside.execute("DELETE FROM telemetry.outbox; DELETE FROM telemetry.outbox_parts")
            beside.commit()

    def behind_pruning(look: Callable[..., Any]) -> Callable[..., Any]:
        def looked(*args: Any) -> Any:
            prune()
            return look(*args)

        return looked

    monkeypatch.setattr(outbox, "count", behind_pruning(count))
    monkeypatch.setattr(outbox, "table", behind_pruning(table))
    monkeypatch.setattr(Parts, "between", behind_pruning(Parts.between))
    with pytest.raises(PositionLost):
        await store.read_outbox(0, 1000, whole=True)
    assert left[0] <= 0
    assert await store.read_outbox(found[-1].position, whole=True) == []


async def test_where_one_ends_the_next_part_begins(store: DuckDBStore) -> None:
    sizes = [1, LARGEST_WHOLE - 1, LARGEST_WHOLE, LARGEST_WHOLE + 1, 2 * LARGEST_WHOLE, 2 * LARGEST_WHOLE + 1]
    given = [np.random.default_rng(size).bytes(size) for size in sizes]
    await put(store, given)
    found = await store.read_outbox(0, 1000)
    assert [row.payload for row in found] == given
    parts = await sql(
        store, "SELECT position, number, octet_length(bytes) FROM telemetry.outbox_parts ORDER BY position, number"
    )
    assert [(number, size) for _, number, size in parts] == [
        *((0, LARGEST_WHOLE), (1, 1)),
        *((0, LARGEST_WHOLE), (1, LARGEST_WHOLE)),
        *((0, LARGEST_WHOLE), (1, LARGEST_WHOLE), (2, 1)),
    ]
    assert {position for position, *_ in parts} == {row.position for row in found[3:]}


async def test_one_of_which_parts_are_missing_is_damaged_and_those_beside_it_are_not(store: DuckDBStore) -> None:
    for symbol in "ABCD":
        await store.write(chunk(symbol, 2000))
    first, second, third, fourth = await store.read_outbox(0, 1000)
    await sql(
        store,
        f"""
        DELETE FROM telemetry.outbox_parts WHERE position = {first.position};
        DELETE FROM telemetry.outbox_parts WHERE position = {second.position} AND number = 1;
        UPDATE telemetry.outbox_parts SET number = -number WHERE position = {third.position}
        """,  # noqa: S608
    )
    found = await store.read_outbox(0, 1000)
    for row in found[:3]:
        with pytest.raises(CodecError):
            decode(row.payload, row.checksum)
    assert found[3] == fourth


async def test_a_chunk_that_fails_behind_them_leaves_none(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nothing goes in")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_move", fail)
        with pytest.raises(RuntimeError):
            await store.write(chunk("A", 20_000))
    assert await sql(store, "SELECT count(*) FROM telemetry.outbox_parts") == [(0,)]
    assert await store.read_outbox(0) == []


async def put(store: DuckDBStore, contents: list[bytes]) -> None:
    """Append payloads in one transaction."""
    payloads = [Payload(f"e{n}", "A", 1, each, zlib.crc32(each)) for n, each in enumerate(contents)]

    def write(connection: Any) -> None:
        with transaction(connection):
            append(connection, store._session.known.numbers, Dimension.TRADES, payloads, Origin("csv", "i", 1, 0))

    await store._session.run(write)


async def test_a_few_of_thousands_are_read_in_little_memory(tmp_path: Path) -> None:
    """Whole, 2,048 of them would take 256 MB in one piece."""
    bounds = {"memory_limit": "128MB", "memory_at_rest": "128MB", "wal_limit": "32MB"}
    async with opened(tmp_path / "s.duckdb", **bounds) as store:

        def payload(number: int) -> bytes:
            return (np.arange(16 * 1024, dtype=np.int64) + number).tobytes()

        for first in range(0, 2100, 100):
            await put(store, [payload(n) for n in range(first, first + 100)])
        await sql(store, "CHECKPOINT")
        newest = (await store.outbox_status()).newest
        found = await store.read_outbox(newest - 7, 7)
    assert [row.payload for row in found] == [payload(n) for n in range(2093, 2100)]
