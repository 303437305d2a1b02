"""What is taken in for all cursors, on brokers that answer as they are told to."""

from __future__ import annotations

import anyio
import pytest
from aiokafka import TopicPartition

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import PositionGone, StreamUnavailable
from backbone.stream.kafka import tail
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.cursor import KafkaCursor
from backbone.stream.kafka.identity import Beginning, Seen
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.lending import Lending
from backbone.stream.kafka.marks import Spot
from backbone.stream.kafka.placing import Keys, Stand, at_the_end, at_the_place
from backbone.stream.kafka.standing import Identity
from backbone.stream.kafka.tail import Tail
from backbone.stream.kafka.wire import Marker
from backbone.stream.letters import Letters
from backbone.stream.records import Place
from tests.backbone.stream.kafka.doubles import QUOTES, TOPICS, Brokers, Fetcher

SETTINGS = StreamSettings()


async def opened() -> Tail:
    made = Tail(Connection.of(SETTINGS), TOPICS, Letters(), Judge(TOPICS))
    await made.open()
    return made


async def test_whatever_was_published_up_to_the_frontier_was_taken_in(brokers: Brokers) -> None:
    made = await opened()
    brokers.publish(1, 2)
    await made.look()
    assert made.frontier == 2


async def test_where_partitions_were_added_the_frontier_does_not_pass_what_they_hold(brokers: Brokers) -> None:
    made = await opened()
    brokers.publish(1)
    await made.look()
    brokers.topics[QUOTES] = Seen(brokers.topics[QUOTES].id, 2)
    brokers.publish(2, partition=1)
    brokers.publish(3)
    for _ in range(3):
        await made._drive(0)
        assert made.frontier < 2 or made.identity.topics[QUOTES].partitions == 2
    await made.look()
    assert made.identity.topics[QUOTES].partitions == 2


async def test_who_begins_at_the_end_while_partitions_are_added_asks_again(brokers: Brokers) -> None:
    made = await opened()
    partitions = [TopicPartition(QUOTES, 0)]
    brokers.topics[QUOTES] = Seen(brokers.topics[QUOTES].id, 2)
    with pytest.raises(StreamUnavailable, match="ask again"):
        await at_the_end(made, partitions)
    assert len((await at_the_end(made, [*partitions, TopicPartition(QUOTES, 1)])).spots) == 2


async def test_where_the_control_topic_tells_of_a_beginning_before_its_markers_came_the_end_is_behind_them(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await opened()
    brokers.publish(100, 101)
    await made.look()
    topics = {name: brokers.topics[name] for name in TOPICS.names}
    ids = {name: topic.id for name, topic in topics.items()}
    beginning = Beginning("generation", 50, {QUOTES: {"0": 3}}, ids)

    async def identity() -> Identity:
        return Identity(topics, beginning)

    monkeypatch.setattr(made.standing, "identity", identity)
    await made.verify()
    assert made.identity.began == "generation"
    brokers.publish(102)
    brokers.mark(Marker("generation", 50))
    await made.look()
    stand = await at_the_end(made, [TopicPartition(QUOTES, 0)])
    assert (stand.position, dict(stand.spots)) == (50, {TopicPartition(QUOTES, 0): Spot(4, 50)})
    brokers.publish(51)
    await made.look()
    assert made.frontier == 51


async def test_what_comes_at_offsets_that_were_read_is_handed_out_where_a_broker_lost_what_it_had_not_written(
    brokers: Brokers,
) -> None:
    made = await opened()
    topics, at = [QUOTES], TopicPartition(QUOTES, 0)
    lending = Lending(lambda: Fetcher(brokers))  # type: ignore[arg-type,return-value]
    stand = await at_the_end(made, [at])
    cursor = KafkaCursor(made, lending, lambda: None, topics, frozenset(), {at: (None,)}, stand, Letters())
    brokers.publish(1, 2, 3, 4, 5)
    assert [each.position for each in await cursor.poll()] == [1, 2, 3, 4, 5]
    place = cursor.place
    del brokers.held[3:]
    brokers.publish(6)
    assert [each.position for _ in range(5) for each in await cursor.poll(timeout=0.01)] == [6]
    stand = await at_the_place(made, [at], place, {})
    again = KafkaCursor(made, lending, lambda: None, topics, frozenset(), {at: (None,)}, stand, Letters())
    assert [each.position for each in await again.poll()] == [6]


@pytest.mark.parametrize("how", ["goes on", "goes back to where it was told", "is another one at that place"])
async def test_in_topics_that_were_made_anew_nothing_is_handed_out_twice(brokers: Brokers, how: str) -> None:
    """One partition was read further than the other, so that the position alone says less than was handed out."""
    brokers.topics[QUOTES] = Seen("id", 2)
    made = await opened()
    partitions = [TopicPartition(QUOTES, 0), TopicPartition(QUOTES, 1)]
    keys: Keys = dict.fromkeys(partitions, (None,))

    async def cursor_at(stand: Stand) -> KafkaCursor:
        lending = Lending(lambda: Fetcher(brokers))  # type: ignore[arg-type,return-value]
        return KafkaCursor(made, lending, lambda: None, [QUOTES], frozenset(), keys, stand, Letters())

    cursor = await cursor_at(await at_the_end(made, partitions))
    for n in range(1, 11):
        brokers.publish(n, partition=n % 2)
    found = [each.position for each in await cursor.poll(max_records=3)]
    place = cursor.place
    assert place.position < max(found)
    brokers.topics[QUOTES] = Seen("another id", 2)
    await made.verify()
    if how == "goes back to where it was told":
        await cursor.lag()  # it has moved over, and told nobody
        await cursor.seek(place)
    elif how == "is another one at that place":
        cursor = await cursor_at(await at_the_place(made, partitions, place, {}))
    while records := await cursor.poll(timeout=0.01):
        found += [each.position for each in records]
    assert sorted(found) == list(range(1, 11))


async def test_what_was_deleted_before_it_was_taken_in_is_gone_for_who_waits_for_it_and_not_passed_over(
    brokers: Brokers,
) -> None:
    made = await opened()
    at = TopicPartition(QUOTES, 0)
    lending = Lending(lambda: Fetcher(brokers))  # type: ignore[arg-type,return-value]
    stand = await at_the_end(made, [at])
    cursor = KafkaCursor(made, lending, lambda: None, [QUOTES], frozenset(), {at: (None,)}, stand, Letters())
    brokers.publish(1)
    assert [each.position for each in await cursor.poll()] == [1]
    assert await cursor.poll(timeout=0.01) == []
    brokers.publish(2, 3, 4)
    brokers.begin = 3
    with pytest.raises(PositionGone) as gone:
        await cursor.poll(timeout=5)
    assert (gone.value.position, gone.value.first_position) == (1, 4)
    await cursor.seek(Place(3))
    assert [each.position for each in await cursor.poll()] == [4]


async def test_all_who_wait_look_again_where_reading_goes_on_at_the_end(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_FAR", 5)
    made = await opened()
    waiting = [anyio.Event() for _ in range(3)]
    made._turns.busy = True
    async with anyio.create_task_group() as group:
        for each in waiting:
            group.start_soon(made.step, 30.0, each)
        await anyio.sleep(0.01)
        made._turns.busy = False  # who worked for them has left, and the next one has not begun
        brokers.publish(*range(1, 8))
        await made.look()
        assert all(each.is_set() for each in waiting)
        group.cancel_scope.cancel()
