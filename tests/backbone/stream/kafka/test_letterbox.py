"""By which client dead letters go: one for as long as their owner has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.store.records import DeadLetter
from backbone.stream.errors import StreamClosed, StreamUnavailable
from backbone.stream.kafka import sink
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.identity import Seen
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.subscriber import KafkaSubscriber
from backbone.stream.letters import Message
from backbone.stream.topics import Topics

SETTINGS = StreamSettings()
TOPICS = Topics.of(SETTINGS)
LETTER = DeadLetter("backbone", "backbone.quotes", 0, 5, "no frame", Message(b"S", b"x").packed(), datetime.now(UTC))


class Sending:
    """Stands where a client does, and notes which of them are open."""

    made: list[Sending]

    def __init__(self, *_: object) -> None:
        self.topics: list[str] = []
        self.is_open = False
        self.made.append(self)

    async def start(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def follow(self, names: Collection[str]) -> None:
        pass

    async def seen(self, names: Collection[str]) -> dict[str, Seen]:
        return dict.fromkeys(names, Seen("id", 2))

    async def send(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> dict[TopicPartition, int]:
        if not self.is_open:
            raise StreamUnavailable("it was closed")
        self.topics += [place.topic for place in batches]
        return dict.fromkeys(batches, 0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Sending]:
    class Mine(Sending):
        made: list[Sending] = []  # noqa: RUF012  one for each test

    monkeypatch.setattr(sink, "Sending", Mine)
    return Mine.made


async def test_all_letters_go_by_one_client_which_ends_with_its_owner(made: list[Sending]) -> None:
    subscriber = KafkaSubscriber(Connection.of(SETTINGS), TOPICS, Judge(TOPICS))
    assert made == []
    for _ in range(3):
        assert await subscriber.pass_on([LETTER]) == 0
    await subscriber.send_back([LETTER])
    [client] = made
    assert client.topics == [*[TOPICS.dead_letters] * 3, LETTER.topic]
    assert client.is_open
    await subscriber.close()
    assert not client.is_open


async def test_who_was_closed_connects_for_no_letter_again(made: list[Sending]) -> None:
    subscriber = KafkaSubscriber(Connection.of(SETTINGS), TOPICS, Judge(TOPICS))
    await subscriber.close()
    for send in (subscriber.pass_on, subscriber.send_back):
        with pytest.raises(StreamClosed):
            await send([LETTER])
    assert made == []
