"""A process that writes chunks for ever and says after each what it was told; it is killed from outside."""

from __future__ import annotations

import sys

import anyio
import numpy as np
import pyarrow as pa

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.records import Chunk

ROWS = 400
SECOND_US = 1_000_000


def frame(n: int) -> Frame:
    """The n-th chunk: it overlaps half of the one before, and changes it there."""
    seconds = n * ROWS // 4 + np.arange(ROWS // 2)
    return Frame.from_arrow(
        Dimension.QUOTES,
        pa.table(
            {
                "symbol": np.repeat(["A", "B"], ROWS // 2),
                "ts": pa.array(np.tile(seconds * SECOND_US, 2), pa.timestamp("us", tz="UTC")),
                "sequence": np.zeros(ROWS, dtype=np.int64),
                "bid": np.full(ROWS, float(n)),
            }
        ),
    )


async def main(path: str, first: int) -> None:
    # a small log limit, so that some kills hit the folding of the log into the file
    store = DuckDBStore(path, wal_limit="200KB", max_payload_bytes=4096)
    await store.open()
    await store.migrate()
    epoch = await store.claim_epoch("csv", Dimension.QUOTES)
    n = first
    while True:
        rows = frame(n)
        await store.write(Chunk(ingest_id("csv", rows), f"run {n}", "csv", rows, epoch=epoch))
        print(n, flush=True)  # noqa: T201
        n += 1


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], int(sys.argv[2]))
