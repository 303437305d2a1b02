"""Supervised tasks, map, many mailboxes, many subscribers: each beside what a program without the runtime would use."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import anyio

from actors import ActorSystem, ChildSpec, Event
from tests.benchmarks.actors_tells import CAPACITY, Add, SyncCounter, Total, rates
from tests.benchmarks.measure import Watch, Work, interleave
from tests.benchmarks.report import Floor, Table

MAILBOXES = 1_000
SUBSCRIBERS = 100
LIMIT = 16  # calls at the same time


async def step(item: int = 0) -> int:
    """A function that waits once."""
    await asyncio.sleep(0)
    return item


def supervised(count: int) -> Work:
    """start_task and its result, one after the other."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            with watch:
                for number in range(count):
                    assert await (await system.start_task(step, number)).result() == number
        return count

    return lambda watch: asyncio.run(main(watch))


def bare(count: int) -> Work:
    """asyncio.create_task and its result."""

    async def main(watch: Watch) -> int:
        loop = asyncio.get_running_loop()
        with watch:
            for number in range(count):
                assert await loop.create_task(step(number)) == number
        return count

    return lambda watch: asyncio.run(main(watch))


def mapped(count: int, ordered: bool) -> Work:
    """system.map over `count` items."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            with watch:
                total = 0
                async for each in system.map(step, range(count), limit=LIMIT, ordered=ordered):
                    total += each
            assert total == sum(range(count))
        return count

    return lambda watch: asyncio.run(main(watch))


def grouped(count: int) -> Work:
    """A task for each item in an asyncio.TaskGroup, held back by a semaphore."""

    async def main(watch: Watch) -> int:
        room, total = asyncio.Semaphore(LIMIT), 0

        async def one(item: int) -> None:
            nonlocal total
            try:
                value = await step(item)
                total += value
            finally:
                room.release()

        with watch:
            async with asyncio.TaskGroup() as group:
                for item in range(count):
                    await room.acquire()
                    group.create_task(one(item))
        assert total == sum(range(count))
        return count

    return lambda watch: asyncio.run(main(watch))


def limited(count: int) -> Work:
    """A task for each item in an anyio task group, held back by a CapacityLimiter."""

    async def main(watch: Watch) -> int:
        limiter, total = anyio.CapacityLimiter(LIMIT), 0

        async def one(item: int) -> None:
            nonlocal total
            try:
                value = await step(item)
                total += value
            finally:
                limiter.release_on_behalf_of(item)

        with watch:
            async with anyio.create_task_group() as group:
                for item in range(count):
                    await limiter.acquire_on_behalf_of(item)
                    group.start_soon(one, item)
        assert total == sum(range(count))
        return count

    return lambda watch: asyncio.run(main(watch))


def into_many(count: int) -> Work:
    """tell, each to the next of a thousand actors."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            refs = [await system.start_child(ChildSpec(str(number), SyncCounter)) for number in range(MAILBOXES)]
            with watch:
                for number in range(count):
                    await refs[number % MAILBOXES].tell(Add())
                assert sum([await ref.ask(Total()) for ref in refs]) == count
        return count

    return lambda watch: asyncio.run(main(watch))


def into_queues(count: int) -> Work:
    """put, each into the next of a thousand queues with a reader."""

    async def main(watch: Watch) -> int:
        queues: list[asyncio.Queue[Add | None]] = [asyncio.Queue(CAPACITY) for _ in range(MAILBOXES)]
        total = 0

        async def consume(queue: asyncio.Queue[Add | None]) -> None:
            nonlocal total
            while (message := await queue.get()) is not None:
                total += message.amount

        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(consume(queue)) for queue in queues]
            await asyncio.sleep(0)
            with watch:
                for number in range(count):
                    await queues[number % MAILBOXES].put(Add())
                for queue in queues:
                    await queue.put(None)
                for reader in readers:
                    await reader
        assert total == count
        return count

    return lambda watch: asyncio.run(main(watch))


class Happened(Event, frozen=True, kw_only=True):
    """One event."""


def fanned_out(count: int) -> Work:
    """Events that a hundred subscribers read; a unit is one event at one subscriber."""

    async def main(watch: Watch) -> int:
        async with ActorSystem("bench") as system:
            subscriptions = [system.events.subscribe(Happened, capacity=count) for _ in range(SUBSCRIBERS)]
            event = Happened(path="/bench", at=datetime.now(UTC))

            async def read(number: int) -> None:
                for _ in range(count):
                    await anext(subscriptions[number])

            with watch:
                async with asyncio.TaskGroup() as group:
                    for number in range(SUBSCRIBERS):
                        group.create_task(read(number))
                    for sent in range(count):
                        system.events.publish(event)
                        if not sent % 64:
                            await asyncio.sleep(0)
        return count * SUBSCRIBERS

    return lambda watch: asyncio.run(main(watch))


def queued_out(count: int) -> Work:
    """The same events put into a hundred queues."""

    async def main(watch: Watch) -> int:
        queues: list[asyncio.Queue[Happened]] = [asyncio.Queue(count) for _ in range(SUBSCRIBERS)]
        event = Happened(path="/bench", at=datetime.now(UTC))

        async def read(queue: asyncio.Queue[Happened]) -> None:
            for _ in range(count):
                await queue.get()

        with watch:
            async with asyncio.TaskGroup() as group:
                for queue in queues:
                    group.create_task(read(queue))
                for sent in range(count):
                    for queue in queues:
                        queue.put_nowait(event)
                    if not sent % 64:
                        await asyncio.sleep(0)
        return count * SUBSCRIBERS

    return lambda watch: asyncio.run(main(watch))


def run(scale: float) -> tuple[list[Table], list[Floor]]:
    """Tasks, map, many mailboxes, many subscribers; none of them has a floor yet."""
    tasks, items, tells, events = (int(number * scale) for number in (2_000, 20_000, 100_000, 2_000))
    started = interleave({"start_task and result": supervised(tasks), "asyncio.create_task": bare(tasks)}, rounds=7)
    each = interleave(
        {
            "system.map": mapped(items, True),
            "system.map, unordered": mapped(items, False),
            "asyncio.TaskGroup and Semaphore": grouped(items),
            "anyio task group and CapacityLimiter": limited(items),
        },
        rounds=7,
    )
    many = interleave({"actors": into_many(tells), "asyncio.Queue": into_queues(tells)}, rounds=7)
    told = interleave({"system.events": fanned_out(events), "asyncio.Queue": queued_out(events)}, rounds=7)
    return [
        rates("A task, from its start to its result", started, "The bare one is neither supervised nor in a roster."),
        rates(f"A function for each item, {LIMIT} at a time", each, "The others collect nothing in order."),
        rates(f"tell into {MAILBOXES:,} mailboxes in turn", many),
        rates(f"One event to {SUBSCRIBERS} subscribers, for each of them", told, "Both bounded."),
    ], []
