"""tell: messages of one sender to one receiver, counted when the last one has been handled."""

from __future__ import annotations

import asyncio

import anyio
import pykka

from actors import Actor, ActorSystem, ChildSpec, Message, Request, handles
from tests.benchmarks.measure import Timing, Watch, Work, interleave
from tests.benchmarks.report import Floor, Table

CAPACITY = 1024


class Add(Message, gc=False):
    """One unit of work."""

    amount: int = 1


class Total(Request[int]):
    """How many there were."""


class SyncCounter(Actor):
    """Counts in a plain function."""

    def __init__(self) -> None:
        self.total = 0

    @handles
    def add(self, message: Add) -> None:
        """Count."""
        self.total += message.amount

    @handles
    def get(self, message: Total) -> int:
        """Say the count."""
        return self.total


class AsyncCounter(Actor):
    """Counts in a coroutine."""

    def __init__(self) -> None:
        self.total = 0

    @handles
    async def add(self, message: Add) -> None:
        """Count."""
        self.total += message.amount

    @handles
    async def get(self, message: Total) -> int:
        """Say the count."""
        return self.total


class PykkaCounter(pykka.ThreadingActor):
    """The same on a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: object) -> int | None:
        """Count, or say the count."""
        if isinstance(message, Add):
            self.total += message.amount
            return None
        return self.total


def actor_tells(kind: type[Actor], count: int) -> Work:
    """`count` tells, then an ask that sees them all handled."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            counter = await system.start_child(ChildSpec("counter", kind))
            with watch:
                for _ in range(count):
                    await counter.tell(Add())
                assert await counter.ask(Total()) == count
        return count

    return lambda watch: asyncio.run(main(watch))


def queue_puts(count: int) -> Work:
    """A bounded asyncio.Queue and a task that reads it."""

    async def main(watch: Watch) -> int:
        queue: asyncio.Queue[Add | None] = asyncio.Queue(CAPACITY)
        total = 0

        async def consume() -> None:
            nonlocal total
            while (message := await queue.get()) is not None:
                total += message.amount

        async with asyncio.TaskGroup() as group:
            reader = group.create_task(consume())
            with watch:
                for _ in range(count):
                    await queue.put(Add())
                await queue.put(None)
                await reader
        assert total == count
        return count

    return lambda watch: asyncio.run(main(watch))


def stream_sends(count: int) -> Work:
    """An anyio memory object stream and a task that reads it."""

    async def main(watch: Watch) -> int:
        send, receive = anyio.create_memory_object_stream[Add](CAPACITY)
        total = 0

        async def consume() -> None:
            nonlocal total
            async with receive:
                async for message in receive:
                    total += message.amount

        with watch:
            async with anyio.create_task_group() as group:
                group.start_soon(consume)
                async with send:
                    for _ in range(count):
                        await send.send(Add())
        assert total == count
        return count

    return lambda watch: asyncio.run(main(watch))


def pykka_tells(count: int) -> Work:
    """pykka, whose mailbox has no bound."""

    def main(watch: Watch) -> int:
        counter = PykkaCounter.start()
        try:
            with watch:
                for _ in range(count):
                    counter.tell(Add())
                assert counter.ask(Total()) == count
        finally:
            counter.stop()
        return count

    return main


def run(scale: float) -> tuple[list[Table], list[Floor]]:
    """tell beside the others."""
    many, fewer = int(300_000 * scale), int(60_000 * scale)
    timings = interleave(
        {
            "actors, sync handler": actor_tells(SyncCounter, many),
            "actors, async handler": actor_tells(AsyncCounter, many),
            "asyncio.Queue": queue_puts(many),
            "anyio stream": stream_sends(fewer),
            "pykka": pykka_tells(fewer),
        },
        rounds=7,
    )
    best = timings["actors, sync handler"].best_rate
    ratio = timings["actors, sync handler"].rate / timings["pykka"].rate
    return [rates("tell", timings)], [
        Floor("tell", ">= 1,000,000/s", f"{best:,.0f}/s", best >= 1e6),
        Floor("tell beside pykka", ">= 2x", f"{ratio:.1f}x", ratio >= 2),
    ]


def rates(title: str, timings: dict[str, Timing], note: str = "") -> Table:
    """A table of rates; the first contestant is the measure."""
    first = next(iter(timings.values()))
    rows = [
        (name, f"{each.rate:,.0f}", f"{each.best_rate:,.0f}", f"{1 / each.wall:,.0f}", f"{each.rate / first.rate:.2f}x")
        for name, each in timings.items()
    ]
    return Table(title, ("", "per CPU second", "best round", "per second elapsed", "ratio"), rows, note)
