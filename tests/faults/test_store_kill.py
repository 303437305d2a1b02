"""A writer is killed at arbitrary moments: what it was told is there, and what is there is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import anyio
import duckdb
import pytest

from backbone.domain import Dimension, Frame, codec
from backbone.store.duckdb import DuckDBStore
from backbone.store.records import OutboxRow, Query
from tests.programs import lean

from .store_writer import frame

QUOTES = Dimension.QUOTES
KILLS = 5
WRITER = Path(__file__).with_name("store_writer.py")


def write_until_killed(path: Path, first: int, seconds: float) -> int:
    """Write chunks from `first` on, be killed that long after the first was acknowledged; the last acknowledged."""
    command = [sys.executable, str(WRITER), str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=WRITER.parents[2], env=lean()) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline())]
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    return acknowledged[-1]


async def inspect(path: Path, acknowledged: int) -> int:
    """Open the file as after a crash, check that everything agrees, and return the last chunk that it holds."""
    store = DuckDBStore(path)
    await store.open()
    await store.migrate()
    journal = await store.journal(limit=100_000)
    last = len(journal) - 1
    assert last in {acknowledged, acknowledged + 1}
    assert [row.run_id for row in reversed(journal)] == [f"run {n}" for n in range(last + 1)]
    expected = Frame.concat([frame(n) for n in range(last + 1)])
    assert (await store.read(Query(QUOTES))).frame == expected
    assert sum(row.inserted for row in journal) == len(expected)
    outbox = await everything_published(store)
    assert Frame.concat([codec.decode(row.payload) for row in outbox]) == expected
    assert sum(row.rows for row in outbox) == sum(row.inserted + row.changed for row in journal)
    assert all(earlier.position < later.position for earlier, later in pairwise(outbox))
    assert (await store.outbox_status()).newest == outbox[-1].position
    await store.close()
    with duckdb.connect(str(path)) as file:
        newest = file.execute("SELECT DISTINCT arg_max(ingest_id, id) OVER (PARTITION BY symbol) FROM telemetry.ledger")
        assert newest.fetchall() == [(journal[0].ingest_id,)]
    return last


async def everything_published(store: DuckDBStore) -> list[OutboxRow]:
    rows: list[OutboxRow] = []
    while page := await store.read_outbox(rows[-1].position if rows else 0, limit=1000):
        rows += page
    return rows


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_whole_chunks_only(tmp_path: Path) -> None:
    path, moments = tmp_path / "store.duckdb", random.Random(20240101)
    following = 0
    for _ in range(KILLS):
        acknowledged = write_until_killed(path, following, moments.uniform(0.0, 0.4))
        following = anyio.run(inspect, path, acknowledged) + 1
    assert following > KILLS
