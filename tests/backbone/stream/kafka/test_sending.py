"""Sending to brokers that answer, refuse, and say nothing; on the virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.kafka.connection import REQUEST_TIMEOUT, Connection
from backbone.stream.kafka.sending import Message, Sending

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)
Sent = dict[TopicPartition, bytes]


class Brokers:
    """Stands where the client does: takes requests, and answers as it is told.

    Attributes:
        leaders: of partitions, by the number of the broker.
        sent: what each request to write has brought.
        acks: that each of them asked for.
        codes: what the next requests are answered with, by Kafka's numbers; 0 once there are none left.
        failing: the next requests end so instead.
        silent: nothing is answered any more, and closing does not come to its end.
        gate: answers wait for it.
        refreshed: how often the leaders were asked for.
        away: nobody answers that.
        topics: that there are.
    """

    def __init__(self) -> None:
        self.leaders = {FIRST: 1, SECOND: 1}
        self.sent: list[Sent] = []
        self.acks: list[int] = []
        self.codes: list[int] = []
        self.failing: list[KafkaError] = []
        self.silent = False
        self.gate: anyio.Event | None = None
        self.refreshed = 0
        self.closed = self.away = False
        self.topics = {"t"}
        self.cluster = SimpleNamespace(
            partitions_for_topic=lambda topic: {0, 1} if topic in self.topics else None,
            brokers=lambda: [SimpleNamespace(nodeId=1), SimpleNamespace(nodeId=2)],
            leader_for_partition=self.leaders.get,
        )
        self._conns: dict[object, Any] = {}

    async def bootstrap(self) -> None:
        if self.silent:
            await anyio.sleep_forever()

    async def close(self) -> None:
        if self.silent:
            await anyio.sleep_forever()
        self.closed = True

    async def force_metadata_update(self) -> bool:
        self.refreshed += 1
        return not self.away

    async def send(self, broker: int, request: Any) -> Any:
        if not isinstance(request, ProduceRequest):
            return SimpleNamespace(error_code=0, producer_id=77, producer_epoch=3)
        self.sent.append(
            {TopicPartition(topic, number): data for topic, batches in request._topics for number, data in batches}
        )
        self.acks.append(request.required_acks)
        if self.failing:
            raise self.failing.pop(0)
        if self.silent:
            await anyio.sleep_forever()
        if self.gate is not None:
            await self.gate.wait()
        code = self.codes.pop(0) if self.codes else 0
        places = list(self.sent[-1])
        return SimpleNamespace(topics=[("t", [(place.partition, code, 40, -1, 0) for place in places])])


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    made = Brokers()
    monkeypatch.setattr("backbone.stream.kafka.sending.Client", lambda _: made)
    return made


async def started(**more: Any) -> Sending:
    settings = StreamSettings(backend="kafka", compression="none", **more)
    sending = Sending(Connection.of(settings), settings)
    await sending.start()
    return sending


def messages(count: int) -> Sequence[Message]:
    return [(b"key", b"value", [("name", b"text")]) for _ in range(count)]


def sequences(brokers: Brokers, place: TopicPartition) -> list[tuple[int, int, int]]:
    """Producer, epoch and sequence of each batch that was sent to a partition."""
    batches = [DefaultRecordBatch(bytearray(each[place])) for each in brokers.sent if place in each]
    return [(batch.producer_id, batch.producer_epoch, batch.base_sequence) for batch in batches]


async def test_k4_every_batch_asks_for_all_replicas_and_is_numbered(brokers: Brokers) -> None:
    sending = await started()
    await sending.send({FIRST: messages(3)})
    await sending.send({FIRST: messages(2), SECOND: messages(1)})
    await sending.send({FIRST: messages(1)})
    assert set(brokers.acks) == {-1}
    assert sequences(brokers, FIRST) == [(77, 3, 0), (77, 3, 3), (77, 3, 5)]
    assert sequences(brokers, SECOND) == [(77, 3, 0)]


@pytest.mark.parametrize("error", [KafkaConnectionError("gone"), NotLeaderForPartitionError()])
async def test_what_was_not_answered_is_sent_again_as_it_was(brokers: Brokers, error: KafkaError) -> None:
    sending = await started()
    brokers.failing = [error]
    assert await sending.send({FIRST: messages(3)}) == {FIRST: 40}
    assert brokers.sent[0] == brokers.sent[1]
    assert brokers.refreshed == 1
    await sending.send({FIRST: messages(1)})
    assert sequences(brokers, FIRST)[-1] == (77, 3, 3)


async def test_only_what_was_refused_for_now_is_sent_again(brokers: Brokers) -> None:
    brokers.leaders[SECOND] = 2
    sending = await started()
    brokers.codes = [6]  # NOT_LEADER_OR_FOLLOWER, to one of the two
    await sending.send({FIRST: messages(1), SECOND: messages(1)})
    assert sorted(len(each) for each in brokers.sent) == [1, 1, 1]


@pytest.mark.parametrize(
    ("code", "error"), [(10, MessageSizeTooLargeError), (45, OutOfOrderSequenceNumber)], ids=["size", "k2"]
)
async def test_k2_what_no_waiting_mends_is_raised_at_once(brokers: Brokers, code: int, error: type[KafkaError]) -> None:
    sending = await started()
    brokers.codes = [code]
    with pytest.raises(error, match="t, partition 0"):
        await sending.send({FIRST: messages(1)})
    assert len(brokers.sent) == 1


async def test_k6_a_batch_that_the_broker_has_already_counts_as_written(brokers: Brokers) -> None:
    sending = await started()
    brokers.codes = [46]
    await sending.send({FIRST: messages(2)})
    await sending.send({FIRST: messages(1)})
    assert sequences(brokers, FIRST)[-1] == (77, 3, 2)


async def test_a_leader_that_is_not_known_is_waited_for(brokers: Brokers) -> None:
    brokers.leaders[FIRST] = -1
    sending = await started()
    async with anyio.create_task_group() as group:
        group.start_soon(sending.send, {FIRST: messages(1)})
        await anyio.sleep(1)
        assert (brokers.sent, brokers.refreshed > 5) == ([], True)
        brokers.leaders[FIRST] = 2
    assert len(brokers.sent) == 1


async def test_brokers_that_are_gone_are_told_within_seconds_and_not_by_the_deadline_of_who_waits(
    brokers: Brokers,
) -> None:
    sending = await started()
    brokers.away, brokers.failing = True, [KafkaConnectionError("closed")] * 1000
    with anyio.fail_after(3), pytest.raises(KafkaConnectionError, match="no broker answers"):
        await sending.send({FIRST: messages(1)})


async def test_a_topic_that_is_lost_while_it_is_sent_to_is_told_within_seconds(brokers: Brokers) -> None:
    """As by a broker that came back empty: it would be waited for until the deadline, and nobody make it anew."""
    sending = await started()
    brokers.topics, brokers.leaders[FIRST] = set(), -1
    with anyio.fail_after(3), pytest.raises(UnknownTopicOrPartitionError, match=r"t$"):
        await sending.send({FIRST: messages(1)})


async def test_brokers_that_are_away_for_a_moment_get_the_batch_again_as_it_was(brokers: Brokers) -> None:
    sending = await started()
    brokers.away, brokers.failing = True, [KafkaConnectionError("closed")] * 5
    async with anyio.create_task_group() as group:
        group.start_soon(sending.send, {FIRST: messages(3)})
        await anyio.sleep(1)
        brokers.away = False
    assert len(set(map(str, brokers.sent))) == 1


async def test_brokers_that_are_away_for_a_moment_now_and_again_are_waited_for(brokers: Brokers) -> None:
    """As while one after the other is restarted: what counts is for how long nobody was there without a break."""
    sending = await started()
    brokers.failing = [KafkaConnectionError("closed")] * 1000
    async with anyio.create_task_group() as group:
        group.start_soon(sending.send, {FIRST: messages(3)})
        for _ in range(4):
            brokers.away = True
            await anyio.sleep(1)
            brokers.away = False
            await anyio.sleep(1)
        brokers.failing.clear()
    assert len(set(map(str, brokers.sent))) == 1


async def test_k5_it_returns_once_every_broker_has_acknowledged(brokers: Brokers) -> None:
    brokers.leaders[SECOND] = 2
    brokers.gate = anyio.Event()
    sending = await started()
    done = anyio.Event()

    async def send() -> None:
        await sending.send({FIRST: messages(1), SECOND: messages(1)})
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.sleep(1)
        assert (len(brokers.sent), done.is_set()) == (2, False)
        brokers.gate.set()
    assert done.is_set()


async def test_k1_a_deadline_ends_it_and_closing_does_not_hang(brokers: Brokers) -> None:
    sending = await started()
    brokers.silent = True
    with anyio.move_on_after(2) as deadline:
        await sending.send({FIRST: messages(1)})
    assert deadline.cancelled_caught
    began = anyio.current_time()
    await sending.close()
    assert anyio.current_time() - began <= 2


async def test_k1_starting_ends_by_its_deadline_too(brokers: Brokers) -> None:
    brokers.silent = True
    with anyio.move_on_after(REQUEST_TIMEOUT) as deadline:
        await started()
    assert deadline.cancelled_caught


async def test_who_is_under_way_when_it_is_closed_is_refused_and_connects_to_nobody_again(brokers: Brokers) -> None:
    sending = await started()
    brokers.leaders[FIRST] = -1

    async def send() -> None:
        with pytest.raises(StreamClosed):
            await sending.send({FIRST: messages(1)})

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.sleep(1)
        await sending.close()
        brokers.leaders[FIRST] = 1
    assert (brokers.sent, brokers.closed) == ([], True)
    with pytest.raises(StreamClosed):
        await sending.seen(["t"])


async def in_turn(sending: Sending, counts: Sequence[int], before: Callable[[], Any]) -> None:
    await sending.send_in_turn(
        [{FIRST: messages(count)} for count in counts], lambda message: message, before, apart=False
    )


async def nothing() -> None:
    return


async def test_rounds_are_sent_one_after_the_other_and_numbered_before_the_one_ahead_was_answered(
    brokers: Brokers,
) -> None:
    brokers.gate = anyio.Event()
    sending = await started()
    async with anyio.create_task_group() as group:
        group.start_soon(in_turn, sending, [3, 2, 1], nothing)
        await anyio.sleep(1)
        assert len(brokers.sent) == 1
        brokers.gate.set()
    assert sequences(brokers, FIRST) == [(77, 3, 0), (77, 3, 3), (77, 3, 5)]


async def test_nothing_is_sent_where_what_has_to_be_known_before_is_not_so(brokers: Brokers) -> None:
    async def fails() -> None:
        raise StreamUnavailable("the topic was made anew")

    sending = await started()
    with pytest.raises(StreamUnavailable, match="made anew"):
        await in_turn(sending, [1, 1], fails)
    assert brokers.sent == []


async def test_a_round_that_was_refused_for_good_is_followed_by_none(brokers: Brokers) -> None:
    sending = await started()
    brokers.codes = [0, 10]
    with pytest.raises(MessageSizeTooLargeError):
        await in_turn(sending, [1, 1, 1], nothing)
    assert len(brokers.sent) == 2
