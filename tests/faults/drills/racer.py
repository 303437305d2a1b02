"""A process that, for each database address on stdin, opens a backbone and ingests the sample when told `go`."""

from __future__ import annotations

import sys

import anyio
import anyio.to_thread
import msgspec

from backbone import Backbone
from backbone.store.errors import StoreError
from tests.backbone.facade.kit import plan
from tests.faults.drills.kit import settings_of


async def ask(answer: object) -> str:
    """Say something, and return the next line."""
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    sys.stdout.flush()
    line: str = await anyio.to_thread.run_sync(sys.stdin.readline)
    return line.strip()


async def main() -> None:
    dsn = await ask("ready")
    while dsn:
        async with Backbone.open(settings_of(dsn)) as backbone:
            await ask("open")
            try:
                run = await backbone.ingest(plan())
                outcome = {"done": True, "inserted": run.inserted, "unchanged": run.unchanged, "why": ""}
            except StoreError as error:
                outcome = {"done": False, "inserted": 0, "unchanged": 0, "why": str(error)}
        dsn = await ask(outcome)


if __name__ == "__main__":
    anyio.run(main)
