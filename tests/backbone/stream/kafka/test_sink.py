"""What sends to any topic, over a client that notes what it is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka import sink
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.identity import Seen
from backbone.stream.kafka.sink import KafkaSink
from backbone.stream.sink import Outgoing, TopicRefuses

SETTINGS = StreamSettings(batch_bytes=100_000)


class Sending:
    def __init__(self) -> None:
        self.sent: list[Mapping[TopicPartition, Sequence[Any]]] = []
        self.knows = True

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def follow(self, names: Collection[str]) -> None:
        pass

    async def seen(self, names: Collection[str]) -> dict[str, Seen]:
        return dict.fromkeys(names, Seen("id", 2)) if self.knows else {}

    async def send(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> dict[TopicPartition, int]:
        self.sent.append(batches)
        return dict.fromkeys(batches, 0)


async def test_k17_what_is_more_than_a_batch_goes_as_several_and_each_partition_keeps_its_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sending = Sending()
    monkeypatch.setattr(sink, "Sending", lambda *_: sending)
    records = [Outgoing(b"key-%d" % (n % 3), b"%02d" % n * 20_000, [("n", b"%d" % n)]) for n in range(20)]
    await KafkaSink(Connection.of(SETTINGS), timeout=5).publish("backbone.quotes", records)
    batches = [(place, batch) for each in sending.sent for place, batch in each.items()]
    assert max(sum(len(value) for _, value, _ in batch) for _, batch in batches) <= SETTINGS.batch_bytes
    for key in {each.key for each in records}:
        went = [value for _, batch in batches for each, value, _ in batch if each == key]
        assert went == [each.value for each in records if each.key == key]


async def test_a_topic_that_was_there_is_waited_for_a_while_and_one_that_never_was_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Brokers that have just started answer before they know of all that they have."""
    sending, clock = Sending(), Clock()
    monkeypatch.setattr(sink, "Sending", lambda *_: sending)
    monkeypatch.setattr("anyio.current_time", clock)
    made, record = KafkaSink(Connection.of(SETTINGS), timeout=5), [Outgoing(b"k", b"v")]
    await made.publish("there", record)
    await made.close()
    sending.knows = False
    for clock.now in (1.0, 20.0, 30.9):
        with pytest.raises(StreamUnavailable, match="which was there"):
            await made.publish("there", record)
    with pytest.raises(TopicRefuses, match="has no topic nowhere"):
        await made.publish("nowhere", record)
    clock.now = 31.0
    with pytest.raises(TopicRefuses, match="has no topic there"):
        await made.publish("there", record)
    sending.knows, clock.now = True, 40.0
    await made.publish("there", record)
    assert len(sending.sent) == 2


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now
