"""What every stream has to do, whoever keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import anyio
import msgspec
import pytest

from backbone.domain.dimension import Dimension
from backbone.domain.hashing import partition_of
from backbone.stream.errors import PositionGone, StreamClosed, StreamSetBack
from backbone.stream.port import Cursor, Publisher, Stream, Subscriber
from backbone.stream.records import Place, Record

QUOTES, TRADES = Dimension.QUOTES, Dimension.TRADES


class Row(msgspec.Struct, frozen=True):
    position: int
    event_id: str
    ingest_id: str
    dimension: Dimension
    symbol: str
    rows: int
    revision: int
    payload: bytes
    checksum: int | None = None
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


def row(position: int, symbol: str = "EURUSD", dimension: Dimension = QUOTES) -> Row:
    payload = f"payload {position}".encode()
    return Row(position, f"event-{position}", "chunk", dimension, symbol, 1, 7, payload, 4_000_000_000)


def positions(records: Sequence[Record]) -> list[int]:
    return [record.position for record in records]


async def taken(cursor: Cursor, count: int) -> list[int]:
    """The positions of so many records, in ascending order, and that there are no more of them."""
    records: list[Record] = []
    with anyio.fail_after(10):
        while len(records) < count:
            records += await cursor.poll()
    records += await cursor.poll(timeout=0)
    return sorted(positions(records))


async def test_a_record_carries_everything_its_envelope_held(publisher: Publisher, subscriber: Subscriber) -> None:
    await publisher.publish([row(1, "GBPUSD", TRADES)])
    [record] = await (await subscriber.cursor()).poll()
    assert (record.position, record.event_id, record.ingest_id, record.key) == (1, "event-1", "chunk", "GBPUSD")
    assert (record.dimension, record.rows, record.revision, record.payload) == (TRADES, 1, 7, b"payload 1")
    assert record.checksum == 4_000_000_000


async def test_positions_sent_again_are_handed_out_once(publisher: Publisher, subscriber: Subscriber) -> None:
    early = await subscriber.cursor()
    await publisher.publish([row(1), row(2)])
    assert positions(await early.poll()) == [1, 2]
    await publisher.publish([row(1), row(2), row(3)])
    assert positions(await early.poll()) == [3]
    assert positions(await (await subscriber.cursor()).poll()) == [1, 2, 3]


@pytest.mark.parametrize("bad", [[2, 1], [1, 1], [0], [-1]])
async def test_positions_that_do_not_ascend_are_refused_and_nothing_is_appended(
    publisher: Publisher, subscriber: Subscriber, bad: list[int]
) -> None:
    with pytest.raises(ValueError, match="ascend"):
        await publisher.publish([row(position) for position in bad])
    assert await (await subscriber.cursor()).poll(timeout=0) == []


async def test_every_cursor_sees_every_record_whatever_the_others_did(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    slow, fast = await subscriber.cursor(), await subscriber.cursor()
    for position in range(1, 6):
        await publisher.publish([row(position)])
        assert positions(await fast.poll()) == [position]
    assert positions(await slow.poll()) == [1, 2, 3, 4, 5]


async def test_records_of_a_symbol_come_in_order_and_all_of_them_where_the_stream_is_ordered(
    stream: Stream, publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n, f"SYMBOL{n % 7}") for n in range(1, 40)])
    cursor = await subscriber.cursor()
    records: list[Record] = []
    with anyio.fail_after(10):
        while len(records) < 39:
            records += await cursor.poll(max_records=5)
    for symbol in {record.key for record in records}:
        of_symbol = positions([record for record in records if record.key == symbol])
        assert of_symbol == sorted(of_symbol)
    assert sorted(positions(records)) == list(range(1, 40))
    if stream.ordered:
        assert positions(records) == list(range(1, 40))


async def test_where_the_database_was_set_back_the_stream_begins_again_and_readers_of_before_are_told(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n) for n in range(1, 6)])
    before, generation = await subscriber.cursor(), subscriber.generation
    await publisher.begin_again(2)
    with pytest.raises(StreamSetBack, match="set back"):
        await before.poll(timeout=0)
    assert subscriber.generation != generation
    after = await subscriber.cursor(after="latest")
    await publisher.publish([row(3, "GBPUSD"), row(4, "GBPUSD")])
    assert [(each.position, each.key) for each in await after.poll()] == [(3, "GBPUSD"), (4, "GBPUSD")]


async def test_who_stands_before_where_the_stream_began_again_is_told_also_while_nothing_has_come_since(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n) for n in range(1, 6)])
    before = await subscriber.cursor()
    await publisher.begin_again(4)
    with pytest.raises(StreamSetBack):
        await before.poll(timeout=0)
    with pytest.raises(PositionGone) as gone:
        await (await subscriber.cursor(after=2)).poll(timeout=0)
    assert (gone.value.position, gone.value.first_position) == (2, 5)
    assert await (await subscriber.cursor(after=4)).poll(timeout=0) == []


async def test_max_records_bounds_a_poll_and_the_next_goes_on_there(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n) for n in range(1, 6)])
    cursor = await subscriber.cursor()
    assert [positions(await cursor.poll(max_records=2)) for _ in range(3)] == [[1, 2], [3, 4], [5]]


async def test_a_cursor_sees_only_its_dimension_and_symbols(publisher: Publisher, subscriber: Subscriber) -> None:
    await publisher.publish([row(1, "A"), row(2, "B"), row(3, "A", TRADES), row(4, "C")])
    wanted = await subscriber.cursor(dimension=QUOTES, symbols=["A", "C"])
    assert await taken(wanted, 2) == [1, 4]
    assert positions(await (await subscriber.cursor(dimension=TRADES)).poll()) == [3]
    assert await taken(await subscriber.cursor(symbols=["A"]), 2) == [1, 3]


async def test_a_cursor_starts_after_a_position_at_the_latest_or_at_the_earliest(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n) for n in range(1, 4)])
    after = await subscriber.cursor(after=2)
    latest = await subscriber.cursor(after="latest")
    earliest = await subscriber.cursor(after="earliest")
    await publisher.publish([row(4)])
    assert await taken(after, 2) == [3, 4]
    assert await taken(latest, 1) == [4]
    assert await taken(earliest, 4) == [1, 2, 3, 4]


async def test_the_latest_of_a_stream_without_records_is_before_the_first(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    latest = await subscriber.cursor(after="latest")
    again = await subscriber.cursor(after=latest.place)
    await publisher.resume(10)
    await publisher.publish([row(11), row(12)])
    assert positions(await latest.poll()) == [11, 12]
    assert positions(await again.poll()) == [11, 12]


async def test_a_cursor_after_a_position_yet_to_come_skips_what_lies_before_it(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    cursor = await subscriber.cursor(after=5)
    await publisher.publish([row(n) for n in range(4, 8)])
    assert positions(await cursor.poll()) == [6, 7]


async def test_a_cursor_that_seeks_reads_again_from_there(publisher: Publisher, subscriber: Subscriber) -> None:
    await publisher.publish([row(n) for n in range(1, 5)])
    cursor = await subscriber.cursor()
    await cursor.poll()
    await cursor.seek(Place(2))
    assert cursor.place.position == 2
    assert positions(await cursor.poll()) == [3, 4]


async def test_a_place_that_was_noted_is_gone_back_to_by_this_and_by_other_cursors(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n, f"S{n % 3}") for n in range(1, 10)])
    cursor = await subscriber.cursor()
    await cursor.poll(max_records=4)
    noted = cursor.place
    rest = await taken(cursor, 5)
    await cursor.seek(noted)
    assert await taken(cursor, 5) == rest
    assert await taken(await subscriber.cursor(after=noted), 5) == rest


async def test_a_mark_that_means_nothing_here_is_passed_over_and_the_position_holds(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(1), row(2)])
    cursor = await subscriber.cursor(after=Place(1, "of another kind of stream"))
    assert positions(await cursor.poll()) == [2]


async def test_poll_returns_nothing_when_its_time_has_passed(subscriber: Subscriber) -> None:
    assert await (await subscriber.cursor()).poll(timeout=0.0) == []


async def test_a_waiting_poll_is_woken_by_a_publish(publisher: Publisher, subscriber: Subscriber) -> None:
    seen: list[int] = []

    async def read() -> None:
        seen.extend(positions(await (await subscriber.cursor(symbols=["B"])).poll(timeout=30.0)))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await publisher.publish([row(1, "A")])
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            await publisher.publish([row(2, "B")])
    assert seen == [2]


async def test_lag_counts_matching_records_not_read(publisher: Publisher, subscriber: Subscriber) -> None:
    cursor = await subscriber.cursor(symbols=["A"])
    await publisher.publish([row(1, "A"), row(2, "B"), row(3, "A"), row(4, "A")])
    assert await cursor.lag() == 3
    await cursor.poll(max_records=1)
    assert await cursor.lag() == 2
    await cursor.poll()
    assert await cursor.lag() == 0


async def test_the_place_of_a_cursor_passes_what_does_not_match(publisher: Publisher, subscriber: Subscriber) -> None:
    cursor = await subscriber.cursor(symbols=["A"])
    await publisher.publish([row(1, "A"), row(2, "B")])
    await cursor.poll()
    await cursor.poll(timeout=0)
    assert cursor.place.position == 2


async def test_a_symbol_stays_on_the_partition_of_its_hash_with_offsets_that_count_up(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(n, f"S{n % 5}") for n in range(1, 31)])
    records = await (await subscriber.cursor()).poll(max_records=100)
    for record in records:
        assert record.partition == partition_of(record.key, 4)
    for partition in {record.partition for record in records}:
        offsets = [record.offset for record in records if record.partition == partition]
        assert offsets == list(range(len(offsets)))


async def test_positions_relayed_earlier_are_not_handed_out_again(publisher: Publisher, subscriber: Subscriber) -> None:
    await publisher.resume(10)
    await publisher.publish([row(10), row(11)])
    assert positions(await (await subscriber.cursor(after=10)).poll()) == [11]


async def test_a_publisher_made_anew_goes_on_where_the_one_before_was_abandoned(
    stream: Stream, publisher: Publisher, subscriber: Subscriber
) -> None:
    cursor = await subscriber.cursor()
    await publisher.publish([row(1), row(2)])
    await publisher.close()
    another = stream.publisher()
    await another.open()
    await another.resume(1)
    await another.publish([row(2), row(3)])
    assert await taken(cursor, 3) == [1, 2, 3]
    await another.close()


async def test_subscribers_of_one_stream_are_of_one_generation_and_know_each_others_places(
    stream: Stream, publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(1), row(2)])
    cursor = await subscriber.cursor()
    await cursor.poll(max_records=1)
    other = stream.subscriber()
    await other.open()
    assert other.generation == subscriber.generation != ""
    assert positions(await (await other.cursor(after=cursor.place)).poll()) == [2]
    await other.close()


async def test_probe_says_that_an_open_publisher_works(publisher: Publisher) -> None:
    info = await publisher.probe()
    assert info.healthy
    assert info.degraded_reason is None


async def test_a_closed_publisher_refuses_and_leaves_readers_alone(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    await publisher.publish([row(1)])
    await publisher.close()
    await publisher.close()
    with pytest.raises(StreamClosed):
        await publisher.publish([row(2)])
    assert not (await publisher.probe()).healthy
    assert positions(await (await subscriber.cursor()).poll()) == [1]


async def test_a_closed_subscriber_refuses_and_wakes_its_cursors(subscriber: Subscriber) -> None:
    cursor = await subscriber.cursor()
    refused = 0

    async def read() -> None:
        nonlocal refused
        with pytest.raises(StreamClosed):
            await cursor.poll(timeout=30)
        refused += 1

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await subscriber.close()
    assert refused == 1
    with pytest.raises(StreamClosed):
        await subscriber.cursor()


async def test_a_closed_cursor_refuses_and_leaves_the_others_alone(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    closed, other = await subscriber.cursor(), await subscriber.cursor()
    await closed.close()
    await publisher.publish([row(1)])
    with pytest.raises(StreamClosed):
        await closed.poll()
    assert positions(await other.poll()) == [1]


async def test_cursors_that_are_closed_refuse_at_once_who_waits_at_them(subscriber: Subscriber) -> None:
    cursors = [await subscriber.cursor() for _ in range(3)]
    refused: list[Cursor] = []

    async def read(cursor: Cursor) -> None:
        with pytest.raises(StreamClosed):
            await cursor.poll(timeout=30)
        refused.append(cursor)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for cursor in cursors:
                group.start_soon(read, cursor)
            await anyio.wait_all_tasks_blocked()
            for cursor in reversed(cursors):
                await cursor.close()
    assert len(refused) == 3


@pytest.mark.parametrize("after", [-1, "newest", None])
async def test_a_start_that_is_none_is_refused(subscriber: Subscriber, after: object) -> None:
    with pytest.raises(ValueError, match="latest"):
        await subscriber.cursor(after=after)  # type: ignore[arg-type]
