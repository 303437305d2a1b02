"""A process that holds the lease of a sink for as long as it lives: `python -m tests.services.holding_a_lease SINK`.

The database is read from standard input, so that no password is in an argument. It says when it has the lease, and
when it has it no more.
"""

from __future__ import annotations

import sys

import anyio

from backbone.domain.lapse import BEAT
from backbone.store.errors import StoreError
from tests.services.stores import opened


async def hold(dsn: str, sink: str) -> None:
    async with opened(dsn) as store:
        epoch = await store.lease(sink, 0)
        print(f"held {epoch}", flush=True)  # noqa: T201
        while epoch is not None:
            await anyio.sleep(BEAT)
            try:
                epoch = await store.lease(sink, 0)
            except StoreError:
                epoch = None
        try:
            await store.advance(sink, 0, 100, 1)
        except StoreError as error:
            print(f"lost {error.code}", flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    anyio.run(hold, sys.stdin.readline().strip(), sys.argv[1])
