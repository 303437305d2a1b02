"""What a publisher sends and what it passes over, to brokers that keep what they are sent; on the virtual clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.identity import Seen
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.publisher import KafkaPublisher
from backbone.stream.topics import Topics
from tests.backbone.stream.kit import row

SETTINGS = StreamSettings(backend="kafka", compression="none", partitions=1)
TOPICS = Topics.of(SETTINGS)
BARS = "backbone.intraday_bars"


class Brokers:
    """Stands where the client does: topics of one partition, in which a batch is written once for each of its numbers.

    Attributes:
        ids: of the topics.
        silent: what is sent from now on is written, and not answered.
    """

    def __init__(self) -> None:
        self.ids = dict.fromkeys(TOPICS.needed, "first")
        self.silent = False
        self._log: dict[TopicPartition, list[bytes]] = {}
        self._numbers: dict[tuple[TopicPartition, int], int] = {}
        self._conns: dict[object, Any] = {}
        self.cluster = SimpleNamespace(
            brokers=lambda: [SimpleNamespace(nodeId=1)], leader_for_partition=lambda place: 1
        )

    async def bootstrap(self) -> None:
        return

    async def close(self) -> None:
        return

    async def set_topics(self, names: object) -> None:
        return

    async def send(self, broker: int, request: Any) -> Any:
        if isinstance(request, InitProducerIdRequest):
            return SimpleNamespace(error_code=0, producer_id=77, producer_epoch=3)
        if isinstance(request, ProduceRequest):
            return await self._written(request)
        if isinstance(request, FetchRequest):
            [(topic, [(partition, offset, _)])] = request.topics
            data = self._at(TopicPartition(topic, partition), offset)
            return SimpleNamespace(topics=[(topic, [(partition, 0, 0, 0, [], data)])])
        topics = {name: Seen(each, 2 if name == TOPICS.control else 1) for name, each in self.ids.items()}
        return SimpleNamespace(topics=topics)

    async def _written(self, request: Any) -> Any:
        answers = []
        for topic, batches in request._topics:
            for number, data in batches:
                place, batch = TopicPartition(topic, number), DefaultRecordBatch(bytearray(data))
                log = self._log.setdefault(place, [])
                offset = self._numbers.setdefault((place, batch.base_sequence), len(log))
                if offset == len(log):
                    log.append(data)
                answers.append((topic, [(number, 0, offset, -1, 0)]))
        if self.silent:
            await anyio.sleep_forever()
        return SimpleNamespace(topics=answers)

    def _at(self, place: TopicPartition, offset: int) -> bytes:
        """A batch as it is given back, with the offset that it got."""
        return offset.to_bytes(8, "big") + self._log[place][offset][8:]

    def positions(self, topic: str) -> list[int]:
        """Of the records of a topic, in order."""
        batches = [DefaultRecordBatch(bytearray(each)) for each in self._log.get(TopicPartition(topic, 0), [])]
        return [int(dict(record.headers)["position"]) for batch in batches for record in batch]


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    made = Brokers()
    monkeypatch.setattr("backbone.stream.kafka.sending.Client", lambda _: made)
    return made


async def opened() -> KafkaPublisher:
    publisher = KafkaPublisher(Connection.of(SETTINGS), TOPICS, SETTINGS)
    await publisher.open()
    return publisher


async def test_what_was_published_up_to_a_position_is_passed_over_that_position_included(brokers: Brokers) -> None:
    publisher = await opened()
    lacking = await publisher.resume(5, {f"{name}/first/1" for name in TOPICS.names})
    assert lacking == []
    await publisher.publish([row(n) for n in (4, 5, 6, 7)])
    assert brokers.positions(BARS) == [6, 7]


async def test_what_is_published_here_is_known_to_be_ours_before_anybody_reads_it(brokers: Brokers) -> None:
    """A reader of this process would ask the store for each change."""
    judge = Judge(TOPICS)
    asked: list[int] = []

    async def reached(claimed: int) -> int:
        asked.append(claimed)
        return 0

    judge.reached = reached
    publisher = KafkaPublisher(Connection.of(SETTINGS), TOPICS, SETTINGS, judge)
    await publisher.open()
    brokers.silent = True
    with anyio.move_on_after(1):
        await publisher.publish([row(6), row(7)])
    await judge.hear(7)
    assert asked == []
    await judge.hear(8)
    assert asked == [8]


async def test_a_topic_that_lacks_what_it_had_is_sent_all_of_it_and_the_others_nothing_again(brokers: Brokers) -> None:
    brokers.ids[BARS] = "second"
    publisher = await opened()
    assert await publisher.resume(5, {f"{name}/first/1" for name in TOPICS.names}) == [f"{BARS}/second/1"]
    await publisher.publish([row(n) for n in (1, 5, 6)])
    assert brokers.positions(BARS) == [1, 5, 6]


async def test_behind_a_beginning_nothing_up_to_its_position_is_sent(brokers: Brokers) -> None:
    publisher = await opened()
    await publisher.begin_again(5)
    await publisher.publish([row(n) for n in (5, 6)])
    assert brokers.positions(BARS) == [5, 6]  # the marker tells the first of these


async def test_a_probe_that_was_cut_short_while_its_record_was_out_is_no_failure_of_the_next(brokers: Brokers) -> None:
    publisher = await opened()
    assert (await publisher.probe()).healthy
    brokers.silent = True
    with anyio.move_on_after(1) as scope:
        await publisher.probe()
    assert scope.cancelled_caught
    brokers.silent = False
    for _ in range(3):
        answer = await publisher.probe()
        assert (answer.healthy, answer.degraded_reason) == (True, None)
