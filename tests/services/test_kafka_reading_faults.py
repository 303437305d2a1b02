"""Kafka is killed, frozen, emptied and fed with rubbish under who reads: nothing hangs, is lost, or comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import anyio
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from backbone.domain.hashing import partition_of
from backbone.services import native
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import PositionGone, StreamSetBack, StreamUnavailable
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.letters import Message
from backbone.stream.port import Cursor, Publisher, Start, Subscriber
from backbone.stream.records import Place, Record
from tests.contracts.test_stream import Row, positions, row
from tests.services import clients
from tests.services.brokers import QUOTES, make_topics, stream_settings
from tests.services.conftest import serving

T = TypeVar("T", Publisher, Subscriber)

PATIENCE = 60.0
FROZEN_SECONDS = 15.0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """A broker of the module's own, which it may break."""
    yield from serving(["kafka"], tmp_path_factory.mktemp("kafka"))


@pytest.fixture(autouse=True)
async def running(services: native.Services) -> None:
    """Whatever the test before did to it."""
    await services.restart("kafka")


class Made(NamedTuple):
    """A stream with its own topics, what publishes to it and what reads it."""

    settings: StreamSettings
    stream: KafkaStream
    publisher: Publisher
    subscriber: Subscriber

    @property
    def topic(self) -> str:
        return self.settings.topic.format(dimension=QUOTES.value)


@asynccontextmanager
async def made(services: native.Services, **more: Any) -> AsyncIterator[Made]:
    settings = stream_settings(services, **{"partitions": 2, "compression": "gzip", **more})
    await make_topics(settings)
    stream = KafkaStream(settings)
    async with opened(stream.publisher) as publisher, opened(stream.subscriber) as subscriber:
        yield Made(settings, stream, publisher, subscriber)


@asynccontextmanager
async def opened(make: Callable[[], T]) -> AsyncIterator[T]:
    """Open it, on brokers that may just have started: another one after each failure."""
    with anyio.fail_after(PATIENCE):
        while True:
            one = make()
            try:
                await one.open()
                break
            except StreamUnavailable:
                await one.close()
                await anyio.sleep(0.1)
    try:
        yield one
    finally:
        await one.close()


async def published(stream: KafkaStream, rows: Sequence[Row]) -> None:
    """Send as the relay does: by another publisher after each failure, until all is acknowledged."""
    while True:
        publisher = stream.publisher()
        try:
            with anyio.fail_after(10):
                await publisher.open()
                await publisher.publish(rows)
                return
        except (StreamUnavailable, TimeoutError):
            await anyio.sleep(0.1)
        finally:
            await publisher.close()


async def read(cursor: Cursor, count: int) -> list[Record]:
    """So many records, over whatever happens to the brokers."""
    found: list[Record] = []
    with anyio.fail_after(PATIENCE):
        while len(found) < count:
            try:
                found += await cursor.poll(timeout=1.0)
            except StreamUnavailable:
                await anyio.sleep(0.1)
    return found


async def told(cursor: Cursor) -> str:
    """What it says once it notices that nobody answers."""
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                await cursor.poll(timeout=0.5)
            except StreamUnavailable as error:
                return str(error)


async def sent_raw(services: native.Services, topic: str, *messages: Message, partition: int = 0) -> list[int]:
    """Put messages of others into a partition; returns their offsets."""
    producer = AIOKafkaProducer(**clients.broker(services), acks="all")
    await producer.start()
    try:
        return [
            (
                await producer.send_and_wait(
                    topic, each.value, key=each.key, partition=partition, headers=list(each.headers)
                )
            ).offset
            for each in messages
        ]
    finally:
        await producer.stop()


def symbol_in(partition: int, partitions: int = 2) -> str:
    return next(each for each in ("A", "B", "C", "D", "E", "F") if partition_of(each, partitions) == partition)


async def test_killed_and_started_again_a_reader_goes_on_where_it_was(services: native.Services) -> None:
    async with made(services) as each:
        cursor = await each.subscriber.cursor(dimension=QUOTES)
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(1, 101)])
        found = await read(cursor, 100)
        services.kill("kafka")
        assert await told(cursor)
        await services.restart("kafka")
        await published(each.stream, [row(n, f"S{n % 5}") for n in range(51, 201)])
        found += await read(cursor, 100)
        assert sorted(positions(found)) == list(range(1, 201))
        assert await cursor.poll(timeout=0) == []


