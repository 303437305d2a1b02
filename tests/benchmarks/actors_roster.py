"""Ten thousand actors: what one idle actor weighs, and how long the roster of all takes."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tracemalloc
from collections.abc import Awaitable, Callable

import anyio

from actors import ActorSystem, ChildSpec
from tests.benchmarks.actors_tells import CAPACITY, SyncCounter
from tests.benchmarks.measure import Watch
from tests.benchmarks.report import Floor, Table


async def snapshots(count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of processor time: of the first snapshots after all actors changed, and where nothing did."""
    cold: list[float] = []
    warm: list[float] = []
    async with ActorSystem("bench") as system:
        refs = [await system.start_child(ChildSpec(str(number), SyncCounter)) for number in range(count)]
        for _ in range(rounds):
            for ref in refs:
                ref._cell.entry = None
            for taken in (cold, warm):
                gc.collect()
                watch = Watch()
                with watch:
                    snapshot = system.roster()
                taken.append(watch.cpu * 1000)
                assert len(snapshot.entries) == count + 1
    return cold, warm


async def _weigh(count: int, make: Callable[[int], Awaitable[object]]) -> float:
    kept = [await make(-number) for number in range(1, 101)]  # what is made once is not counted
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept += [await make(number) for number in range(count)]
    await asyncio.sleep(0)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / count


async def actor_bytes(count: int) -> float:
    """An actor that has started and waits; spec and ref included."""
    async with ActorSystem("bench") as system:
        return await _weigh(count, lambda number: system.start_child(ChildSpec(str(number), SyncCounter)))


async def task_bytes(count: int) -> float:
    """A bare task that waits on a queue of its own."""
    tasks: list[asyncio.Task[object]] = []

    async def make(number: int) -> object:
        queue: asyncio.Queue[object] = asyncio.Queue(CAPACITY)
        tasks.append(asyncio.get_running_loop().create_task(queue.get()))
        await asyncio.sleep(0)
        return queue

    weight = await _weigh(count, make)
    for task in tasks:
        task.cancel()
    return weight


async def stream_bytes(count: int) -> float:
    """A task of an anyio group that waits on a stream of its own."""
    async with anyio.create_task_group() as group:

        async def make(number: int) -> object:
            send, receive = anyio.create_memory_object_stream[object](CAPACITY)
            group.start_soon(_receive, receive)
            await asyncio.sleep(0)
            return send

        weight = await _weigh(count, make)
        group.cancel_scope.cancel()
    return weight


async def _receive(stream: anyio.abc.ObjectReceiveStream[object]) -> None:
    async with stream:
        await stream.receive()


def run(scale: float) -> tuple[list[Table], list[Floor]]:
    """Memory and roster."""
    many = int(10_000 * scale)
    cold, warm = asyncio.run(snapshots(many, rounds=21))
    weights = {
        "actors": asyncio.run(actor_bytes(many)),
        "bare task and Queue": asyncio.run(task_bytes(many)),
        "anyio group task and stream": asyncio.run(stream_bytes(many)),
    }
    actor = weights["actors"]
    rows = [(name, f"{each:,.0f}", f"{each / actor:.2f}x") for name, each in weights.items()]
    note = (
        "Python objects by tracemalloc, ref and spec included. A pykka actor is a thread with its stack: not counted."
    )
    shots = [
        (name, f"{statistics.median(taken):.1f}", f"{min(taken):.1f}")
        for name, taken in (("all have changed since the last one", cold), ("nothing has changed", warm))
    ]
    return [
        Table("Memory of one idle actor", ("", "bytes", "ratio"), rows, note),
        Table(f"Roster of {many:,} actors", ("", "ms of processor time", "best round"), shots),
    ], [
        Floor("idle actor", "<= 3,000 bytes", f"{actor:,.0f} bytes", actor <= 3000),
        Floor("roster of 10,000 actors", "<= 20 ms", f"{min(cold):.1f} ms", min(cold) <= 20),
    ]
