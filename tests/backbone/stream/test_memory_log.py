"""What the in-process log does beyond the contract: it forgets, and says so."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from backbone.domain import Frame, codec
from backbone.domain.dimension import Dimension
from backbone.stream.errors import PositionGone
from backbone.stream.memory import MemoryLog


class Row(msgspec.Struct, frozen=True):
    position: int
    event_id: str = ""
    dimension: Dimension = Dimension.QUOTES
    symbol: str = "EURUSD"
    rows: int = 1
    payload: bytes = bytes(512)


async def small_log(records: int) -> MemoryLog:
    """A log that retains so many records of 512 bytes and their overhead."""
    log = MemoryLog(partitions=2, capacity_bytes=records * 1024)
    await log.open()
    return log


async def test_the_oldest_records_are_forgotten_beyond_the_capacity() -> None:
    log = await small_log(3)
    await log.publish([Row(n) for n in range(1, 6)])
    assert log.first_position == 3
    assert [record.position for record in await log.reader(after="earliest").poll()] == [3, 4, 5]
    assert (await log.probe()).details["dropped_records"] == "2"


async def test_a_reader_before_what_is_retained_is_told_where_it_can_go_on() -> None:
    log = await small_log(3)
    reader = log.reader()
    await log.publish([Row(n) for n in range(1, 6)])
    with pytest.raises(PositionGone) as gone:
        await reader.poll()
    assert (gone.value.position, gone.value.first_position) == (0, 3)
    reader.seek(gone.value.first_position - 1)
    assert [record.position for record in await reader.poll()] == [3, 4, 5]


async def test_a_reader_that_had_read_what_was_forgotten_goes_on_unharmed() -> None:
    log = await small_log(2)
    reader = log.reader()
    for position in range(1, 4000):
        await log.publish([Row(position)])
        assert [record.position for record in await reader.poll(timeout=0)] == [position]


async def test_one_record_larger_than_the_capacity_is_still_retained() -> None:
    log = await small_log(1)
    await log.publish([Row(1), Row(2, payload=bytes(10_000))])
    assert [record.position for record in await log.reader(after="earliest").poll()] == [2]


async def test_a_log_told_of_an_earlier_life_sends_readers_to_the_outbox() -> None:
    log = await small_log(10)
    await log.resume(100)
    with pytest.raises(PositionGone) as gone:
        await log.reader(after=50).poll(timeout=0)
    assert gone.value.first_position == 101
    assert await log.reader(after=100).poll(timeout=0) == []


async def test_a_log_not_told_takes_everything_before_its_first_record_as_gone() -> None:
    log = await small_log(10)
    reader = log.reader(after=3)
    await log.publish([Row(10)])
    with pytest.raises(PositionGone):
        await reader.poll()


async def test_resuming_where_the_log_already_is_forgets_nothing() -> None:
    log = await small_log(10)
    await log.publish([Row(1), Row(2)])
    await log.resume(2)
    assert [record.position for record in await log.reader().poll()] == [1, 2]


async def test_offsets_go_on_counting_when_records_are_forgotten() -> None:
    log = MemoryLog(partitions=1, capacity_bytes=2048)
    await log.open()
    await log.publish([Row(n) for n in range(1, 6)])
    assert log.ends() == {0: 5}
    assert [record.offset for record in await log.read(0, 0)] == [3, 4]


async def test_last_keeps_only_the_newest_rows_of_a_forgotten_record() -> None:
    log = await small_log(1)
    frame = Frame.from_records(
        Dimension.QUOTES,
        [
            {"symbol": "EURUSD", "ts": datetime(2024, 1, 1, 0, 0, second, tzinfo=UTC), "sequence": 0, "bid": second}
            for second in range(30)
        ],
    )
    await log.publish([Row(1, rows=30, payload=codec.encode(frame, {"revision": 4})), Row(2, symbol="GBPUSD")])
    assert log.first_position == 2
    newest = log.last(Dimension.QUOTES, "EURUSD")
    assert newest is not None
    assert newest.rows == 1
    assert codec.decode(newest.payload) == frame.newest(1)
    assert codec.read_meta(newest.payload)["revision"] == 4


async def test_last_keeps_a_forgotten_payload_that_is_no_frame_as_it_is() -> None:
    log = await small_log(1)
    await log.publish([Row(1, payload=b"no frame"), Row(2, symbol="GBPUSD")])
    newest = log.last(Dimension.QUOTES, "EURUSD")
    assert newest is not None
    assert newest.payload == b"no frame"


@pytest.mark.parametrize("after", [-1, "newest", None])
async def test_a_start_that_is_none_is_refused(after: object) -> None:
    log = await small_log(1)
    with pytest.raises(ValueError, match="latest"):
        log.reader(after=after)  # type: ignore[arg-type]


def test_a_log_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryLog(partitions=0)
    with pytest.raises(ValueError, match="at least 1"):
        MemoryLog(capacity_bytes=0)


async def test_a_poll_for_no_records_is_refused() -> None:
    log = await small_log(1)
    with pytest.raises(ValueError, match="max_records"):
        await log.reader().poll(max_records=0)
