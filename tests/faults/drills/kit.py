"""What the drills share: load that can be told apart, the checker, and what is said of the course of a drill."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import anyio
import asyncpg
import numpy as np
import pyarrow as pa

from backbone import Backbone, load_settings
from backbone.domain import Dimension, Frame, codec
from backbone.domain.identifiers import ingest_id
from backbone.settings import Settings
from backbone.store.port import Store
from backbone.store.records import Chunk, OutboxRow, Query
from backbone.store.timescale import Bounds, TimescaleStore
from backbone.store.timescale.failures import BROKEN

QUOTES = Dimension.QUOTES
SOURCE = "drill"
ROWS = 400
_SECOND_US = 1_000_000
_PAGE = 1000


def say(text: str) -> None:
    """The course of a drill, seen with `-s` and with a failure."""
    print(f"drill: {text}", flush=True)  # noqa: T201


def frame(n: int) -> Frame:
    """The n-th chunk of the load: it overlaps half of the one before, and changes it there."""
    seconds = n * ROWS // 4 + np.arange(ROWS // 2)
    return Frame.from_arrow(
        QUOTES,
        pa.table(
            {
                "symbol": np.repeat(["A", "B"], ROWS // 2),
                "ts": pa.array(np.tile(seconds * _SECOND_US, 2), pa.timestamp("us", tz="UTC")),
                "sequence": np.zeros(ROWS, dtype=np.int64),
                "bid": np.full(ROWS, float(n)),
            }
        ),
    )


def chunk(n: int, epoch: int | None) -> Chunk:
    """The same as a chunk, whose run has its number."""
    rows = frame(n)
    return Chunk(ingest_id(SOURCE, rows), f"run {n}", SOURCE, rows, epoch=epoch)


async def last_chunk(store: Store) -> int:
    """The number of the chunk that was committed last, -1 before the first."""
    return max((int(row.run_id.split()[1]) for row in await store.journal(1)), default=-1)


def store_of(dsn: str, application_name: str, bounds: Bounds | None = None) -> TimescaleStore:
    """A store with small payloads, so that a chunk has several outbox rows."""
    return TimescaleStore(dsn, bounds=bounds, application_name=application_name, max_payload_bytes=4096)


def settings_of(dsn: str, **changes: Any) -> Settings:
    """A backbone on that database; its cache and stream are in the process."""
    overrides = {"store.backend": "timescale", "control.enabled": False, "ingest.chunk_rows": 500, **changes}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)


class Found(NamedTuple):
    """What a store holds, in numbers that can be compared."""

    rows: int
    table: str
    outbox: int
    journal: int


async def inspect(store: Store, dimension: Dimension) -> Found:
    """Check that table, journal and outbox tell one story, and return it.

    Each change was published once, in ascending positions; the published changes, applied in order, are the table; the
    journal has counted them.
    """
    table = (await store.read(Query(dimension))).frame
    outbox = await everything_published(store)
    journal = [row for row in await store.journal(limit=1_000_000, dimension=dimension) if row.status != "failed"]
    assert all(earlier.position < later.position for earlier, later in pairwise(outbox))
    assert all(earlier.revision <= later.revision for earlier, later in pairwise(outbox))
    assert len({row.event_id for row in outbox}) == len(outbox), "a change was published twice"
    applied = Frame.concat([codec.decode(row.payload) for row in outbox])
    assert applied.canonical_bytes() == table.canonical_bytes(), "outbox and table differ"
    assert sum(row.inserted for row in journal) == table.num_rows, "journal and table differ"
    assert sum(row.inserted + row.changed for row in journal) == sum(row.rows for row in outbox)
    assert len({(row.run_id, row.ingest_id) for row in journal}) == len(journal)
    return Found(table.num_rows, hash_of(table), len(outbox), len(journal))


def hash_of(table: Frame) -> str:
    """Of all keys and values, in canonical order."""
    return hashlib.blake2b(table.canonical_bytes(), digest_size=16).hexdigest()


async def everything_published(store: Store) -> list[OutboxRow]:
    """The outbox, page by page."""
    rows: list[OutboxRow] = []
    while page := await store.read_outbox(rows[-1].position if rows else 0, limit=_PAGE):
        rows += page
    return rows


async def undisturbed(dsn: str, last: int) -> Found:
    """What chunks 0 to `last` give where nothing goes wrong."""
    store = store_of(dsn, "undisturbed")
    await store.open()
    try:
        await store.migrate()
        epoch = await store.claim_epoch(SOURCE, QUOTES)
        for n in range(last + 1):
            await store.write(chunk(n, epoch))
        return await inspect(store, QUOTES)
    finally:
        await store.close()


async def connections(dsn: str, application_name: str) -> int:
    """How many connections the server has under a name; a server that is still recovering is waited for."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
    with anyio.fail_after(20):
        while True:
            try:
                connection = await asyncpg.connect(dsn, timeout=5, command_timeout=5)
                try:
                    return int(await connection.fetchval(query, application_name))
                finally:
                    await connection.close(timeout=5)
            except (*BROKEN, TimeoutError):
                await anyio.sleep(0.05)


async def no_connection_left(dsn: str, application_name: str, within: float = 10.0) -> bool:
    """Whether the server lets go of all of them in time."""
    with anyio.move_on_after(within):
        while await connections(dsn, application_name):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.1)
        return True
    return False


def health(backbone: Backbone, part: str) -> Any:
    """What an actor says of itself in the roster."""
    return next(entry.health for entry in backbone.roster().entries if entry.path.endswith(f"/{part}"))


async def becomes_ok(backbone: Backbone, part: str, within: float) -> float:
    """Seconds until an actor is not failed any more; infinite if it takes longer than it may."""
    began = time.monotonic()
    with anyio.move_on_after(within):
        while health(backbone, part).level == "failed":  # noqa: ASYNC110 - the roster is looked at, as people do
            await anyio.sleep(0.02)
        return time.monotonic() - began
    return float("inf")


def spread(seconds: Mapping[str, Sequence[float]]) -> str:
    """Counts, medians and worst cases of durations, as one line."""
    parts = []
    for name, taken in seconds.items():
        parts.append(f"{name} {len(taken)}x, median {np.median(taken):.2f} s, worst {max(taken):.2f} s")
    return "; ".join(parts)
