"""The lease of a shared stream on the real server: one process holds it, and another one takes over."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from backbone.domain.lapse import LAPSE, TRY
from backbone.store.errors import FencedOut
from backbone.store.timescale import TimescaleStore
from tests.services.clients import ROOT
from tests.services.stores import opened

SINK = "kafka"


@asynccontextmanager
async def holding(dsn: str) -> AsyncIterator[tuple[Process, BufferedByteReceiveStream]]:
    """Another process that has the lease."""
    command = [sys.executable, "-m", "tests.services.holding_a_lease", SINK]
    process = await anyio.open_process(command, cwd=ROOT, stderr=None)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send(f"{dsn}\n".encode())
        said = BufferedByteReceiveStream(process.stdout)
        assert await said.receive_until(b"\n", 100) == b"held 1"
        yield process, said
    finally:
        await end(process)


async def end(process: Process) -> None:
    """End it, also where it is frozen, or has ended."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.aclose()


async def taken_over(store: TimescaleStore) -> int:
    """Try as a standby does."""
    while True:
        epoch = await store.lease(SINK, 0)
        if epoch is not None:
            return epoch
        await anyio.sleep(TRY)


async def test_one_has_it_until_it_leaves_and_the_next_one_has_a_greater_epoch(store: TimescaleStore, dsn: str) -> None:
    async with opened(dsn) as other:
        assert await store.lease(SINK, 0) == 1
        assert await other.lease(SINK, 0) is None
        assert await store.lease(SINK, 0) == 1
        assert await other.lease("another sink", 0) == 1
        assert await other.lease(SINK, 1) == 1
        await store.leave(SINK, 0)
        assert await taken_over(other) == 2
        assert await store.lease(SINK, 0) is None


async def test_who_held_it_before_can_not_move_the_cursor(store: TimescaleStore, dsn: str) -> None:
    async with opened(dsn) as other:
        assert await store.lease(SINK, 0) == 1
        await store.advance(SINK, 0, 5, 1)
        await store.leave(SINK, 0)
        assert await taken_over(other) == 2
        with pytest.raises(FencedOut):
            await store.advance(SINK, 0, 9, 1)
        assert await other.cursor(SINK, 0) == 5
        await other.advance(SINK, 0, 9, 2)


async def test_a_store_that_was_closed_or_let_go_of_has_it_no_more(store: TimescaleStore, dsn: str) -> None:
    async with opened(dsn) as other:
        assert await other.lease(SINK, 0) == 1
        other.let_go()
        assert await taken_over(store) == 2
    async with opened(dsn) as another:
        await store.leave(SINK, 0)
        assert await taken_over(another) == 3
    assert await taken_over(store) == 4


async def test_a_process_that_was_killed_is_followed_within_a_second(store: TimescaleStore, dsn: str) -> None:
    async with holding(dsn) as (process, _):
        assert await store.lease(SINK, 0) is None
        process.kill()
        with anyio.fail_after(1.0):
            assert await taken_over(store) == 2


async def test_a_process_that_is_frozen_is_put_out_and_finds_that_out(store: TimescaleStore, dsn: str) -> None:
    async with holding(dsn) as (process, said):
        process.send_signal(signal.SIGSTOP)
        with anyio.fail_after(LAPSE + 1.0):
            assert await taken_over(store) == 2
        process.send_signal(signal.SIGCONT)
        with anyio.fail_after(10):
            assert await said.receive_until(b"\n", 100) == b"lost fenced"
        assert await store.cursor(SINK, 0) == 0


async def test_a_database_that_was_set_back_behind_the_epoch_ends_it(store: TimescaleStore, dsn: str) -> None:
    assert await store.lease(SINK, 0) == 1
    await store._database.run(lambda session: session.change("UPDATE telemetry.cursors SET epoch = 0"))
    assert await store.lease(SINK, 0) is None
    assert await taken_over(store) == 1
