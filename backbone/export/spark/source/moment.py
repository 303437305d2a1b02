"""A moment of the store that stands still while executors read it: held by the program that drives Spark."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from backbone.domain import arguments
from backbone.export.spark.source.connecting import close, connected
from backbone.export.spark.source.where import store_of

__all__ = ["moment"]

_LONGEST = 2_147_483  # of milliseconds PostgreSQL counts no more


@contextmanager
def moment(
    *, profile: str = "timescale", env_file: str | None = None, seconds: float = 3600.0
) -> Iterator[dict[str, str]]:
    """Hold the moment that is now, until the end of the block.

    Writers do not wait for it, and neither does what is published; PostgreSQL can't vacuum what was deleted meanwhile.
    Where the program ends the moment is gone, and tasks that are tried again fail with that reason.

    Args:
        profile: of the settings that say where the store is.
        env_file: a file with `BACKBONE_STORE_URL` and what else there is to say, at the same place on all machines,
            readable for its owner alone; None: each executor's own environment.
        seconds: the server ends it after that.

    Yields:
        Options for `spark.read.format("backbone")`: `moment`, `profile`, `env_file`.

    Raises:
        ValueError: it is to be held for no time, or for longer than the server counts.
        Unsupported: the store is no server.
        StoreUnavailable: it does not answer.
    """
    seconds = arguments.seconds("seconds", seconds)
    if not 1 <= seconds <= _LONGEST:
        raise ValueError(f"seconds={seconds:g} given; allowed: 1 to {_LONGEST}")
    store = store_of(profile, env_file)
    # in a thread of its own, for the program may have a loop already, as notebooks do
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    with ThreadPoolExecutor(1, "moment") as thread:
        try:
            connection = thread.submit(runner.run, connected(store, seconds)).result()
            try:
                name = thread.submit(runner.run, _exported(connection)).result()
                options = {"moment": name, "profile": profile}
                yield options if env_file is None else {**options, "env_file": env_file}
            finally:
                thread.submit(runner.run, close(connection)).result()
        finally:
            thread.submit(runner.close).result()


async def _exported(connection: Any) -> str:
    from backbone.store.timescale.session import READ

    await connection.execute(f"BEGIN {READ}")
    return str(await connection.fetchval("SELECT pg_export_snapshot()"))
