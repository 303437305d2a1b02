"""Asks the brokers what there is: topics, their ids, and where partitions begin and end.

Over a connection of its own: on that of a fetch, which waits at the broker for records, an answer would wait as well.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, TypeVar

import anyio
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy

from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.client import Client
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.identity import Seen, seen

__all__ = ["ANSWER_TIMEOUT", "CLOSE_TIMEOUT", "READ_COMMITTED", "Inquirer", "abandoned", "offsets_of"]

ANSWER_TIMEOUT: Final = 3.0
"""Seconds until a broker that says nothing counts as away."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds that a client is given to end in order; some never do."""
READ_COMMITTED: Final = 1

_PAUSE: Final = 0.1  # seconds between looks for a leader

T = TypeVar("T")


class Inquirer:
    """One client, made anew after it gave no answer.

    Args:
        connection: where the brokers are.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: Client | None = None
        self._lock = anyio.Lock(fast_acquire=True)
        self._is_closed = False

    async def topics(self, names: Collection[str]) -> dict[str, Seen]:
        """Those of the topics that there are.

        Raises:
            StreamUnavailable: no broker answers.
        """
        return await self._asked(lambda client: seen(client, names))

    async def begins(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The oldest offset that each partition still has; of an empty one the next.

        Raises:
            StreamUnavailable: no broker answers.
        """
        return await self._asked(lambda client: _offsets(client, partitions, OffsetResetStrategy.EARLIEST))

    async def ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record of each partition gets.

        Raises:
            StreamUnavailable: no broker answers.
        """
        return await self._asked(lambda client: _offsets(client, partitions, OffsetResetStrategy.LATEST))

    async def close(self) -> None:
        """Let go of the client, and ask nothing any more."""
        self._is_closed = True
        await self._abandon()

    async def _abandon(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await abandoned(client.close)

    async def _asked(self, question: Callable[[AIOKafkaClient], Awaitable[T]]) -> T:
        async with self._lock:
            answered, why = False, f"no answer from {self._connection} within {ANSWER_TIMEOUT:g} s"
            try:
                with anyio.move_on_after(ANSWER_TIMEOUT):
                    answer = await question(await self._opened())
                    answered = True
                    return answer
            except (KafkaError, OSError) as error:
                why = f"{self._connection} can't be asked: {error}"
                raise StreamUnavailable(why) from error
            finally:
                if not answered or self._is_closed:
                    await self._abandon()
            raise StreamUnavailable(why)

    def require_open(self) -> None:
        """Refuse where it was closed: nothing would close another client.

        Raises:
            StreamUnavailable: it was.
        """
        if self._is_closed:
            raise StreamUnavailable("the subscriber is closed")

    async def _opened(self) -> AIOKafkaClient:
        self.require_open()
        if self._client is None:
            self._client = Client(self._connection)
            await self._client.bootstrap()
        return self._client


async def _offsets(
    client: AIOKafkaClient, partitions: Collection[TopicPartition], which: int
) -> dict[TopicPartition, int]:
    await client.set_topics({*(each.topic for each in partitions)})
    return await offsets_of(client, partitions, which)


async def offsets_of(
    client: AIOKafkaClient, partitions: Collection[TopicPartition], which: int
) -> dict[TopicPartition, int]:
    """Ask the leader of each, until all have answered; the caller has a deadline, and the client follows the topics."""
    offsets: dict[TopicPartition, int] = {}
    while missing := [each for each in partitions if each not in offsets]:
        try:
            for leader, asked in _by_leader(client, missing).items():
                offsets |= await _offsets_at(client, leader, asked, which)
        except KafkaError as error:
            if not error.retriable:
                raise
            await client.force_metadata_update()
            await anyio.sleep(_PAUSE)
    return offsets


def _by_leader(client: AIOKafkaClient, partitions: Collection[TopicPartition]) -> Mapping[int, list[TopicPartition]]:
    found: dict[int, list[TopicPartition]] = defaultdict(list)
    for each in partitions:
        leader = client.cluster.leader_for_partition(each)
        if leader in (None, -1):
            raise LeaderNotAvailableError(f"nobody leads partition {each.partition} of {each.topic}")
        found[leader].append(each)
    return found


async def _offsets_at(
    client: AIOKafkaClient, leader: int, partitions: Collection[TopicPartition], which: int
) -> dict[TopicPartition, int]:
    by_topic: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for each in partitions:
        by_topic[each.topic].append((each.partition, which))
    answer = await client.send(leader, OffsetRequest(-1, READ_COMMITTED, [*by_topic.items()]))
    offsets = {}
    for topic, listed in answer.topics:
        for partition, code, _, offset in listed:
            if code:
                raise for_code(code)(f"partition {partition} of {topic}")
            offsets[TopicPartition(topic, partition)] = offset
    return offsets


async def abandoned(*closings: Callable[[], Awaitable[None]]) -> None:
    """Have a client end, and wait for it no longer than a moment: where brokers are gone, it may never come back.

    A client that ends cancels what it has under way, and may hand that on as if its caller were cancelled.
    """
    for close in closings:
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            try:
                await close()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
