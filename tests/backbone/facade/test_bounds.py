"""What a trading process may have open and waiting at once; beyond it a refusal where the caller stands."""

from collections.abc import Sequence

import anyio
import pytest

from backbone import Frame, StoreBusy, StoreError, Unsupported
from backbone.facade.backbone import Backbone
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, START, bars


async def test_so_many_subscriptions_are_open_at_once_and_one_that_is_left_makes_room() -> None:
    async with embedded(overrides={"stream.subscriptions": 2}) as backbone, backbone.subscribe(BARS) as stays:
        for _ in range(2):
            async with backbone.subscribe(BARS):
                with pytest.raises(
                    Unsupported, match=r"2 subscriptions are open; allowed are 2; .*stream.subscriptions"
                ):
                    async with backbone.subscribe(BARS):
                        pytest.fail("it opened")
        await backbone.record(bars(1))
        assert (await anext(stays)).symbol == "EURUSD"


async def test_a_subscription_that_fails_to_open_leaves_no_place_taken() -> None:
    async with embedded(overrides={"stream.subscriptions": 1}) as backbone:
        for _ in range(3):
            with pytest.raises(StoreError, match="was it restored"):
                async with backbone.subscribe(BARS, start=7) as updates:
                    await anext(updates)


async def test_one_subscription_names_so_many_symbols() -> None:
    async with embedded(overrides={"stream.subscription_symbols": 2}) as backbone:
        with pytest.raises(ValueError, match=r"symbols: 3 given; allowed are 2 .*stream.subscription_symbols"):
            backbone.subscribe(BARS, symbols=["A", "B", "C"])
        async with backbone.subscribe(BARS, symbols=["A", "B", "A"]):
            pass


async def outcomes_of(backbone: Backbone, frames: Sequence[Frame]) -> list[str]:
    """What became of calls that are made at once: "in", or why not."""
    outcomes: list[str] = []

    async def record(frame: Frame) -> None:
        try:
            await backbone.record(frame)
        except StoreBusy as error:
            outcomes.append(str(error))
        else:
            outcomes.append("in")

    async with anyio.create_task_group() as group:
        for frame in frames:
            group.start_soon(record, frame)
    return sorted(outcomes)


def hours(count: int) -> list[Frame]:
    return [bars(1, start=START.replace(hour=hour)) for hour in range(count)]


async def test_more_calls_of_record_than_may_wait_are_refused_at_once_and_the_others_go_in() -> None:
    async with embedded(overrides={"ingest.record_waiting_calls": 3}) as backbone:
        *refused, one, two, three = await outcomes_of(backbone, hours(5))
        assert (one, two, three) == ("in", "in", "in")
        assert len(refused) == 2
        assert all(each.startswith("3 calls of record have no answer yet, of 3 rows") for each in refused)
        assert all("none of the rows of this one was taken" in each for each in refused)
        assert (await backbone.record(bars(5))).inserted == 2


@pytest.mark.parametrize("bound", ["rows", "bytes"])
async def test_rows_that_nobody_takes_since_ingest_is_away_are_bounded_where_they_are_given(bound: str) -> None:
    """Six writers might be at work, each with a batch of one row, or of one byte."""
    size = {"rows": 1, "bytes": bars(1).nbytes}[bound]
    most = {f"ingest.record_waiting_{bound}": 2 * size, f"ingest.record_batch_{bound}": size}
    async with embedded(overrides=most) as backbone:
        await backbone.system.suspend(f"{backbone.path}/ingest")
        async with anyio.create_task_group() as group:
            group.start_soon(outcomes_of, backbone, hours(8))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(StoreBusy, match=rf"8 calls .* of 8 rows .*record_waiting_{bound}"):
                await backbone.record(bars(1, start=START.replace(hour=9)))
            backbone.system.resume(f"{backbone.path}/ingest")
        assert (await backbone.record(bars(1, start=START.replace(hour=9)))).inserted == 1


async def test_rows_of_callers_who_gave_up_while_ingest_was_away_do_not_wait_for_it() -> None:
    """Each makes room for the next one: they would pile up in the mailbox, beyond all bounds."""
    async with embedded(overrides={"ingest.record_waiting_calls": 1}) as backbone:
        await backbone.system.suspend(f"{backbone.path}/ingest")
        for frame in hours(3):
            async with anyio.create_task_group() as group:
                group.start_soon(backbone.record, frame)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
        backbone.system.resume(f"{backbone.path}/ingest")
        await backbone.record(bars(1, start=START.replace(hour=9)))
        assert (await backbone.fetch(BARS)).num_rows == 1


async def test_a_call_larger_than_all_that_may_wait_goes_in_where_none_waits() -> None:
    most = {"ingest.record_waiting_rows": 1, "ingest.record_batch_rows": 1}
    async with embedded(overrides=most) as backbone:
        assert (await backbone.record(bars(20))).inserted == 20
