"""The gate of a backbone on a file, by the clock on the wall: what blocks it, and what releases it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio

from backbone import Backbone, Dimension, Gate, GateWatch, load_settings
from backbone.testing import Faults, embedded

BTC = "BTC-USD"
PATIENCE = 20.0  # of a machine that has other things to do; what is due within a second is held on the virtual clock


async def quote(backbone: Backbone, symbol: str = BTC) -> None:
    await backbone.record({"symbol": symbol, "ts": datetime.now(UTC), "bid": 1.0, "ask": 1.1}, "quotes")


async def until(watch: GateWatch, level: str) -> Gate:
    with anyio.fail_after(PATIENCE):
        async for gate in watch:
            if gate.level == level:
                return gate
    raise AssertionError("the watch has ended")


@asynccontextmanager
async def trading(
    folder: Path, faults: Faults | None = None, options: Mapping[str, object] | None = None
) -> AsyncIterator[tuple[Backbone, GateWatch]]:
    overrides = {"store.path": str(folder / "backbone.duckdb"), "store.inline": False, **(options or {})}
    async with embedded(faults=faults, overrides=overrides) as backbone:
        await quote(backbone)
        async with backbone.watch_gate(Dimension.QUOTES, [BTC]) as watch:
            await until(watch, "ok")
            yield backbone, watch


async def test_a_silent_feed_blocks_and_its_next_quote_releases(tmp_path: Path) -> None:
    async with trading(tmp_path, options={"quality.freshness.quotes": 0.5}) as (backbone, watch):
        gate = await until(watch, "blocked")
        assert gate.reasons[0].startswith("stale: ")
        await quote(backbone)
        await until(watch, "ok")


async def test_the_kill_switch_blocks_while_it_is_there(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    async with trading(tmp_path, options={"kill_switch": str(switch)}) as (_, watch):
        switch.touch()
        assert (await until(watch, "blocked")).reasons[0].startswith("kill_switch: ")
        switch.unlink()
        await until(watch, "ok")


async def test_a_store_that_is_cut_blocks_until_it_is_back(tmp_path: Path) -> None:
    faults = Faults()
    async with trading(tmp_path, faults) as (_, watch):
        faults.store_down("injected: cut")
        assert (await until(watch, "blocked")).reasons == ("store: injected: cut",)
        faults.store_up()
        await until(watch, "ok")


async def test_a_gate_is_read_without_a_word_to_anybody(tmp_path: Path) -> None:
    async with trading(tmp_path) as (backbone, _):
        handled = {entry.path: entry.handled for entry in backbone.roster().entries}
        answers = [backbone.gate("quotes", BTC) for _ in range(1000)]
        assert {entry.path: entry.handled for entry in backbone.roster().entries} == handled
        assert {gate.level for gate in answers} == {"ok"}


async def test_what_is_closed_ends_the_watch() -> None:
    async with embedded() as backbone:
        watch = backbone.watch_gate(Dimension.QUOTES, [BTC])
    assert [gate.level async for gate in watch][-1:] == ["blocked"]


async def test_each_backbone_of_a_system_has_its_own_gates(tmp_path: Path) -> None:
    settings = load_settings(profile="embedded", overrides={"store.path": ":memory:", "control.enabled": False})
    async with Backbone.open(settings) as other, trading(tmp_path):
        assert other.gate("quotes", BTC).reasons == ("unobserved: nobody has looked at it yet",)
