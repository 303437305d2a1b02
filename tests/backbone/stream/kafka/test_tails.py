"""Subscribers of one process read by one client, and each of them may go at any time."""

from __future__ import annotations

from collections.abc import Collection

import anyio
import anyio.lowlevel
import pytest
from aiokafka import TopicPartition

from backbone.domain.dimension import Dimension
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import PositionGone, StreamClosed, StreamSetBack, StreamUnavailable
from backbone.stream.kafka import tail
from backbone.stream.kafka.cursor import KafkaCursor
from backbone.stream.kafka.fetching import Fetched
from backbone.stream.kafka.identity import Beginning, Seen
from backbone.stream.kafka.standing import Identity, Standing
from backbone.stream.kafka.stream import KafkaStream
from backbone.stream.kafka.wire import Marker, Unreadable
from backbone.stream.port import Cursor, Subscriber
from backbone.stream.records import Place
from tests.backbone.stream.kafka.doubles import QUOTES, TOPICS, Brokers, Fetcher, Inquirer


@pytest.fixture
def stream(brokers: Brokers) -> KafkaStream:
    return KafkaStream(StreamSettings())


async def opened(stream: KafkaStream) -> Subscriber:
    made = stream.subscriber()
    await made.open()
    return made


def all_of(brokers: Brokers) -> list[Fetcher | Inquirer]:
    return [*brokers.clients, *brokers.inquirers]


async def positions(cursor: Cursor) -> list[int]:
    return [each.position for each in await cursor.poll(timeout=1.0)]


async def test_two_subscribers_of_a_process_fetch_what_comes_once(brokers: Brokers, stream: KafkaStream) -> None:
    one, other = await opened(stream), await opened(stream)
    cursors = [await each.cursor(after="latest") for each in (one, other)]
    brokers.publish(1, 2)
    assert [await positions(each) for each in cursors] == [[1, 2], [1, 2]]
    assert sum(each.is_open for each in brokers.clients) == 1
    assert one.generation == other.generation != ""


async def test_who_leaves_takes_nothing_from_the_others_and_the_last_one_closes_the_client(
    brokers: Brokers, stream: KafkaStream
) -> None:
    one, other = await opened(stream), await opened(stream)
    left, stays = await one.cursor(after="latest"), await other.cursor(after="latest")
    await one.close()
    await one.close()
    with pytest.raises(StreamClosed):
        await left.poll(timeout=0)
    brokers.publish(1)
    assert await positions(stays) == [1]
    await other.close()
    assert not any(each.is_open for each in brokers.clients)
    again = await (await opened(stream)).cursor(after=0)
    assert await positions(again) == [1]


async def test_who_waits_is_told_that_its_subscriber_was_closed_while_others_read_on(
    brokers: Brokers, stream: KafkaStream
) -> None:
    one, other = await opened(stream), await opened(stream)
    waiting, reading = await one.cursor(after="latest"), await other.cursor(after="latest")
    found: list[int] = []
    told: list[bool] = []

    async def wait() -> None:
        with pytest.raises(StreamClosed):
            await waiting.poll(timeout=3600)
        told.append(True)

    async def read() -> None:
        found.extend(each.position for each in await reading.poll(timeout=3600))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await one.close()
            brokers.publish(1)
    assert (told, found) == ([True], [1])


async def test_what_nobody_can_read_is_among_the_letters_of_each(brokers: Brokers, stream: KafkaStream) -> None:
    one, other = await opened(stream), await opened(stream)
    cursor = await one.cursor(after="latest")
    brokers.put(Unreadable("no key"), 0)
    brokers.publish(1)
    assert await positions(cursor) == [1]
    assert [each.letters.came for each in (one, other)] == [1, 1]
    await other.close()
    brokers.put(Unreadable("no key"), 0)
    assert await positions(cursor) == []
    assert [each.letters.came for each in (one, other)] == [2, 1]


async def test_brokers_that_do_not_answer_the_first_are_asked_again_by_the_next(
    brokers: Brokers, stream: KafkaStream
) -> None:
    brokers.down = True
    with pytest.raises(StreamUnavailable):
        await opened(stream)
    assert not any(each.is_open for each in all_of(brokers))
    brokers.down = False
    cursor = await (await opened(stream)).cursor(after="latest")
    brokers.publish(1)
    assert await positions(cursor) == [1]
    assert sum(each.is_open for each in brokers.clients) == 1


async def test_who_joins_one_who_has_not_looked_for_long_stands_in_the_stream_of_now(
    brokers: Brokers, stream: KafkaStream
) -> None:
    first = await opened(stream)
    brokers.publish(*range(1, 21))
    before = first.generation
    brokers.topics[QUOTES] = Seen("another id", 1)
    brokers.held.clear()
    brokers.publish(21, 22)
    later = await opened(stream)
    assert later.generation != before
    assert await positions(await later.cursor(after=20)) == [21, 22]


