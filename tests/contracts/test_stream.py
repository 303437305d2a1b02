"""What every log has to do, whoever keeps it."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from backbone.domain.dimension import Dimension
from backbone.stream.errors import StreamClosed
from backbone.stream.port import Log, Record

QUOTES, TRADES = Dimension.QUOTES, Dimension.TRADES


class Row(msgspec.Struct, frozen=True):
    position: int
    event_id: str
    dimension: Dimension
    symbol: str
    rows: int
    payload: bytes


def row(position: int, symbol: str = "EURUSD", dimension: Dimension = QUOTES) -> Row:
    return Row(position, f"event-{position}", dimension, symbol, 1, f"payload {position}".encode())


def positions(records: list[Record]) -> list[int]:
    return [record.position for record in records]


async def test_a_record_carries_everything_its_envelope_held(log: Log) -> None:
    await log.publish([row(1, "GBPUSD", TRADES)])
    [record] = await log.reader().poll()
    assert (record.position, record.event_id, record.key) == (1, "event-1", "GBPUSD")
    assert (record.dimension, record.rows, record.payload) == (TRADES, 1, b"payload 1")


async def test_positions_sent_again_are_dropped_and_counted(log: Log) -> None:
    first = await log.publish([row(1), row(2)])
    second = await log.publish([row(1), row(2), row(3)])
    assert (first.published, first.duplicates) == (2, 0)
    assert (second.published, second.duplicates) == (1, 2)
    assert positions(await log.reader().poll()) == [1, 2, 3]


@pytest.mark.parametrize("bad", [[2, 1], [1, 1], [0], [-1]])
async def test_positions_that_do_not_ascend_are_refused_and_nothing_is_appended(log: Log, bad: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        await log.publish([row(position) for position in bad])
    assert sum(log.ends().values()) == 0


async def test_every_reader_sees_every_record_whatever_the_others_did(log: Log) -> None:
    slow, fast = log.reader(), log.reader()
    for position in range(1, 6):
        await log.publish([row(position)])
        assert positions(await fast.poll()) == [position]
    assert positions(await slow.poll()) == [1, 2, 3, 4, 5]


async def test_records_come_in_global_position_order_across_symbols_and_partitions(log: Log) -> None:
    await log.publish([row(n, f"SYMBOL{n % 7}") for n in range(1, 40)])
    assert positions(await log.reader().poll(max_records=100)) == list(range(1, 40))


async def test_max_records_bounds_a_poll_and_the_next_goes_on_there(log: Log) -> None:
    await log.publish([row(n) for n in range(1, 6)])
    reader = log.reader()
    assert [positions(await reader.poll(max_records=2)) for _ in range(3)] == [[1, 2], [3, 4], [5]]


async def test_a_reader_sees_only_its_dimension_and_symbols(log: Log) -> None:
    await log.publish([row(1, "A"), row(2, "B"), row(3, "A", TRADES), row(4, "C")])
    assert positions(await log.reader(dimension=QUOTES, symbols=["A", "C"]).poll()) == [1, 4]
    assert positions(await log.reader(dimension=TRADES).poll()) == [3]
    assert positions(await log.reader(symbols=["A"]).poll()) == [1, 3]


async def test_a_reader_starts_after_a_position_at_the_latest_or_at_the_earliest(log: Log) -> None:
    await log.publish([row(n) for n in range(1, 4)])
    after, latest, earliest = log.reader(after=2), log.reader(after="latest"), log.reader(after="earliest")
    await log.publish([row(4)])
    assert positions(await after.poll()) == [3, 4]
    assert positions(await latest.poll()) == [4]
    assert positions(await earliest.poll()) == [1, 2, 3, 4]


async def test_a_reader_after_a_position_yet_to_come_skips_what_lies_before_it(log: Log) -> None:
    reader = log.reader(after=5)
    await log.publish([row(n) for n in range(4, 8)])
    assert positions(await reader.poll()) == [6, 7]


async def test_a_reader_that_seeks_reads_again_from_there(log: Log) -> None:
    await log.publish([row(n) for n in range(1, 5)])
    reader = log.reader()
    await reader.poll()
    reader.seek(2)
    assert reader.position == 2
    assert positions(await reader.poll()) == [3, 4]


async def test_poll_returns_nothing_when_its_time_has_passed(log: Log) -> None:
    assert await log.reader().poll(timeout=0.0) == []


async def test_a_waiting_poll_is_woken_by_a_publish(log: Log) -> None:
    seen: list[int] = []

    async def read() -> None:
        seen.extend(positions(await log.reader(symbols=["B"]).poll(timeout=30.0)))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await log.publish([row(1, "A")])
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            await log.publish([row(2, "B")])
    assert seen == [2]


async def test_lag_counts_matching_records_not_read(log: Log) -> None:
    reader = log.reader(symbols=["A"])
    await log.publish([row(1, "A"), row(2, "B"), row(3, "A"), row(4, "A")])
    assert reader.lag() == 3
    await reader.poll(max_records=1)
    assert reader.lag() == 2
    await reader.poll()
    assert reader.lag() == 0


async def test_position_of_a_reader_passes_what_does_not_match(log: Log) -> None:
    reader = log.reader(symbols=["A"])
    await log.publish([row(1, "A"), row(2, "B")])
    await reader.poll()
    await reader.poll(timeout=0)
    assert reader.position == 2


async def test_a_symbol_stays_on_one_partition_with_offsets_that_count_up(log: Log) -> None:
    await log.publish([row(n, f"S{n % 5}") for n in range(1, 31)])
    records = await log.reader().poll(max_records=100)
    for symbol in {record.key for record in records}:
        assert len({record.partition for record in records if record.key == symbol}) == 1
    for partition, end in log.ends().items():
        assert [record.offset for record in records if record.partition == partition] == list(range(end))


async def test_a_partition_is_read_from_an_offset(log: Log) -> None:
    await log.publish([row(n) for n in range(1, 6)])
    [partition] = [number for number, end in log.ends().items() if end]
    assert positions(await log.read(partition, 2, max_records=2)) == [3, 4]
    assert await log.read(partition, 5) == []


async def test_last_is_the_newest_record_of_a_dimension_and_symbol(log: Log) -> None:
    await log.publish([row(1, "A"), row(2, "A", TRADES), row(3, "A"), row(4, "B")])
    newest = log.last(QUOTES, "A")
    assert newest is not None
    assert newest.position == 3
    assert log.last(TRADES, "B") is None


async def test_group_lag_is_end_minus_committed(log: Log) -> None:
    await log.publish([row(n, f"S{n % 5}") for n in range(1, 101)])
    assert (await log.lag("sensors")).total_lag == 100
    for partition, end in log.ends().items():
        await log.commit("sensors", partition, end)
        assert await log.committed("sensors", partition) == end
    assert (await log.lag("sensors")).total_lag == 0
    await log.publish([row(101, "S1")])
    report = await log.lag("sensors")
    assert (report.group, report.total_lag, report.max_lag) == ("sensors", 1, 1)
    assert sum(partition.lag for partition in report.partitions) == 1
    assert (await log.lag("another")).total_lag == 101


@pytest.mark.parametrize(("partition", "offset"), [(0, -1), (0, 1_000_000), (1_000_000, 0), (-1, 0)])
async def test_a_commit_outside_the_log_is_refused(log: Log, partition: int, offset: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        await log.commit("sensors", partition, offset)


async def test_positions_relayed_earlier_are_not_appended_again(log: Log) -> None:
    await log.resume(10)
    result = await log.publish([row(10), row(11)])
    assert (result.published, result.duplicates) == (1, 1)
    assert positions(await log.reader(after=10).poll()) == [11]


async def test_probe_says_that_an_open_log_works(log: Log) -> None:
    info = await log.probe()
    assert info.healthy
    assert info.degraded_reason is None


async def test_a_closed_log_refuses_and_wakes_its_readers(log: Log) -> None:
    reader = log.reader()
    refused = 0

    async def read() -> None:
        nonlocal refused
        with pytest.raises(StreamClosed):
            await reader.poll(timeout=30)
        refused += 1

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await log.close()
    assert refused == 1
    with pytest.raises(StreamClosed):
        await log.publish([row(1)])
    assert not (await log.probe()).healthy


async def test_a_closed_reader_refuses_and_leaves_the_others_alone(log: Log) -> None:
    closed, other = log.reader(), log.reader()
    await closed.close()
    await log.publish([row(1)])
    with pytest.raises(StreamClosed):
        await closed.poll()
    assert positions(await other.poll()) == [1]
