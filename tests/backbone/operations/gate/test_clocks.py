"""The gate of a backbone whose wall clock is set while its feed goes on, whose database goes back, beside others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from actors.testing import TestSystem
from backbone import Backbone, Dimension, IngestPlan
from backbone.ingest.messages import IngestEnded
from backbone.store.records import Latest
from backbone.stream.messages import DatabaseSetBack
from backbone.testing import embedded, with_store

QUOTES, BTC = Dimension.QUOTES, "BTC-USD"


class Wall:
    """The loop's time, and a wall clock that somebody sets."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.time, self._began = loop.time, loop.time()
        self.set_by = timedelta()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time() - self._began) + self.set_by


async def quoted(backbone: Backbone, ts: datetime) -> None:
    await backbone.record({"symbol": BTC, "ts": ts, "bid": 1.0, "ask": 1.1}, QUOTES)


@asynccontextmanager
async def trading(**given: Any) -> AsyncIterator[tuple[Backbone, Wall]]:
    clock = Wall()
    async with TestSystem("trading", clock=clock) as system, embedded(system=system, **given) as backbone:
        await quoted(backbone, clock.now())
        backbone.gate(QUOTES, BTC)
        await anyio.sleep(1)
        assert backbone.gate(QUOTES, BTC).ok
        yield backbone, clock


async def test_a_feed_that_goes_on_is_not_blocked_by_a_clock_that_was_set_back() -> None:
    async with trading() as (backbone, clock):
        clock.set_by = timedelta(seconds=-50)  # within what the clock of a source may be ahead
        for second in range(200):
            await anyio.sleep(1)
            if second % 5 == 0:
                await quoted(backbone, clock.now() + timedelta(seconds=50))
            assert backbone.gate(QUOTES, BTC).ok


@pytest.mark.parametrize("by", [timedelta(hours=8), timedelta(days=400)])
async def test_after_a_sleep_of_the_machine_it_is_stale_until_a_row_comes(by: timedelta) -> None:
    async with trading() as (backbone, clock):
        clock.set_by = by
        assert backbone.gate(QUOTES, BTC).reasons[0].startswith("unobserved: ")
        await anyio.sleep(1)
        assert backbone.gate(QUOTES, BTC).reasons[0].startswith("stale: its newest row is of 2026-01-01T00:00:00Z")
        await quoted(backbone, clock.now())
        await anyio.sleep(1)
        assert backbone.gate(QUOTES, BTC).ok


async def test_a_clock_that_went_wrong_and_was_put_right_leaves_nothing_behind() -> None:
    """The store is asked ever less often while a row is stale, so that it is not what puts it right here."""
    async with trading(overrides={"quality.freshness.quotes": 600}) as (backbone, clock):
        clock.set_by = timedelta(hours=1)
        await anyio.sleep(90)
        assert backbone.gate(QUOTES, BTC).level == "blocked"
        clock.set_by = timedelta()
        await anyio.sleep(1)
        assert backbone.gate(QUOTES, BTC).ok


async def test_rows_of_a_database_that_was_set_back_do_not_keep_it_open() -> None:
    gone: list[bool] = []

    def made(make: Any) -> Any:
        store = make()
        asked = store.latest

        async def latest(*given: Any, **more: Any) -> list[Latest]:
            found: list[Latest] = await asked(*given, **more)
            return [] if gone else found

        store.latest = latest
        return store

    async with trading(parts=with_store(made)) as (backbone, _):
        gone.append(True)
        backbone.system.publish(DatabaseSetBack, f"{backbone.path}/stream/relay")
        for _ in range(100):
            await anyio.sleep(0.1)
            gate = backbone.gate(QUOTES, BTC)
            assert not gate.ok
        assert gate.reasons == ("unknown: nothing is stored of BTC-USD",)


async def test_a_run_of_another_backbone_in_the_system_says_nothing_of_this_one() -> None:
    async with trading() as (backbone, _):
        for path, level in (("/trading/other/ingest", "ok"), (f"{backbone.path}/ingest", "degraded")):
            plan = IngestPlan(dimensions=[QUOTES], symbols=[BTC], path="quotes.csv")
            backbone.system.publish(IngestEnded, path, run_id="run-1", plan=plan, run=None, error="no file")
            await anyio.sleep(1)
            assert backbone.gate(QUOTES, BTC).level == level


async def test_a_symbol_that_is_stored_by_its_own_name_later_is_no_longer_judged_by_that_of_another() -> None:
    async with trading(overrides={"quality.freshness.quotes": 600}) as (backbone, clock):
        backbone.gate(QUOTES, "btc-usd")
        await anyio.sleep(1)
        assert backbone.gate(QUOTES, "btc-usd").ok
        old = clock.now() - timedelta(hours=1)
        await backbone.record({"symbol": "btc-usd", "ts": old, "bid": 1.0, "ask": 1.1}, QUOTES)
        await anyio.sleep(31)  # gate.refresh
        assert backbone.gate(QUOTES, BTC).ok
        assert backbone.gate(QUOTES, "btc-usd").reasons[0].startswith("stale: ")
