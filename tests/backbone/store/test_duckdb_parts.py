"""Large payloads of the embedded store lie in parts: what is unpacked to read a few of them fits into memory."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame, decode
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.duckdb.outbox import append
from backbone.store.duckdb.parts import LARGEST_WHOLE
from backbone.store.duckdb.session import transaction
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
    for table, column in (("outbox", "payload"), ("outbox_parts", "bytes")):
        [(largest,)] = await sql(store, f"SELECT max(octet_length({column})) FROM telemetry.{table}")  # noqa: S608
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


async def test_a_few_of_thousands_are_read_in_little_memory(tmp_path: Path) -> None:
    """Whole, 2,048 of them would take 256 MB in one piece."""
    bounds = {"memory_limit": "128MB", "memory_at_rest": "128MB", "wal_limit": "32MB"}
    async with opened(tmp_path / "s.duckdb", **bounds) as store:

        def payload(number: int) -> bytes:
            return (np.arange(16 * 1024, dtype=np.int64) + number).tobytes()

        for first in range(0, 2100, 100):
            payloads = [Payload(f"e{n}", "A", 1, payload(n), zlib.crc32(payload(n))) for n in range(first, first + 100)]
            origin = Origin("csv", f"i{first}", 1, 0)

            def write(connection: Any, payloads: list[Payload] = payloads, origin: Origin = origin) -> None:
                with transaction(connection):
                    append(connection, store._session.known.numbers, Dimension.TRADES, payloads, origin)

            await store._session.run(write)
        await sql(store, "CHECKPOINT")
        newest = (await store.outbox_status()).newest
        found = await store.read_outbox(newest - 7, 7)
    assert [row.payload for row in found] == [payload(n) for n in range(2093, 2100)]
