"""Bare consumers of aiokafka beside subscriptions: one for each who waits, for a consumer hands out to one alone."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from aiokafka import AIOKafkaConsumer

from backbone import Backbone
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.connection import Connection

__all__ = ["CONSUMERS", "Bare", "measured"]

CONSUMERS = 20


class Bare:
    """Consumers of the topic of quotes, each of which sees all that comes and looks for what it wants itself."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._open: list[Any] = []
        self.seen = 0
        self._changed = anyio.Event()

    async def open(self, count: int) -> None:
        """Connect so many, and have each of them at the end of its partitions."""
        for _ in range(count):
            consumer = AIOKafkaConsumer(
                self._settings.topic.format(dimension="quotes"),
                **Connection.of(self._settings).client(),
                auto_offset_reset="latest",
                enable_auto_commit=False,
            )
            await consumer.start()
            self._open.append(consumer)
            for place in consumer.assignment():
                await consumer.position(place)

    async def follow(self, consumer: int) -> None:
        """Count what comes, until cancelled."""
        async for _ in self._open[consumer]:
            self.seen += 1
            self._changed.set()
            self._changed = anyio.Event()

    async def wait_for(self, count: int) -> None:
        """Until all of them together have seen so many records."""
        with anyio.fail_after(300):
            while self.seen < count:
                await self._changed.wait()

    async def close(self) -> None:
        """Let go of all of them."""
        for each in self._open:
            await each.stop()


async def measured(
    settings: StreamSettings,
    backbone: Backbone,
    idle: Callable[[], Awaitable[float]],
    changes: Callable[[Backbone], Awaitable[float]],
    count: int,
) -> tuple[float, float, float]:
    """What so many of them cost.

    Args:
        settings: of the stream.
        backbone: publishes to it.
        idle: the share of a core that this process takes while nothing comes.
        changes: records `count` changes; seconds on a core for each.
        count: of changes.

    Returns:
        Share of a core of all of them while nothing comes, seconds on a core to open one, and for one change until all
        of them have it.
    """
    bare, began = Bare(settings), time.process_time()
    try:
        await bare.open(CONSUMERS)
        opening = (time.process_time() - began) / CONSUMERS
        async with anyio.create_task_group() as group:
            for number in range(CONSUMERS):
                group.start_soon(bare.follow, number)
            share, began = await idle(), time.process_time()
            await changes(backbone)
            await bare.wait_for(CONSUMERS * count)
            change = (time.process_time() - began) / count
            group.cancel_scope.cancel()
    finally:
        await bare.close()
    return share, opening, change
