"""A process that ingests chunk after chunk into a store and says so; it goes on where it was, whatever happened to it.

python -m tests.faults.drills.writer DSN; SIGTERM ends it after the chunk at hand.
"""

from __future__ import annotations

import logging
import signal
import sys
import time

import anyio

from backbone.store.errors import StoreUnavailable, UnknownOutcome
from backbone.store.port import Store
from backbone.store.timescale import Bounds
from tests.faults.drills.kit import QUOTES, SOURCE, chunk, last_chunk, store_of

NAME = "drill-writer"
BOUNDS = Bounds(pool_size=2, max_overflow=2, pool_timeout=2.0, connect_timeout=2.0, statement_timeout=3.0)
_PAUSE = 0.02


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201


async def persistently(what: str, work: object) -> object:
    """Until it works: the server may be down."""
    while True:
        try:
            return await work()  # type: ignore[operator]
        except (StoreUnavailable, UnknownOutcome) as error:
            tell(f"again {what}: {type(error).__name__}")
            await anyio.sleep(_PAUSE)


async def begin(store: Store) -> tuple[int, int]:
    """Open, become the writer; the epoch, and the chunk to go on with."""
    await store.open()
    await store.migrate()
    epoch = await store.claim_epoch(SOURCE, QUOTES)
    return epoch, await last_chunk(store) + 1


async def main(dsn: str) -> None:
    store = store_of(dsn, NAME, BOUNDS)
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        stopping = anyio.Event()

        async def listen() -> None:
            async for _ in signals:
                stopping.set()
                return

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            begun = await persistently("begin", lambda: begin(store))
            assert isinstance(begun, tuple)
            epoch, n = begun
            while not stopping.is_set():
                following, began = chunk(n, epoch), time.monotonic()
                await persistently("write", lambda c=following: store.write(c))
                tell(f"wrote {n} {began}")
                n += 1
        await store.close()


if __name__ == "__main__":
    # asyncpg tells at length that it could not connect again yet, which is what the drill is about
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    anyio.run(main, sys.argv[1])
