"""The gate of a whole backbone, on the virtual clock: what blocks it within a second, and what releases it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from actors.testing import TestSystem
from backbone import Backbone, BackboneClosed, Dimension, Frame, InputMissing
from backbone.operations.gate.verdict import Gate
from backbone.operations.gate.watching import GateWatch
from backbone.operations.telemetry.events import Telemetry
from backbone.store.records import OutboxStatus
from backbone.stream.records import Envelope
from backbone.testing import Faults, embedded, with_store, with_stream
from tests.backbone.facade.kit import bars, plan, write_csv

QUOTES, BTC, EURUSD = Dimension.QUOTES, "BTC-USD", "EURUSD"
SECOND = 1.0


def quote(symbol: str, ts: datetime) -> Frame:
    return Frame.from_records(QUOTES, [{"symbol": symbol, "ts": ts, "bid": 1.0, "ask": 1.1}])


def now(backbone: Backbone) -> datetime:
    return backbone.system.clock.now()


@asynccontextmanager
async def opened(**given: Any) -> AsyncIterator[Backbone]:
    """A backbone by whose clock it is 1 January 2026, 00:00 UTC."""
    async with TestSystem("trading") as system, embedded(system=system, **given) as backbone:
        yield backbone


async def quoted(backbone: Backbone, symbol: str = BTC, ts: datetime | None = None) -> None:
    await backbone.record(quote(symbol, now(backbone) if ts is None else ts))


async def turns(backbone: Backbone, level: str, symbol: str = BTC, dimension: Dimension = QUOTES) -> Gate:
    """The gate, once it has this level, which it has to have within a second."""
    until = backbone.system.clock.time() + SECOND
    while (gate := backbone.gate(dimension, symbol)).level != level:
        assert backbone.system.clock.time() < until, gate
        await anyio.sleep(0.01)
    return gate


@asynccontextmanager
async def trading(**given: Any) -> AsyncIterator[Backbone]:
    """A backbone whose gate for one symbol is open."""
    async with opened(**given) as backbone:
        await quoted(backbone)
        await turns(backbone, "ok")
        yield backbone


async def test_what_nobody_has_looked_at_is_blocked_and_then_judged() -> None:
    async with opened() as backbone:
        await quoted(backbone)
        first = backbone.gate("quotes", BTC)
        assert (first.level, first.reasons) == ("blocked", ("unobserved: nobody has looked at it yet",))
        gate = await turns(backbone, "ok")
        assert (gate.ok, gate.reasons, gate.dimension, gate.symbol) == (True, (), QUOTES, BTC)
        assert now(backbone) - gate.as_of <= timedelta(seconds=SECOND)


async def test_nothing_stored_is_blocked() -> None:
    async with opened() as backbone:
        backbone.gate(QUOTES, BTC)
        await anyio.sleep(SECOND)
        assert backbone.gate(QUOTES, BTC).reasons == ("unknown: nothing is stored of BTC-USD",)


async def test_a_stale_feed_blocks_and_its_next_row_releases() -> None:
    async with trading() as backbone:
        await anyio.sleep(59)
        assert backbone.gate(QUOTES, BTC).ok
        await anyio.sleep(2)
        gate = backbone.gate(QUOTES, BTC)
        assert (gate.level, gate.reasons[0].partition(":")[0]) == ("blocked", "stale")
        await quoted(backbone)
        await turns(backbone, "ok")


async def test_a_feed_that_goes_on_is_never_blocked() -> None:
    options = {"quality.freshness.quotes": 5}
    async with trading(overrides=options) as backbone, backbone.watch_gate(QUOTES, [BTC]) as watch:
        for _ in range(30):
            await anyio.sleep(1)
            await quoted(backbone)
            assert backbone.gate(QUOTES, BTC).ok
        assert await changes_of(watch) == ["ok"]


async def changes_of(watch: GateWatch) -> list[str]:
    """The levels of what waits, once no more is to come."""
    watch.close()
    return [str(gate.level) async for gate in watch]


async def test_a_closed_market_is_not_stale_and_an_open_one_is() -> None:
    options = {"gate.interval": 3600, "stream.poll_interval": 3600, "telemetry.interval": 3600}
    async with opened(overrides=options) as backbone:
        await quoted(backbone, EURUSD, datetime(2025, 12, 31, 21, 59, 59, tzinfo=UTC))
        await turns(backbone, "ok", EURUSD)
        await anyio.sleep(22 * 3600)  # from now on forex is open
        assert backbone.gate(QUOTES, EURUSD).ok
        await anyio.sleep(61)  # and nobody has looked since
        assert backbone.gate(QUOTES, EURUSD).reasons == ("stale: its data has become old since the last look",)
        await anyio.sleep(3600)
        assert backbone.gate(QUOTES, EURUSD).reasons[0].startswith("stale: its newest row is of 2025-12-31T21:59:59Z")


@pytest.mark.parametrize(("low", "level"), [(0.7, "blocked"), (0.85, "ok")])
async def test_a_failed_quality_run_blocks_and_a_good_one_releases(tmp_path: Path, low: float, level: str) -> None:
    options = {"gate.stale": "ignored", "quality.warn_score": low, "quality.fail_score": low}
    async with opened(overrides=options) as backbone:
        some = bars(100)
        holes = Frame.from_arrow(some.dimension, some.to_arrow().take([*range(0, 100, 4), *range(80, 100)]))
        await backbone.ingest(plan(write_csv(tmp_path / "bars.csv", some)))
        await turns(backbone, "ok", EURUSD, Dimension.INTRADAY_BARS)
        await backbone.ingest(plan(write_csv(tmp_path / "holes.csv", holes)))
        gate = await turns(backbone, "blocked", EURUSD, Dimension.INTRADAY_BARS)
        assert gate.reasons[0].startswith("quality: ")
        await backbone.ingest(plan(write_csv(tmp_path / "again.csv", some)))
        await turns(backbone, "ok", EURUSD, Dimension.INTRADAY_BARS)


async def test_a_run_that_was_not_carried_out_asks_for_care_until_the_next_one(tmp_path: Path) -> None:
    async with opened(overrides={"gate.stale": "ignored"}) as backbone:
        good = plan(write_csv(tmp_path / "bars.csv", bars(24)))
        await backbone.ingest(good)
        await turns(backbone, "ok", EURUSD, Dimension.INTRADAY_BARS)
        with pytest.raises(InputMissing):
            await backbone.ingest(plan(tmp_path / "nothing.csv"))
        gate = await turns(backbone, "degraded", EURUSD, Dimension.INTRADAY_BARS)
        assert gate.reasons[0].startswith("run: ")
        await backbone.ingest(good)
        await turns(backbone, "ok", EURUSD, Dimension.INTRADAY_BARS)


async def test_the_newest_run_of_an_earlier_process_still_counts(tmp_path: Path) -> None:
    some = bars(100)
    holes = Frame.from_arrow(some.dimension, some.to_arrow().take([*range(0, 100, 4)]))
    options = {"gate.stale": "ignored", "store.path": str(tmp_path / "backbone.duckdb")}
    async with opened(overrides=options) as backbone:
        await backbone.ingest(plan(write_csv(tmp_path / "holes.csv", holes)))
    async with opened(overrides=options) as backbone:
        gate = await anyway(backbone, EURUSD)
        assert gate.reasons[0].startswith("quality: ")


async def anyway(backbone: Backbone, symbol: str) -> Gate:
    """The gate of bars, once somebody has looked."""
    backbone.gate(Dimension.INTRADAY_BARS, symbol)
    await anyio.sleep(SECOND)
    return backbone.gate(Dimension.INTRADAY_BARS, symbol)


async def test_a_store_that_is_cut_blocks_until_it_is_back() -> None:
    faults = Faults()
    async with trading(faults=faults) as backbone:
        faults.store_down("injected: cut")
        gate = await turns(backbone, "blocked")
        assert gate.reasons == ("store: injected: cut",)
        faults.store_up()
        await turns(backbone, "ok")


async def test_a_store_that_is_silent_blocks_until_it_answers() -> None:
    answers = anyio.Event()
    answers.set()

    def made(make: Callable[[], Any]) -> Any:
        store = make()
        asked = store.outbox_status

        async def outbox_status(sink: str = "") -> OutboxStatus:
            await answers.wait()
            found: OutboxStatus = await asked(sink)
            return found

        store.outbox_status = outbox_status
        return store

    async with trading(parts=with_store(made)) as backbone:
        answers = anyio.Event()
        gate = await turns(backbone, "blocked")
        assert gate.reasons == ("store: it has not answered within 0.5 s",)
        answers.set()
        await turns(backbone, "ok")


async def test_a_stream_that_publishes_nothing_blocks_until_it_does() -> None:
    held: list[anyio.Event] = []

    def made(stream: Any) -> Any:
        publisher = stream.publisher

        def changed() -> Any:
            one = publisher()
            publish = one.publish

            async def held_up(rows: Sequence[Envelope]) -> Any:
                for event in held:
                    await event.wait()
                return await publish(rows)

            one.publish = held_up
            return one

        stream.publisher = changed
        return stream

    async with trading(parts=with_stream(made), overrides={"gate.lag": 3}) as backbone:
        held.append(anyio.Event())
        await quoted(backbone)
        await anyio.sleep(3)
        gate = await turns(backbone, "blocked")
        assert gate.reasons[0].partition(":")[0] in {"lag", "stream"}
        held[0].set()
        await turns(backbone, "ok")


async def test_the_kill_switch_blocks_everything_until_it_is_gone(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    async with trading(overrides={"kill_switch": str(switch)}) as backbone:
        switch.touch()
        gate = await turns(backbone, "blocked")
        assert gate.reasons == (f"kill_switch: the kill switch {switch} is there; remove the file to go on",)
        assert backbone.gate(QUOTES, EURUSD).level == "blocked"
        switch.unlink()
        await turns(backbone, "ok")


@pytest.mark.parametrize(("rule", "level"), [("blocked", "blocked"), ("degraded", "degraded"), ("ignored", "ok")])
async def test_rules_are_those_of_the_settings(rule: str, level: str) -> None:
    async with trading(overrides={"gate.stale": rule, "quality.freshness.quotes": 5}) as backbone:
        await anyio.sleep(7)
        assert backbone.gate(QUOTES, BTC).level == level


async def test_the_worst_reason_counts_and_stands_first(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    options = {"gate.stale": "degraded", "quality.freshness.quotes": 5, "kill_switch": str(switch)}
    async with trading(overrides=options) as backbone:
        await anyio.sleep(7)
        switch.touch()
        gate = await turns(backbone, "blocked")
        assert [each.partition(":")[0] for each in gate.reasons] == ["kill_switch", "stale"]


async def test_symbols_are_found_whatever_their_case_and_dimensions_by_their_aliases() -> None:
    async with opened() as backbone:
        ticks = [{"symbol": BTC, "ts": now(backbone), "price": 1.0, "size": 1.0}]
        await backbone.record(ticks, "trades")
        await turns(backbone, "ok", "btc-usd", "ticks")  # type: ignore[arg-type]
        assert backbone.gate("TRADES", BTC).symbol == BTC


async def test_watchers_hear_of_changes_and_end_with_the_backbone(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    levels: list[str] = []

    async def follow(watch: GateWatch) -> None:
        levels.extend([f"{gate.symbol} {gate.level}" async for gate in watch])

    async with anyio.create_task_group() as group, trading(overrides={"kill_switch": str(switch)}) as backbone:
        group.start_soon(follow, backbone.watch_gate(QUOTES, [BTC]))
        await anyio.sleep(1)
        switch.touch()
        await anyio.sleep(1)
        switch.unlink()
        await anyio.sleep(1)
    assert levels == ["BTC-USD ok", "BTC-USD blocked", "BTC-USD ok"]


async def test_a_slow_watcher_gets_what_holds_by_then(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    async with trading(overrides={"kill_switch": str(switch)}) as backbone:
        watch = backbone.watch_gate()
        for change in (switch.touch, switch.unlink, switch.touch):
            change()
            await anyio.sleep(1)
        assert (watch.coalesced, watch.policy) == (3, "of each symbol the newest change stays")
        assert await changes_of(watch) == ["blocked"]


async def test_telemetry_tells_of_symbols_that_change_alike_in_one_event(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    heard: list[Telemetry] = []
    async with trading(overrides={"kill_switch": str(switch)}) as backbone:
        names = [f"{number:03}-USD" for number in range(100)]
        await backbone.record([{"symbol": name, "ts": now(backbone), "bid": 1.0} for name in names], QUOTES)
        for name in names:
            backbone.gate(QUOTES, name)
        await anyio.sleep(2)
        backbone.telemetry.listen(heard.append, ["telemetry.gate"])
        switch.touch()
        await anyio.sleep(1)
    told = [(each.payload.level, each.payload.symbol_count, len(each.payload.symbols)) for each in heard]
    assert sum(count for _, count, _ in told) == 101
    assert len(told) <= 2
    assert all(level == "blocked" and named <= 64 for level, _, named in told)


async def test_no_more_symbols_are_judged_than_may_be() -> None:
    async with trading(overrides={"gate.symbols": 1}) as backbone:
        await anyio.sleep(1)
        assert backbone.gate(QUOTES, EURUSD).reasons == (
            "unobserved: 1 symbols are judged already; gate.symbols allows more",
        )
        assert backbone.gate(QUOTES, BTC).ok


async def test_without_looks_nothing_is_ok() -> None:
    async with trading() as backbone:
        await backbone.system.suspend(f"{backbone.path}/gate")
        await anyio.sleep(3)
        [why] = backbone.gate(QUOTES, BTC).reasons
        assert why.startswith("unobserved: nobody has looked since 2026-01-01T00:00:0")
        backbone.system.resume(f"{backbone.path}/gate")
        await turns(backbone, "ok")


async def test_a_backbone_that_was_left_has_no_gate() -> None:
    async with opened() as backbone:
        pass
    with pytest.raises(BackboneClosed):
        backbone.gate(QUOTES, BTC)
    with pytest.raises(BackboneClosed):
        backbone.watch_gate()


async def test_wrong_arguments_are_refused() -> None:
    async with opened() as backbone:
        with pytest.raises(ValueError, match="unknown dimension"):
            backbone.gate("nonsense", BTC)
        with pytest.raises(ValueError, match="without their dimension"):
            backbone.watch_gate(symbols=[BTC])
        with pytest.raises(TypeError, match="symbol"):
            backbone.gate(QUOTES, 7)  # type: ignore[arg-type]


async def test_the_gate_answers_on_when_its_actor_is_restarted() -> None:
    async with trading() as backbone:
        await backbone.system.restart(f"{backbone.path}/gate")
        await turns(backbone, "ok")
        await anyio.sleep(70)
        assert backbone.gate(QUOTES, BTC).level == "blocked"


async def test_nobody_is_asked_before_somebody_asks() -> None:
    async with opened() as backbone:
        await anyio.sleep(5)
        entry = backbone.roster().find(f"{backbone.path}/gate")
        assert entry is not None
        assert entry.handled == 0