async def test_frozen_brokers_are_told_and_what_comes_afterwards_comes_once(services: native.Services) -> None:
    async with made(services) as each:
        cursor = await each.subscriber.cursor()
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(1, 101)])
        found = await read(cursor, 100)
        services.freeze("kafka")
        try:
            with anyio.fail_after(FROZEN_SECONDS):
                await told(cursor)
            with pytest.raises(StreamUnavailable):
                await each.subscriber.cursor(after="latest")
        finally:
            services.thaw("kafka")
        await published(each.stream, [row(n, f"S{n % 5}") for n in range(101, 201)])
        found += await read(cursor, 200 - len(found))
        assert sorted(positions(found)) == list(range(1, 201))


async def test_brokers_that_are_away_are_told_where_a_subscriber_opens(services: native.Services) -> None:
    async with made(services) as each:
        services.kill("kafka")
        another = each.stream.subscriber()
        with anyio.fail_after(10), pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1"):
            await another.open()
        await another.close()
        await services.restart("kafka")
        async with opened(each.stream.subscriber) as later:
            assert later.generation


async def test_a_topic_that_was_made_anew_is_read_from_where_the_reader_was(services: native.Services) -> None:
    async with made(services) as each:
        cursor = await each.subscriber.cursor(dimension=QUOTES)
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(1, 101)])
        found = await read(cursor, 100)
        await cursor.poll(timeout=0)
        place, generation = cursor.place, each.subscriber.generation
        async with clients.admin(services, "admin") as admin:
            await admin.delete_topics([each.topic])
        assert each.topic in await told(cursor)
        await make_topics(each.settings)
        await published(each.stream, [row(n, f"S{n % 5}") for n in range(1, 201)])
        found += await read(cursor, 100)
        assert sorted(positions(found)) == list(range(1, 201))
        assert each.subscriber.generation != generation
        again = await each.subscriber.cursor(dimension=QUOTES, after=place)
        assert sorted(positions(await read(again, 100))) == list(range(101, 201))


async def test_where_a_topic_made_anew_begins_later_the_outbox_is_asked(services: native.Services) -> None:
    async with made(services) as each:
        cursor = await each.subscriber.cursor(dimension=QUOTES)
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(1, 11)])
        await read(cursor, 10)
        await cursor.poll(timeout=0)
        async with clients.admin(services, "admin") as admin:
            await admin.delete_topics([each.topic])
        assert await told(cursor)
        await make_topics(each.settings)
        await published(each.stream, [row(n, f"S{n % 5}") for n in range(21, 31)])
        with pytest.raises(PositionGone) as gone:
            await read(cursor, 1)
        assert (gone.value.position, gone.value.first_position) == (10, 21)
        await cursor.seek(Place(20))
        assert sorted(positions(await read(cursor, 10))) == list(range(21, 31))


async def test_records_that_kafka_has_deleted_are_in_the_outbox_only(services: native.Services) -> None:
    async with made(services) as each:
        symbol = symbol_in(0)
        begin = (await each.subscriber.cursor(dimension=QUOTES)).place
        await each.publisher.publish([row(n, symbol) for n in range(1, 11)])
        place = TopicPartition(each.topic, 0)
        async with clients.admin(services, "admin") as admin:
            await admin.delete_records({place: RecordsToDelete(6)})
        process = KafkaStream(each.settings)  # of its own: the client of this one has fetched them
        async with opened(process.subscriber) as another:
            starts: list[Start | Place] = [begin, 2]
            for after in starts:
                cursor = await another.cursor(dimension=QUOTES, after=after)
                with pytest.raises(PositionGone) as gone:
                    await read(cursor, 1)
                assert gone.value.first_position == 7
                await cursor.seek(Place(6))
                assert positions(await read(cursor, 4)) == [7, 8, 9, 10]
            assert positions(await read(await another.cursor(after="earliest"), 4)) == [7, 8, 9, 10]


POISON = (
    Message(b"A", b"{not json", ()),
    Message(b"A", None, ()),
    Message(b"\xff\xfe", b"\x00" * 100, (("position", b"1"),)),
    Message(b"A", b"rows", (("content-type", b"application/vnd.apache.arrow.stream"), ("position", b"-1"))),
    Message(b"\x1b[31mA", b"x", (("content-type", b"text/plain"), ("event_id", b"\x1b]0;evil\x07"))),
)


async def test_poison_in_the_midst_stops_nobody_and_is_kept_with_where_it_lay(services: native.Services) -> None:
    async with made(services) as each:
        symbol, partition = symbol_in(1), 1
        before = await each.subscriber.cursor(dimension=QUOTES)
        await each.publisher.publish([row(1, symbol), row(2, symbol)])
        offsets = await sent_raw(services, each.topic, *POISON, partition=partition)
        await each.publisher.publish([row(3, symbol), row(4, symbol)])
        assert positions(await read(before, 4)) == [1, 2, 3, 4]
        letters = each.subscriber.letters.waiting
        assert [(letter.topic, letter.partition, letter.offset) for letter in letters] == [
            (each.topic, partition, offset) for offset in offsets
        ]
        assert [Message.unpacked(letter.payload) for letter in letters] == list(POISON)
        assert all(letter.reason for letter in letters)
        after = await each.subscriber.cursor(dimension=QUOTES, after=2)
        assert positions(await read(after, 2)) == [3, 4]


