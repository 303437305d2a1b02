"""Live rows: how long they wait, what becomes of those behind a refusal, and what each caller is told."""

from datetime import timedelta

import anyio
import pytest

from backbone import Backbone, Frame, RecordResult, StoreUnavailable
from backbone.testing import Faults, embedded
from tests.backbone.app.kit import BARS, START, bars

LINGER = 0.05


async def test_rows_wait_no_longer_than_their_linger_however_many_follow_them() -> None:
    async with embedded(overrides={"ingest.record_linger": LINGER}) as backbone:
        waited: list[float] = []

        async def send(number: int) -> None:
            began = anyio.current_time()
            await backbone.record(bars(1, start=START + timedelta(hours=number)))
            waited.append(anyio.current_time() - began)

        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(send, number)
                await anyio.sleep(LINGER / 2)  # virtual: sooner than the linger ends, a hundred times
        assert len(waited) == 100
        assert max(waited) <= LINGER + 1e-6


async def test_rows_that_wait_behind_a_refused_batch_are_written_at_once() -> None:
    faults = Faults()
    async with embedded(faults=faults, overrides={"ingest.record_linger": LINGER}) as backbone:
        outcomes: dict[int, object] = {}

        async def send(number: int) -> None:
            try:
                outcomes[number] = await backbone.record(bars(1, start=START + timedelta(hours=number)))
            except StoreUnavailable as error:
                outcomes[number] = error
                faults.store_up()

        async with anyio.create_task_group() as group:
            faults.refuse_write_once()
            group.start_soon(send, 1)
            await anyio.sleep(LINGER * 1.5)
            group.start_soon(send, 2)
            began = anyio.current_time()
        assert isinstance(outcomes[1], StoreUnavailable)
        assert isinstance(outcomes[2], RecordResult)
        assert anyio.current_time() - began <= 1


async def record_all(backbone: Backbone, frames: list[Frame]) -> list[RecordResult]:
    results: dict[int, RecordResult] = {}

    async def send(number: int) -> None:
        results[number] = await backbone.record(frames[number])

    async with anyio.create_task_group() as group:
        for number in range(len(frames)):
            group.start_soon(send, number)
    return [results[number] for number in range(len(frames))]


async def test_each_caller_of_one_commit_is_told_what_became_of_their_own_rows() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(2, close=1.2))
        bad = Frame.from_records(BARS, [{**bars(1).to_arrow().to_pylist()[0], "close": -1.0}])
        known, new, other, mixed, kept_aside, empty = await record_all(
            backbone,
            [
                bars(1, close=1.2),
                bars(2, symbol="GBPUSD"),
                bars(1, close=1.3, start=START + timedelta(hours=1)),
                bars(3, close=1.25, start=START + timedelta(hours=1)),
                bad,
                Frame.empty(BARS),
            ],
        )
        assert known == RecordResult(unchanged=1)
        assert (new.inserted, new.changed, new.unchanged, new.position > 0) == (2, 0, 0, True)
        assert (other.inserted, other.changed) == (0, 1)
        assert (mixed.inserted, mixed.changed) == (2, 1)
        assert kept_aside == RecordResult(quarantined=1, reasons=("has a price of zero or less",))
        assert empty == RecordResult()
        stored = await backbone.fetch(BARS, symbols=["EURUSD"])
        assert stored.column("close").tolist() == [1.2, 1.25, 1.25, 1.25]
        assert [row.reason for row in await backbone.quarantined()] == ["has a price of zero or less"]


@pytest.mark.parametrize(
    ("dimension", "row", "reason"),
    [
        ("daily", {"close": float("nan")}, "has no price to go by"),
        ("intraday", {"interval": "1h", "open": 1.0, "high": 1.0, "low": 1.0}, "has no price to go by"),
        ("trades", {"size": 1.0}, "has no price to go by"),
        ("quotes", {"bid_size": 1.0}, "has no price to go by"),
        ("daily", {"open": 1.0, "high": 1.0, "low": 1.0, "close": float("inf")}, "has an infinite number"),
    ],
)
async def test_a_row_that_a_file_could_not_bring_in_is_not_recorded_either(
    dimension: str, row: dict[str, object], reason: str
) -> None:
    async with embedded() as backbone:
        result = await backbone.record(Frame.from_records(dimension, [{"symbol": "A", "ts": START, **row}]))
        assert (result.quarantined, result.reasons, result.position) == (1, (reason,), 0)
        assert (await backbone.fetch(dimension)).num_rows == 0
