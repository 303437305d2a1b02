"""Parts that are restarted under a gate: it tells nothing untrue meanwhile, and follows the feed behind them again."""

from __future__ import annotations

import anyio
import pytest

from backbone.operations.telemetry.events import Telemetry
from tests.backbone.operations.gate.test_gate import BTC, QUOTES, quoted, trading, turns

PARTS = ("stream/relay", "stream/last", "store", "ingest", "cache", "watch/telemetry")


@pytest.mark.parametrize("part", PARTS)
async def test_the_feed_behind_a_part_that_was_restarted_counts(part: str) -> None:
    async with trading(overrides={"quality.freshness.quotes": 5}) as backbone:
        await backbone.system.restart(f"{backbone.path}/{part}")
        await quoted(backbone)
        await turns(backbone, "ok")
        await anyio.sleep(4.5)
        assert backbone.gate(QUOTES, BTC).ok
        await quoted(backbone)
        await anyio.sleep(4.5)
        assert backbone.gate(QUOTES, BTC).ok  # of the second quote, which came by a stream that goes on
        await anyio.sleep(1)
        assert [each.partition(":")[0] for each in backbone.gate(QUOTES, BTC).reasons] == ["stale"]


@pytest.mark.parametrize("part", PARTS)
async def test_what_watchers_see_of_a_part_that_is_restarted_is_what_telemetry_is_told(part: str) -> None:
    seen, told = list[str](), list[Telemetry]()
    async with anyio.create_task_group() as group, trading() as backbone:
        backbone.telemetry.listen(told.append, ["telemetry.gate"])
        watch = backbone.watch_gate(QUOTES, [BTC])

        async def read() -> None:
            async for gate in watch:
                seen.append(str(gate.level))

        group.start_soon(read)
        await anyio.sleep(1)
        await backbone.system.restart(f"{backbone.path}/{part}")
        await anyio.sleep(60)
        assert [each.partition(":")[0] for each in backbone.gate(QUOTES, BTC).reasons] == ["stale"]
        await quoted(backbone)
        await turns(backbone, "ok")
        await anyio.sleep(1)
        levels = [(str(each.payload.before), str(each.payload.level)) for each in told]
        assert levels[-2:] == [("ok", "blocked"), ("blocked", "ok")]
        assert [after for _, after in levels[:-1]] == [before for before, _ in levels[1:]]  # no change is left out
        assert ["ok", *(after for _, after in levels)] == seen