async def test_who_joins_is_told_where_no_broker_answers_and_may_try_again(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await opened(stream)
    reading = await first.cursor(after="latest")
    with monkeypatch.context() as away:
        away.setattr(Inquirer, "topics", unanswered)
        with pytest.raises(StreamUnavailable):
            await opened(stream)
    brokers.publish(1)
    assert await positions(reading) == [1]
    second = await opened(stream)
    assert await positions(await second.cursor(after=0)) == [1]
    for each in (first, second):
        await each.close()
    assert not any(each.is_open for each in all_of(brokers))


async def test_who_joins_while_the_last_one_leaves_reads_on(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves = await opened(stream)
    topics = Inquirer.topics

    async def meanwhile(self: Inquirer, names: Collection[str]) -> dict[str, Seen]:
        await leaves.close()
        return await topics(self, names)

    with monkeypatch.context() as during:
        during.setattr(Inquirer, "topics", meanwhile)
        joins = await opened(stream)
    reading = await joins.cursor(after="latest")
    brokers.publish(1)
    assert await positions(reading) == [1]


async def test_those_who_open_at_the_same_time_read_by_one_client(brokers: Brokers, stream: KafkaStream) -> None:
    several = [stream.subscriber() for _ in range(3)]
    async with anyio.create_task_group() as group:
        for each in several:
            group.start_soon(each.open)
    assert sum(each.is_open for each in brokers.clients) == 1
    for each in several:
        await each.close()
    assert not any(each.is_open for each in all_of(brokers))


async def test_who_is_closed_while_it_opens_is_told_so_and_leaves_no_client(
    brokers: Brokers, stream: KafkaStream
) -> None:
    subscriber = stream.subscriber()
    told: list[bool] = []

    async def opening() -> None:
        with pytest.raises(StreamClosed):
            await subscriber.open()
        told.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(opening)
        while not brokers.inquirers:
            await anyio.lowlevel.checkpoint()
        await subscriber.close()
    assert told == [True]
    assert not any(each.is_open for each in all_of(brokers))


async def unanswered(*_: object) -> dict[str, Seen]:
    raise StreamUnavailable("no broker answers")


async def test_what_was_deleted_before_it_was_read_is_told_of_where_what_follows_was_taken_in_for_another(
    brokers: Brokers, stream: KafkaStream
) -> None:
    one, other = await opened(stream), await opened(stream)
    late, reading = await one.cursor(dimension=Dimension.QUOTES), await other.cursor(dimension=Dimension.QUOTES)
    brokers.publish(*range(1, 11))
    brokers.begin = 6
    for cursor in (reading, late):
        with pytest.raises(PositionGone) as gone:
            await cursor.poll(timeout=1.0)
        assert (gone.value.position, gone.value.first_position) == (0, 7)
        await cursor.seek(Place(6))
        assert await positions(cursor) == [7, 8, 9, 10]


async def test_who_joins_where_the_stream_begins_again_knows_where_that_is_in_all_partitions(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokers.topics[QUOTES] = Seen("id", 2)
    reading = await (await opened(stream)).cursor(after="latest")
    for partition in (0, 1):
        brokers.publish(1 + partition, 11 + partition, partition=partition)
    brokers.mark(Marker("generation", 10))
    with pytest.raises(StreamSetBack):
        await positions(reading)
    brokers.mark(Marker("generation", 10), partition=1)
    topics = {name: brokers.topics[name] for name in TOPICS.names}
    ids = {name: topic.id for name, topic in topics.items()}

    async def identity(_: Standing) -> Identity:
        return Identity(topics, Beginning("generation", 10, {QUOTES: {"0": 2, "1": 2}}, ids))

    monkeypatch.setattr(Standing, "identity", identity)
    brokers.publish(11, partition=1)
    later = await opened(stream)
    assert await positions(await later.cursor(after="earliest")) == [11]


def made_anew(brokers: Brokers, partitions: int = 1) -> None:
    """The topic of quotes is deleted and made again."""
    brokers.topics[QUOTES] = Seen("another id", partitions)
    brokers.held.clear()


async def test_who_is_cancelled_while_it_finds_topics_made_anew_has_the_others_pass_over_nothing(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await opened(stream), await opened(stream)
    falls, stays = await one.cursor(after="latest"), await other.cursor(after="latest")
    brokers.publish(1, 2)
    assert [await positions(each) for each in (falls, stays)] == [[1, 2], [1, 2]]
    made_anew(brokers)
    brokers.publish(3, 4, 5)
    with monkeypatch.context() as meanwhile, anyio.CancelScope() as scope:

        async def cancelled(*_: object) -> dict[str, int]:
            scope.cancel()
            await anyio.sleep_forever()
            return {}

        meanwhile.setattr(tail, "_UNWATCHED", -1.0)
        meanwhile.setattr(Standing, "begins", cancelled)
        await falls.poll(timeout=1.0)
    assert scope.cancelled_caught
    found: list[int] = []
    for _ in range(10):
        found += await positions(stays)
    assert found == [3, 4, 5]


async def test_what_was_fetched_by_one_who_is_cancelled_comes_again_for_the_others(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await opened(stream), await opened(stream)
    falls, stays = await one.cursor(after="latest"), await other.cursor(after="latest")
    brokers.publish(1, 2)
    with monkeypatch.context() as meanwhile, anyio.CancelScope() as scope:

        async def cancelled(*_: object) -> dict[str, Seen]:
            scope.cancel()
            await anyio.sleep_forever()
            return {}

        meanwhile.setattr(tail, "_UNWATCHED", -1.0)
        meanwhile.setattr(Inquirer, "topics", cancelled)
        await falls.poll(timeout=1.0)
    assert scope.cancelled_caught
    assert await positions(stays) == [1, 2]


async def test_what_was_fetched_by_one_who_falls_comes_again_for_the_others(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await opened(stream), await opened(stream)
    falls, stays = await one.cursor(after="latest"), await other.cursor(after="latest")
    assert [await positions(each) for each in (falls, stays)] == [[], []]  # they rest
    brokers.publish(1, 2)
    brokers.put(Unreadable("no key"), 0)
    brokers.publish(3)
    with monkeypatch.context() as meanwhile:

        def mistaken(*_: object) -> None:
            raise LookupError("a mistake")

        meanwhile.setattr(KafkaCursor, "came", mistaken)
        with pytest.raises(LookupError):
            await positions(falls)
    await one.close()
    assert await positions(stays) == [1, 2, 3]
    assert other.letters.came == 1


async def test_who_looks_while_another_finds_topics_made_anew_passes_over_nothing(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokers.topics[QUOTES] = Seen("id", 2)
    one, other = await opened(stream), await opened(stream)
    finds, looks = await one.cursor(after="latest"), await other.cursor(after="latest")
    brokers.publish(2)
    brokers.publish(1, partition=1)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(tail, "_BATCH", 1)  # so that nobody has read the other one yet
        assert [await positions(each) for each in (finds, looks)] == [[2], [2]]
    made_anew(brokers, 2)
    found: list[int] = []

    async def look() -> None:
        found.extend(each.position for each in await looks.poll(timeout=0))

    async with anyio.create_task_group() as group:
        begins = Standing.begins

        async def slow(self: Standing, identity: Identity) -> dict[TopicPartition, int]:
            with monkeypatch.context() as at_once:
                at_once.setattr(Standing, "begins", begins)
                group.start_soon(look)
                await anyio.sleep(0.1)
            brokers.publish(1, partition=1)
            brokers.publish(2)
            return await begins(self, identity)

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(tail, "_UNWATCHED", -1.0)
            meanwhile.setattr(Standing, "begins", slow)
            await finds.poll(timeout=1.0)
    for _ in range(10):
        found += await positions(looks)
    assert found == [1]


async def test_who_is_cut_short_while_it_closes_keeps_no_client_open(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await opened(stream), await opened(stream)
    behind = await one.cursor(after="latest")
    with monkeypatch.context() as meanwhile, anyio.CancelScope() as scope:

        async def cancelled(_: KafkaCursor) -> None:
            scope.cancel()
            await anyio.sleep_forever()

        meanwhile.setattr(KafkaCursor, "close", cancelled)
        await one.close()
    assert scope.cancelled_caught
    with pytest.raises(StreamClosed):
        await behind.poll(timeout=0)
    await other.close()
    assert not any(each.is_open for each in brokers.clients)


async def test_a_cursor_behind_others_moves_over_where_topics_were_made_anew_with_fewer_partitions_meanwhile(
    brokers: Brokers, stream: KafkaStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokers.topics[QUOTES] = Seen("id", 2)
    for partition in (0, 1):
        brokers.publish(1 + partition, 11 + partition, partition=partition)
    reading, other = await opened(stream), await opened(stream)
    cursor, watching = await reading.cursor(after=0), await other.cursor(after="latest")
    fetch = Fetcher.fetch

    async def slow(self: Fetcher, wait: float, limit: int) -> list[Fetched]:
        fetched = await fetch(self, wait, limit)
        monkeypatch.setattr(Fetcher, "fetch", fetch)
        made_anew(brokers)
        brokers.publish(1, 2, 11, 12, 13)
        await watching.lag()
        return fetched

    monkeypatch.setattr(Fetcher, "fetch", slow)
    found: list[int] = []
    for _ in range(10):
        found += await positions(cursor)
    assert {*found} == {1, 2, 11, 12, 13}
