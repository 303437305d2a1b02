"""The contract of the stream, held on Apache Kafka."""

from __future__ import annotations

import pytest

from backbone.services import native
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.kafka.wire import encoded
from backbone.stream.letters import Message
from backbone.stream.port import Doubting, Publisher, Start, Stream, Subscriber
from tests.contracts.conftest import publisher, subscriber  # noqa: F401  fixtures
from tests.contracts.test_stream import *  # noqa: F403
from tests.contracts.test_stream import TRADES, row, taken
from tests.services.brokers import make_topics, stream_settings
from tests.services.test_kafka_reading_faults import sent_raw

HUGE = 2**62


@pytest.fixture
async def settings(services: native.Services) -> StreamSettings:
    """Topics that nobody has used, of the four partitions that the contract speaks of."""
    settings = stream_settings(services, partitions=4)
    await make_topics(settings)
    return settings


@pytest.fixture
async def stream(settings: StreamSettings) -> Stream:
    stream = KafkaStream(settings)
    stream.hold_against(reached)
    return stream


async def reached(claimed: int) -> int:
    """Positions of the contract are below this, and that of others is not."""
    return 10**6


async def test_a_position_of_nobody_goes_to_the_letters_and_moves_no_place(
    settings: StreamSettings,
    stream: Stream,
    publisher: Publisher,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
) -> None:
    assert isinstance(stream, Doubting)
    early = await subscriber.cursor()
    await publisher.publish([row(1)])
    foreign = KafkaStream(settings).publisher()
    await foreign.open()
    await foreign.publish([row(HUGE)])
    await foreign.close()
    await publisher.publish([row(2)])
    assert await taken(early, 2) == [1, 2]
    assert early.place.position <= 2
    starts: dict[Start, int] = {0: 2, 1: 1, "earliest": 2, "latest": 0}
    for start, left in starts.items():
        late = await subscriber.cursor(after=start)
        await taken(late, left)
        assert late.place.position <= 2
    await publisher.publish([row(3)])
    assert await taken(late, 1) == [3]
    [letter] = subscriber.letters.waiting
    assert (letter.topic, letter.offset) == (settings.topic.format(dimension=row(1).dimension), 1)
    assert letter.reason == f"position {HUGE} given; the database has only come to 1000000"


async def test_who_begins_where_a_position_of_nobody_lies_last_is_not_led_astray(
    settings: StreamSettings,
    stream: Stream,
    publisher: Publisher,  # noqa: F811
) -> None:
    await publisher.publish([row(1)])
    foreign = KafkaStream(settings).publisher()
    await foreign.open()
    await foreign.publish([row(HUGE)])
    await foreign.close()
    another = stream.subscriber()
    await another.open()
    try:
        cursor = await another.cursor(after="latest")
        assert cursor.place.position <= 1
        await publisher.publish([row(2)])
        assert await taken(cursor, 1) == [2]
    finally:
        await another.close()


async def test_a_change_in_the_topic_of_another_dimension_goes_to_the_letters(
    services: native.Services,
    settings: StreamSettings,
    publisher: Publisher,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
) -> None:
    cursor, trades = await subscriber.cursor(), settings.topic.format(dimension=TRADES)
    key, value, headers = encoded(row(5))
    await sent_raw(services, trades, Message(key, value, tuple(headers)))
    await publisher.publish([row(4, dimension=TRADES), row(6)])
    assert await taken(cursor, 2) == [4, 6]
    assert [(each.topic, each.reason) for each in subscriber.letters.waiting] == [
        (trades, "a change of quotes given; this topic carries trades")
    ]
