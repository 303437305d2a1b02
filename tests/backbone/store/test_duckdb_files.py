"""Files that are full, and files that two stores of one process want."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.errors import StoreUnavailable
from backbone.store.records import Chunk, Query

DAILY = Dimension.DAILY_BARS
DAY = datetime(2024, 1, 1, tzinfo=UTC)


def chunk(number: int, rows: int = 2000) -> Chunk:
    days = range(number * rows, (number + 1) * rows)
    records = [{"symbol": "A", "ts": DAY + timedelta(days=day), "close": day / 7} for day in days]
    frame = Frame.from_records(DAILY, records)
    return Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame)


async def opened(path: Path) -> DuckDBStore:
    store = DuckDBStore(path, inline=True)
    await store.open()
    await store.migrate()
    return store


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a disk that has no room left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_commit_that_finds_no_room_is_certainly_not_written_and_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    store = await opened(path)
    await store.write(chunk(0))
    refused = chunk(1)
    with (
        no_file_larger_than(path.with_name("s.duckdb.wal").stat().st_size + 1000),
        pytest.raises(StoreUnavailable, match="nothing was written: make room on the disk"),
    ):
        await store.write(refused)
    assert await store.lookup(refused.run_id, refused.ingest_id) is None
    assert (await store.read(Query(DAILY))).frame == chunk(0).frame
    result = await store.write(refused)
    assert (result.known, result.inserted) == (False, 2000)
    await store.close()
    again = await opened(path)
    assert (await again.read(Query(DAILY))).frame == Frame.concat([chunk(0).frame, chunk(1).frame])
    assert len({row.position for row in await again.read_outbox(0, 1000)}) == len(await again.read_outbox(0, 1000))
    await again.close()


@pytest.mark.parametrize("name", ["s.duckdb", "other/../s.duckdb", "link.duckdb"])
async def test_a_file_that_another_store_of_this_process_has_open_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "s.duckdb")
    first, second = await opened(tmp_path / "s.duckdb"), DuckDBStore(tmp_path / name, inline=True)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="is open already in this process"):
            await second.open()
    await first.open()
    await first.write(chunk(0))
    await first.close()
    await second.open()
    assert len((await second.read(Query(DAILY))).frame) == 2000
    await second.close()


async def test_a_store_that_nobody_has_any_more_holds_no_file(tmp_path: Path) -> None:
    abandoned = await opened(tmp_path / "s.duckdb")
    await abandoned.write(chunk(0))
    del abandoned
    store = await opened(tmp_path / "s.duckdb")
    assert len((await store.read(Query(DAILY))).frame) == 2000
    await store.close()
