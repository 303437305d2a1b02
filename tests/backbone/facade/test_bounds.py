"""What a trading process may have open and waiting at once; beyond it a refusal where the caller stands."""

import anyio
import pytest

from backbone import StoreBusy, StoreError, Unsupported
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


async def test_more_calls_of_record_than_may_wait_are_refused_at_once_and_the_others_go_in() -> None:
    outcomes: list[str] = []

    async def record(backbone: Backbone, hour: int) -> None:
        try:
            await backbone.record(bars(1, start=START.replace(hour=hour)))
        except StoreBusy as error:
            outcomes.append(str(error))
        else:
            outcomes.append("in")

    async with embedded(overrides={"ingest.record_waiting_calls": 3}) as backbone:
        async with anyio.create_task_group() as group:
            for hour in range(5):
                group.start_soon(record, backbone, hour)
        assert sorted(outcomes)[2:] == ["in"] * 3
        for refused in sorted(outcomes)[:2]:
            assert refused.startswith(
                "3 calls of record have no answer yet; allowed are 3; none of these rows was taken"
            )
        assert (await backbone.record(bars(5))).inserted == 2
