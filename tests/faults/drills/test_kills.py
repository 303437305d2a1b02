"""kill -9 of a backend, of the server and of our own process, in turn, 50 times, while chunks are ingested."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from backbone.services import native, processes
from tests.faults.drills import writer
from tests.faults.drills.kit import (
    QUOTES,
    connections,
    inspect,
    last_chunk,
    no_connection_left,
    say,
    spread,
    store_of,
    undisturbed,
)
from tests.services.stores import drop_database, make_database

ROOT = Path(__file__).parents[3]
KILLS = 50
SEED = 20260101
TURNS = ("backend", "server", "process")
RECOVERY_SECONDS = 15.0


class Writing:
    """The writer's process, of which there is one at any time, and what it has said."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.process: Process
        self.acknowledged = -1
        self.retries = 0
        self._lines: AsyncIterator[str]

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests.faults.drills.writer", self._dsn]
        self.process = await anyio.open_process(command, cwd=ROOT, stderr=None)
        assert self.process.stdout is not None
        self._lines = _lines(TextReceiveStream(self.process.stdout))

    async def wrote(self, count: int, *, begun_after: float = 0.0) -> None:
        """Wait until so many chunks were acknowledged that were begun after a moment of the monotonic clock."""
        with anyio.fail_after(60):
            while count:
                count -= await self._next() > begun_after

    async def _next(self) -> float:
        """The next chunk; when it was begun, or -1 for a line that tells of a retry."""
        word, *numbers = (await anext(self._lines)).split(" ")
        if word == "again":
            self.retries += 1
            return -1.0
        number, began = int(numbers[0]), float(numbers[1])
        assert number > self.acknowledged, "a chunk was written again: its checkpoint was lost"
        self.acknowledged = number
        return began

    async def read_out(self) -> None:
        """What was said before the end."""
        try:
            while True:
                await self._next()
        except StopAsyncIteration:
            with anyio.fail_after(20):
                await self.process.wait()


async def _lines(stream: TextReceiveStream) -> AsyncIterator[str]:
    text = ""
    async for piece in stream:
        *whole, text = (text + piece).split("\n")
        for line in whole:
            yield line


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[Writing]:
    current = Writing(dsn)
    await current.start()
    try:
        yield current
    finally:
        if current.process.returncode is None:
            current.process.kill()
        with anyio.move_on_after(10, shield=True):
            await current.process.wait()
            await current.process.aclose()


def backend_of(services: native.Services, dsn: str) -> int:
    """The process that serves the writer, as its title tells: the server's own view would need another backend."""
    database = urlsplit(dsn).path[1:]
    for each in processes.residents(services.data / "timescale"):
        try:
            title = Path(f"/proc/{each.pid}/cmdline").read_text()
        except OSError:
            continue
        if title.startswith(f"postgres: backbone {database} ") and " idle\0" not in f"{title}\0":
            return each.pid
    return 0


async def kill(turn: str, services: native.Services, dsn: str, current: Writing) -> bool:
    """Make one fault; whether there was something to kill."""
    if turn == "backend":
        with anyio.move_on_after(5.0):
            while not (found := backend_of(services, dsn)):  # noqa: ASYNC110 - the kernel tells nobody
                await anyio.sleep(0.001)
            os.kill(found, signal.SIGKILL)
            return True
        return False
    if turn == "server":
        services.kill("timescale")
        await services.restart("timescale")
        return True
    current.process.kill()
    await current.read_out()
    assert current.process.returncode == -signal.SIGKILL
    await current.process.aclose()
    await current.start()
    return True


async def test_50_kills_during_ingest_leave_the_rows_of_an_undisturbed_run(services: native.Services, dsn: str) -> None:
    chance = random.Random(SEED)
    recovery: dict[str, list[float]] = defaultdict(list)
    say(f"seed {SEED}: {KILLS} kills of {', '.join(TURNS)} in turn")
    async with writing(dsn) as current:
        for number in range(KILLS):
            await current.wrote(chance.randint(1, 4))
            await anyio.sleep(chance.uniform(0.0, 0.02))
            turn, began = TURNS[number % len(TURNS)], time.monotonic()
            assert await kill(turn, services, dsn, current), "no backend was at work: nothing was killed"
            await current.wrote(1, begun_after=began)
            recovery[turn].append(time.monotonic() - began)
            assert await connections(dsn, writer.NAME) <= writer.BOUNDS.most_connections
        current.process.send_signal(signal.SIGTERM)
        await current.read_out()
        assert current.process.returncode == 0
    say(f"{current.acknowledged + 1} chunks, {current.retries} retries; back at work: {spread(recovery)}")
    assert max(max(taken) for taken in recovery.values()) < RECOVERY_SECONDS
    assert current.retries, "no fault was ever felt: choose other moments"
    assert await no_connection_left(dsn, writer.NAME)
    store = store_of(dsn, "inspector")
    await store.open()
    found = await inspect(store, QUOTES)
    last = await last_chunk(store)
    await store.close()
    assert last == current.acknowledged
    other = await make_database(services, "timescale")
    expected = await undisturbed(other, current.acknowledged)
    await drop_database(services, other)
    say(f"{found.rows} rows, hash {found.table}; undisturbed {expected.rows} rows, hash {expected.table}")
    assert found == expected
