"""What the in-process stream does beyond the contract: it forgets, and says so."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import msgspec
import pytest

from backbone.domain.dimension import Dimension
from backbone.stream.errors import PositionGone
from backbone.stream.memory import MemoryStream
from backbone.stream.memory.log import MemoryLog
from backbone.stream.memory.reader import MemoryCursor
from backbone.stream.port import Publisher, Start, Stream, Subscriber
from backbone.stream.records import Place


class Row(msgspec.Struct, frozen=True):
    position: int
    event_id: str = ""
    ingest_id: str = ""
    dimension: Dimension = Dimension.QUOTES
    symbol: str = "EURUSD"
    rows: int = 1
    revision: int = 0
    payload: bytes = bytes(512)
    checksum: int | None = None
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


async def opened(stream: Stream) -> tuple[Publisher, Subscriber]:
    publisher, subscriber = stream.publisher(), stream.subscriber()
    await publisher.open()
    await subscriber.open()
    return publisher, subscriber


async def small(records: int) -> tuple[Publisher, Subscriber]:
    """A stream that retains so many records of 512 bytes and their overhead."""
    return await opened(MemoryStream(partitions=2, capacity_bytes=records * 1024))


async def read(subscriber: Subscriber, after: Start) -> list[int]:
    return [record.position for record in await (await subscriber.cursor(after=after)).poll(timeout=0)]


async def test_the_oldest_records_are_forgotten_beyond_the_capacity() -> None:
    publisher, subscriber = await small(3)
    await publisher.publish([Row(n) for n in range(1, 6)])
    assert await read(subscriber, "earliest") == [3, 4, 5]
    assert (await publisher.probe()).details["dropped_records"] == "2"


async def test_of_ten_thousand_who_wait_those_alone_look_for_whom_something_comes() -> None:
    log = MemoryLog(partitions=2, capacity_bytes=2**20)
    looks: list[str] = []

    def cursor(name: str, *symbols: str) -> MemoryCursor:
        return MemoryCursor(log, lambda: looks.append(name), None, frozenset(symbols), Place(0))

    got: dict[str, list[int]] = {}

    async def follow(name: str, one: MemoryCursor) -> None:
        while True:
            got.setdefault(name, []).extend(each.position for each in await one.poll(timeout=3600))

    async with anyio.create_task_group() as group:
        for n in range(10_000):
            group.start_soon(follow, f"S{n}", cursor(f"S{n}", f"S{n}"))
        group.start_soon(follow, "all", cursor("all"))
        await anyio.sleep(1)
        looks.clear()
        log.append([Row(n, symbol=f"S{n}") for n in range(1, 4)])
        await anyio.sleep(1)
        assert sorted({*looks}) == ["S1", "S2", "S3", "all"]
        assert len(looks) <= 2 * 4  # what came, and that nothing else has
        assert (got["S1"], got["S3"], got["all"]) == ([1], [3], [1, 2, 3])
        group.cancel_scope.cancel()


async def test_who_waits_is_not_left_behind_by_what_comes_for_others() -> None:
    publisher, subscriber = await small(3)
    cursor = await subscriber.cursor(symbols=("A",))
    assert await cursor.poll(timeout=1) == []
    await publisher.publish([Row(n, symbol="B") for n in range(1, 50)])
    assert (await cursor.poll(timeout=1), cursor.place) == ([], Place(49))
    await publisher.publish([Row(n, symbol="B") for n in range(50, 99)])
    await publisher.publish([Row(99, symbol="A"), Row(100, symbol="B")])
    assert [each.position for each in await cursor.poll(timeout=1)] == [99]
    await publisher.publish([Row(101, symbol="A"), *(Row(n, symbol="B") for n in range(102, 150))])
    with pytest.raises(PositionGone):  # its own is gone now
        await cursor.poll(timeout=1)


async def test_a_cursor_before_what_is_retained_is_told_where_it_can_go_on() -> None:
    publisher, subscriber = await small(3)
    cursor = await subscriber.cursor()
    await publisher.publish([Row(n) for n in range(1, 6)])
    with pytest.raises(PositionGone) as gone:
        await cursor.poll()
    assert (gone.value.position, gone.value.first_position) == (0, 3)
    await cursor.seek(Place(gone.value.first_position - 1))
    assert [record.position for record in await cursor.poll()] == [3, 4, 5]


async def test_a_cursor_that_had_read_what_was_forgotten_goes_on_unharmed() -> None:
    publisher, subscriber = await small(2)
    cursor = await subscriber.cursor()
    for position in range(1, 4000):
        await publisher.publish([Row(position)])
        assert [record.position for record in await cursor.poll(timeout=0)] == [position]


async def test_one_record_larger_than_the_capacity_is_still_retained() -> None:
    publisher, subscriber = await small(1)
    await publisher.publish([Row(1), Row(2, payload=bytes(10_000))])
    assert await read(subscriber, "earliest") == [2]


async def test_a_log_told_of_an_earlier_life_sends_readers_to_the_outbox() -> None:
    publisher, subscriber = await small(10)
    await publisher.resume(100)
    with pytest.raises(PositionGone) as gone:
        await read(subscriber, 50)
    assert gone.value.first_position == 101
    assert await read(subscriber, 100) == []


async def test_a_log_not_told_takes_everything_before_its_first_record_as_gone() -> None:
    publisher, subscriber = await small(10)
    cursor = await subscriber.cursor(after=3)
    await publisher.publish([Row(10)])
    with pytest.raises(PositionGone):
        await cursor.poll()


async def test_resuming_where_the_log_already_is_forgets_nothing() -> None:
    publisher, subscriber = await small(10)
    await publisher.publish([Row(1), Row(2)])
    await publisher.resume(2)
    assert await read(subscriber, 0) == [1, 2]


async def test_offsets_go_on_counting_when_records_are_forgotten() -> None:
    publisher, subscriber = await opened(MemoryStream(partitions=1, capacity_bytes=2048))
    await publisher.publish([Row(n) for n in range(1, 6)])
    assert [record.offset for record in await (await subscriber.cursor(after=3)).poll()] == [3, 4]


async def test_every_log_is_a_generation_of_its_own() -> None:
    generations = [(await opened(MemoryStream()))[1].generation for _ in range(3)]
    assert len(set(generations)) == 3


def test_a_log_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryStream(partitions=0)
    with pytest.raises(ValueError, match="at least 1"):
        MemoryStream(capacity_bytes=0)


async def test_a_poll_for_no_records_is_refused() -> None:
    _, subscriber = await small(1)
    with pytest.raises(ValueError, match="max_records"):
        await (await subscriber.cursor()).poll(max_records=0)