async def test_a_reader_that_comes_later_keeps_poison_that_it_passes_too(services: native.Services) -> None:
    async with made(services) as each:
        symbol = symbol_in(1)
        await each.publisher.publish([row(1, symbol)])
        await sent_raw(services, each.topic, *POISON, partition=1)
        await each.publisher.publish([row(2, symbol)])
        async with opened(each.stream.subscriber) as another:
            assert positions(await read(await another.cursor(dimension=QUOTES), 2)) == [1, 2]
            assert len(another.letters.waiting) == len(POISON)


async def test_a_dead_letter_that_is_sent_back_lies_in_its_topic_again_and_is_handed_out_where_it_can_be_read(
    services: native.Services,
) -> None:
    async with made(services) as each:
        symbol = symbol_in(1)
        cursor = await each.subscriber.cursor(dimension=QUOTES)
        await each.publisher.publish([row(n, symbol) for n in range(1, 4)])
        [first, *_] = await read(cursor, 3)
        assert each.subscriber.set_aside(first, "no frame")
        [letter] = each.subscriber.letters.waiting
        assert await each.subscriber.send_back([letter]) == 1  # its rows are still none
        assert positions(await read(cursor, 1)) == [1]


async def test_a_damaged_batch_is_passed_over_and_the_partition_goes_on_behind_it(services: native.Services) -> None:
    async with made(services, compression="none", partitions=1) as each:
        await each.publisher.publish([row(n) for n in range(1, 4)])
        await each.publisher.publish([msgspec.structs.replace(row(n), payload=b"damage me %d" % n) for n in (4, 5)])
        await each.publisher.publish([row(n) for n in range(6, 9)])
        damaged = damage(services, each.topic, b"damage me 4")
        assert damaged == 1
        async with opened(each.stream.subscriber) as another:
            cursor = await another.cursor(dimension=QUOTES)
            assert positions(await read(cursor, 6)) == [1, 2, 3, 6, 7, 8]
            letters = another.letters.waiting
            assert [(letter.partition, letter.offset) for letter in letters] == [(0, 3), (0, 4)]
            assert "damaged batch" in letters[0].reason


def damage(services: native.Services, topic: str, text: bytes) -> int:
    """Turn a letter of a text in the broker's files, as a disk may; returns in how many."""
    count = 0
    for path in services.data.rglob(f"{topic}-*/*.log"):
        content = path.read_bytes()
        if (at := content.find(text)) >= 0:
            with path.open("r+b") as file:
                file.seek(at)
                file.write(b"D")
            count += 1
    return count


async def test_the_stream_that_begins_again_is_told_to_who_read_it_before_also_behind_the_others(
    services: native.Services,
) -> None:
    async with made(services) as each:
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(1, 21)])
        behind = await each.subscriber.cursor(dimension=QUOTES)
        place, generation = behind.place, each.subscriber.generation
        await each.publisher.begin_again(10)
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(11, 16)])
        with pytest.raises(StreamSetBack):
            await read(behind, 100)
        assert each.subscriber.generation != generation
        async with opened(each.stream.subscriber) as later:
            assert later.generation == each.subscriber.generation
            starts: list[Start | Place] = [10, "earliest", Place(10, place.mark)]
            for after in starts:
                cursor = await later.cursor(dimension=QUOTES, after=after)
                assert sorted(positions(await read(cursor, 5))) == list(range(11, 16))


async def test_a_topic_that_was_made_anew_after_the_stream_began_again_is_read_from_its_first_record(
    services: native.Services,
) -> None:
    async with made(services) as each:
        await each.publisher.publish([row(n, f"S{n % 5}") for n in range(1, 21)])
        await each.publisher.begin_again(20)
        async with clients.admin(services, "admin") as admin:
            await admin.delete_topics([each.topic])
        await make_topics(each.settings)
        async with opened(each.stream.publisher) as publisher, opened(each.stream.subscriber) as later:
            await publisher.publish([row(n, f"S{n % 5}") for n in range(21, 26)])
            cursor = await later.cursor(dimension=QUOTES, after=20)
            assert sorted(positions(await read(cursor, 5))) == list(range(21, 26))
