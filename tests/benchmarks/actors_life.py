"""Life and death: start_child until on_start has returned, and from a crash until the next incarnation answers."""

from __future__ import annotations

import asyncio
import logging

import anyio

from actors import Actor, ActorSystem, ChildSpec, Intensity, Message, Request, handles
from tests.benchmarks.actors_tells import CAPACITY, PykkaCounter, SyncCounter, Total, rates
from tests.benchmarks.measure import Watch, Work, interleave
from tests.benchmarks.report import Floor, Table


class Crash(Message):
    """Fail."""


class Life(Request[int]):
    """Which life is it."""


class Fragile(Actor):
    """Fails on demand."""

    @handles
    def crash(self, message: Crash) -> None:
        """Fail."""
        raise RuntimeError("on demand")

    @handles
    def life(self, message: Life) -> int:
        """Say which life it is."""
        return self.context.ref.incarnation


def actor_starts(count: int) -> Work:
    """start_child one after the other; each has run on_start when the next one begins."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            with watch:
                for number in range(count):
                    await system.start_child(ChildSpec(str(number), SyncCounter))
        return count

    return lambda watch: asyncio.run(main(watch))


def task_starts(count: int) -> Work:
    """A bare task with a queue of its own, awaited until it says that it runs."""

    async def main(watch: Watch) -> int:
        async def live(started: asyncio.Future[None], queue: asyncio.Queue[object]) -> None:
            started.set_result(None)
            await queue.get()

        loop, tasks = asyncio.get_running_loop(), []
        with watch:
            for _ in range(count):
                started: asyncio.Future[None] = loop.create_future()
                tasks.append(loop.create_task(live(started, asyncio.Queue(CAPACITY))))
                await started
        for task in tasks:
            task.cancel()
        return count

    return lambda watch: asyncio.run(main(watch))


def group_starts(count: int) -> Work:
    """A task of an anyio group with a stream of its own, started by TaskGroup.start."""

    async def main(watch: Watch) -> int:
        async def live(*, task_status: anyio.abc.TaskStatus[object]) -> None:
            send, receive = anyio.create_memory_object_stream[object](CAPACITY)
            async with send, receive:
                task_status.started(send)
                await receive.receive()

        async with anyio.create_task_group() as group:
            with watch:
                for _ in range(count):
                    await group.start(live)
            group.cancel_scope.cancel()
        return count

    return lambda watch: asyncio.run(main(watch))


def pykka_starts(count: int) -> Work:
    """A pykka actor, started and asked once: its start returns before it runs."""

    def main(watch: Watch) -> int:
        actors = []
        with watch:
            for _ in range(count):
                actors.append(PykkaCounter.start())
                actors[-1].ask(Total())
        for actor in actors:
            actor.stop()
        return count

    return main


def restarts(count: int) -> Work:
    """Tell it to crash, ask the next incarnation who it is: no backoff."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench", intensity=Intensity(restarts=count + 1)) as system:
            ref = await system.start_child(ChildSpec("fragile", Fragile))
            with watch:
                for number in range(count):
                    await ref.tell(Crash())
                    assert await ref.ask(Life()) == number + 2
        return count

    return lambda watch: asyncio.run(main(watch))


def pykka_restarts(count: int) -> Work:
    """pykka does not restart: the caller sees the crash and starts another."""

    def main(watch: Watch) -> int:
        with watch:
            for _ in range(count):
                actor = PykkaCounter.start()
                actor.ask(Total())
                actor.stop()
        return count

    return main


def run(scale: float) -> tuple[list[Table], list[Floor]]:
    """Starts and restarts."""
    logging.getLogger("actors").setLevel(logging.CRITICAL)
    logging.getLogger("pykka").setLevel(logging.CRITICAL)
    many = int(2_000 * scale)
    started = interleave(
        {
            "actors": actor_starts(many),
            "bare task and Queue": task_starts(many),
            "anyio TaskGroup.start and stream": group_starts(many),
            "pykka": pykka_starts(int(500 * scale)),
        },
        rounds=15,
    )
    again = interleave({"actors": restarts(int(2_000 * scale)), "pykka": pykka_restarts(int(500 * scale))}, rounds=5)
    starts, microseconds = started["actors"].best_rate, again["actors"].best * 1e6
    note = "pykka restarts nobody: there a new actor is started, asked and stopped. Without backoff; log lines off."
    return [
        rates("start_child, with its handshake", started),
        rates("From a crash to the next incarnation's first reply", again, note),
    ], [
        Floor("start_child with handshake", ">= 30,000/s", f"{starts:,.0f}/s", starts >= 3e4),
        Floor("crash to running", "<= 200 µs", f"{microseconds:.0f} µs", microseconds <= 200),
    ]
