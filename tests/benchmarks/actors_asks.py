"""ask: request and reply with a deadline, by one client and by fifty at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from actors import Actor, ActorSystem, ChildSpec
from tests.benchmarks.actors_tells import CAPACITY, AsyncCounter, PykkaCounter, SyncCounter, Total, rates
from tests.benchmarks.measure import Watch, Work, interleave
from tests.benchmarks.report import Floor, Table

_DEADLINE = 5.0


async def _clients(watch: Watch, one: Callable[[], Awaitable[Any]], clients: int, count: int) -> int:
    async def client() -> None:
        for _ in range(count // clients):
            await one()

    with watch:
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())
    return count // clients * clients


def actor_asks(kind: type[Actor], count: int, clients: int = 1) -> Work:
    """`ask(timeout=5)`."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            counter = await system.start_child(ChildSpec("counter", kind))
            return await _clients(watch, lambda: counter.ask(Total(), timeout=_DEADLINE), clients, count)

    return lambda watch: asyncio.run(main(watch))


def queue_asks(count: int, clients: int = 1) -> Work:
    """A queue of futures, each awaited under asyncio.timeout."""

    async def main(watch: Watch) -> int:
        queue: asyncio.Queue[asyncio.Future[int]] = asyncio.Queue(CAPACITY)
        loop = asyncio.get_running_loop()

        async def serve() -> None:
            while True:
                (await queue.get()).set_result(0)

        async def one() -> int:
            reply: asyncio.Future[int] = loop.create_future()
            async with asyncio.timeout(_DEADLINE):
                await queue.put(reply)
                return await reply

        server = loop.create_task(serve())
        done = await _clients(watch, one, clients, count)
        server.cancel()
        return done

    return lambda watch: asyncio.run(main(watch))


def stream_asks(count: int, clients: int = 1) -> Work:
    """A stream of events and slots, each awaited under fail_after."""

    async def main(watch: Watch) -> int:
        send, receive = anyio.create_memory_object_stream[tuple[anyio.Event, list[int]]](CAPACITY)

        async def serve() -> None:
            async with receive:
                async for event, slot in receive:
                    slot.append(0)
                    event.set()

        async def one() -> int:
            event, slot = anyio.Event(), list[int]()
            with anyio.fail_after(_DEADLINE):
                await send.send((event, slot))
                await event.wait()
            return slot[0]

        async with anyio.create_task_group() as group, send:
            group.start_soon(serve)
            done = await _clients(watch, one, clients, count)
        return done  # noqa: RET504 - the group might have swallowed what was raised, says mypy

    return lambda watch: asyncio.run(main(watch))


def pykka_asks(count: int) -> Work:
    """pykka's ask with a timeout."""

    def main(watch: Watch) -> int:
        counter = PykkaCounter.start()
        try:
            with watch:
                for _ in range(count):
                    counter.ask(Total(), timeout=_DEADLINE)
        finally:
            counter.stop()
        return count

    return main


def run(scale: float) -> tuple[list[Table], list[Floor]]:
    """ask beside the others."""
    many, fewer = int(60_000 * scale), int(15_000 * scale)
    one = interleave(
        {
            "actors, sync handler": actor_asks(SyncCounter, many),
            "actors, async handler": actor_asks(AsyncCounter, many),
            "asyncio.Queue + Future": queue_asks(many),
            "anyio stream + Event": stream_asks(fewer),
            "pykka": pykka_asks(fewer),
        },
        rounds=7,
    )
    fifty = interleave(
        {
            "actors, sync handler": actor_asks(SyncCounter, many, 50),
            "actors, async handler": actor_asks(AsyncCounter, many, 50),
            "asyncio.Queue + Future": queue_asks(many, 50),
            "anyio stream + Event": stream_asks(fewer, 50),
        },
        rounds=5,
    )
    best = one["actors, sync handler"].best_rate
    ratio = one["actors, sync handler"].rate / one["pykka"].rate
    note = "Every ask has a deadline of 5 s."
    return [rates("ask", one, note), rates("ask, 50 clients at once", fifty, note)], [
        Floor("ask with a deadline", ">= 100,000/s", f"{best:,.0f}/s", best >= 1e5),
        Floor("ask beside pykka", ">= 2x", f"{ratio:.1f}x", ratio >= 2),
    ]
