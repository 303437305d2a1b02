"""What sends to any topic, over a client that notes what it is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka import sink
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.identity import Seen
from backbone.stream.kafka.sink import KafkaSink
from backbone.stream.sink import Outgoing

SETTINGS = StreamSettings(batch_bytes=100_000)


class Sending:
    def __init__(self) -> None:
        self.sent: list[Mapping[TopicPartition, Sequence[Any]]] = []

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def follow(self, names: Collection[str]) -> None:
        pass

    async def seen(self, names: Collection[str]) -> dict[str, Seen]:
        return dict.fromkeys(names, Seen("id", 2))

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
