"""The whole cycle, in memory: rows in, committed once, published once, read back equal."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from actors import ActorSystem, HealthChanged
from backbone import Backbone, BackboneClosed, Frame, InputInvalid, NotBuilt, StoreUnavailable, load_settings
from backbone.cache.messages import Fetch
from backbone.facade.subscription import Subscription
from backbone.ingest.messages import RecordResult
from backbone.store.records import OutboxStatus, Query
from backbone.stream.messages import Update
from backbone.testing import Faults, InjectedCrash, embedded
from tests.backbone.facade.kit import BARS, SAMPLE, bars, plan, write_csv


async def take(updates: Subscription, rows: int) -> list[Update]:
    received: list[Update] = []
    with anyio.fail_after(20):
        while sum(update.frame.num_rows for update in received) < rows:
            received.append(await anext(updates))
    return received


async def drained(backbone: Backbone) -> OutboxStatus:
    """The outbox once the relay has caught up."""
    with anyio.fail_after(20):
        while True:
            status = await backbone.outbox()
            if not status.pending:
                return status


async def test_the_sample_goes_in_whole_and_comes_out_equal() -> None:
    async with embedded() as backbone:
        run = await backbone.ingest(plan())
        assert (run.rows_read, run.inserted, run.changed, run.unchanged, run.quarantined) == (5000, 5000, 0, 0, 0)
        frame = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")
        assert frame.num_rows == 5000
        assert run.quality is not None
        assert run.quality.score > 0.98


async def test_a_subscriber_receives_exactly_the_rows_in_order_and_equal_in_bytes() -> None:
    async with embedded(overrides={"ingest.chunk_rows": 700}) as backbone:
        async with backbone.subscribe(BARS, symbols=["EURUSD"]) as updates:
            await backbone.ingest(plan())
            received = await take(updates, 5000)
        stored = await backbone.fetch(BARS, symbols=["EURUSD"])
        frames = [update.frame for update in received]
        assert sum(frame.num_rows for frame in frames) == 5000
        assert Frame.concat(frames).canonical_bytes() == stored.canonical_bytes()
        assert [update.position for update in received] == sorted({update.position for update in received})
        ends = [frame.end for frame in frames if frame.end is not None]
        assert ends == sorted(ends)


async def test_the_same_rows_again_change_nothing_and_publish_nothing() -> None:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        before = await drained(backbone)
        run = await backbone.ingest(plan())
        assert (run.inserted, run.changed, run.unchanged, run.position) == (0, 0, 5000, 0)
        assert (await drained(backbone)).newest == before.newest


async def test_content_a_then_b_then_a_over_the_same_range_ends_in_a(tmp_path: Path) -> None:
    a = write_csv(tmp_path / "bars.csv", bars(close=1.2))
    async with embedded() as backbone:
        await backbone.ingest(plan(a))
        first = await backbone.fetch(BARS)
        write_csv(a, bars(close=1.3))
        assert (await backbone.ingest(plan(a))).changed == 3
        assert (await backbone.fetch(BARS)) != first
        write_csv(a, bars(close=1.2))
        assert (await backbone.ingest(plan(a))).changed == 3
        assert (await backbone.fetch(BARS)) == first


@pytest.mark.parametrize("moment", [{"before_write": 3}, {"after_write": 3}])
async def test_an_ingest_actor_that_crashes_in_the_middle_doubles_and_loses_nothing(moment: dict[str, int]) -> None:
    faults = Faults()
    faults.crash_ingest(**moment)
    async with embedded(faults=faults, overrides={"ingest.chunk_rows": 1000}) as backbone:
        async with backbone.subscribe(BARS) as updates:
            run = await backbone.ingest(plan())
            received = await take(updates, 5000)
        assert (run.rows_read, run.inserted, run.changed, run.unchanged) == (5000, 5000, 0, 0)
        assert run.attempts == 2
        entry = backbone.roster().find("/embedded/backbone/ingest")
        assert entry is not None
        assert (entry.restarts, entry.incarnation) == (1, 2)
        assert InjectedCrash.__name__ in (entry.last_error or "")
        stored = await backbone.fetch(BARS)
        assert stored.num_rows == 5000
        assert Frame.concat([update.frame for update in received]).canonical_bytes() == stored.canonical_bytes()
        assert sum(update.frame.num_rows for update in received) == 5000


async def test_a_fetch_is_never_older_than_what_was_ingested() -> None:
    async with embedded(overrides={"stream.poll_interval": 3600}) as backbone:
        await backbone.record(bars(close=1.2))
        assert (await backbone.fetch(BARS)).column("close")[0] == 1.2
        await backbone.record(bars(close=1.3))
        assert (await backbone.fetch(BARS)).column("close")[0] == 1.3


async def test_live_rows_of_many_callers_are_committed_together_and_each_is_told() -> None:
    async with embedded() as backbone:
        results: list[RecordResult] = []

        async def send(number: int) -> None:
            results.append(await backbone.record(bars(1, symbol=f"S{number}")))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(send, number)
        assert all(result.position > 0 and result.inserted == 1 for result in results)
        assert (await backbone.fetch(BARS)).symbols == tuple(sorted(f"S{number}" for number in range(20)))
        assert await backbone.record(bars(1, symbol="S1")) == RecordResult(unchanged=1)


async def test_a_slow_subscriber_is_waited_for_and_misses_nothing() -> None:
    async with embedded(overrides={"ingest.chunk_rows": 100, "stream.capacity_bytes": 20_000}) as backbone:
        async with backbone.subscribe(BARS) as slow, backbone.subscribe(BARS) as quick:
            await backbone.ingest(plan())
            await take(quick, 5000)
            received = await take(slow, 5000)
        assert len(received) == 50
        assert len({update.event_id for update in received}) == 50


async def test_a_subscription_goes_on_at_its_position_in_another_process_life(tmp_path: Path) -> None:
    overrides = {"store.path": str(tmp_path / "b.duckdb"), "ingest.chunk_rows": 1000}
    async with embedded(overrides=overrides) as backbone, backbone.subscribe(BARS) as updates:
        await backbone.ingest(plan())
        seen = await take(updates, 2000)
    async with (
        embedded(overrides=overrides) as backbone,
        backbone.subscribe(BARS, start=seen[-1].position) as updates,
    ):
        rest = await take(updates, 3000)
        stored = await backbone.fetch(BARS)
        assert Frame.concat([u.frame for u in [*seen, *rest]]).canonical_bytes() == stored.canonical_bytes()
        assert not {u.event_id for u in seen} & {u.event_id for u in rest}


async def test_a_subscription_goes_on_at_its_token_in_this_and_in_another_process_life(tmp_path: Path) -> None:
    overrides = {"store.path": str(tmp_path / "b.duckdb"), "ingest.chunk_rows": 1000}
    async with embedded(overrides=overrides) as backbone:
        async with backbone.subscribe(BARS) as updates:
            await backbone.ingest(plan())
            seen = await take(updates, 2000)
        async with backbone.subscribe(BARS, start=seen[0].resume) as updates:
            assert [update.event_id for update in await take(updates, 1000)] == [seen[1].event_id]
    async with embedded(overrides=overrides) as backbone, backbone.subscribe(BARS, start=seen[-1].resume) as updates:
        rest = await take(updates, 3000)
        stored = await backbone.fetch(BARS)
        assert Frame.concat([u.frame for u in [*seen, *rest]]).canonical_bytes() == stored.canonical_bytes()
        assert not {u.event_id for u in seen} & {u.event_id for u in rest}


@pytest.mark.parametrize("start", ["r1.cut", "newest", ""])
async def test_a_start_that_is_no_token_is_refused_where_it_is_given(start: str) -> None:
    async with embedded() as backbone:
        with pytest.raises(ValueError, match="it is no resume token"):
            backbone.subscribe(BARS, start=start)


async def test_who_fetches_on_an_update_never_reads_what_was_before_it() -> None:
    async with embedded() as backbone, backbone.subscribe(BARS) as updates:
        cache = backbone.system.find("/embedded/backbone/cache")  # which is not told what this process has written
        for close in (1.2, 1.3, 1.4):
            await backbone.record(bars(1, close=close))
            await anext(updates)
            assert (await cache.ask(Fetch(Query(BARS)))).frame.column("close")[0] == close


async def test_who_waits_for_an_update_comes_to_the_end_where_the_subscription_is_left() -> None:
    async with embedded() as backbone:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                ended = list[int]()

                async def listen(updates: Subscription) -> None:
                    ended.append(len([update async for update in updates]))

                async with backbone.subscribe(BARS) as updates, backbone.subscribe(BARS) as others:
                    group.start_soon(listen, updates)
                    await backbone.record(bars(1))
                    await anext(others)
                    await anyio.wait_all_tasks_blocked()
        assert ended == [1]
        entry = backbone.system.roster(detail=True).find("/embedded/backbone/stream/consumer")
        assert entry is not None
        assert entry.detail is not None
        assert entry.detail["subscriptions"] == {}
        await backbone.record(bars(1, close=2.0))


async def test_with_the_store_down_a_fetch_serves_what_the_cache_has_and_says_stale() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(bars())
        fresh = await backbone.fetch(BARS)
        assert not fresh.stale
        faults.store_down()
        await drain_refused(backbone)
        assert (await backbone.fetch(BARS)).num_rows == fresh.num_rows
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await backbone.fetch(BARS, symbols=["NEVER"])
        faults.store_up()
        assert not (await backbone.fetch(BARS)).stale


async def drain_refused(backbone: Backbone) -> None:
    with pytest.raises(StoreUnavailable):
        await backbone.outbox()


async def test_a_stale_window_is_marked_when_newer_rows_are_known() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(bars(close=1.2))
        await backbone.fetch(BARS)
        await backbone.record(bars(close=1.3))
        faults.store_down()
        frame = await backbone.fetch(BARS)
        assert frame.stale
        assert frame.column("close")[0] == 1.2


@pytest.mark.parametrize("in_a_file", [True, False])
async def test_a_store_actor_that_crashes_is_restarted_alone_and_nobody_notices(
    tmp_path: Path, in_a_file: bool
) -> None:
    faults = Faults()
    overrides = {"store.path": str(tmp_path / "b.duckdb")} if in_a_file else {}
    async with embedded(faults=faults, overrides=overrides) as backbone:
        async with backbone.subscribe(BARS) as updates:
            await backbone.record(bars(1))
            first = await take(updates, 1)
            faults.crash_store()
            result = await backbone.record(bars(2))
            second = await take(updates, 1)
        assert result == RecordResult(position=second[0].position, inserted=1, unchanged=1)
        assert second[0].position > first[0].position
        faults.crash_store()
        assert (await backbone.fetch(BARS, limit=50)).num_rows == 2
        roster = backbone.roster()
        for name, incarnation in (("store", 3), ("cache", 1), ("stream/relay", 1), ("ingest", 1), ("retention", 1)):
            entry = roster.find(f"/embedded/backbone/{name}")
            assert entry is not None
            assert (name, entry.incarnation) == (name, incarnation)


async def test_last_is_the_newest_row_seen_on_the_stream() -> None:
    async with embedded() as backbone:
        assert backbone.last("intraday", "EURUSD") is None
        await backbone.record(bars(3, close=1.25))
        await drained(backbone)
        row = backbone.last("intraday", "EURUSD")
        assert row is not None
        assert (row["close"], row["ts"].hour) == (1.25, 2)


async def test_the_embedded_parts_report_degraded_and_say_why() -> None:
    async with embedded() as backbone:
        report = await backbone.connectivity()
        assert report.status == "degraded"
        assert (report.store, report.cache, report.stream) == (True, True, True)
        assert all("stand-in" in probe.why for probe in report.probes)
        for name in ("store", "cache", "stream/relay"):
            entry = backbone.roster().find(f"/embedded/backbone/{name}")
            assert entry is not None
            assert entry.health.level == "degraded"
            assert entry.health.why
            assert entry.health.action


async def test_retention_is_judged_as_of_a_moment_and_never_applied_to_the_embedded_store() -> None:
    async with embedded() as backbone:
        run = await backbone.ingest(plan())
        report = await backbone.retention(as_of=run.span_end)
        (finding,) = report.findings
        assert (finding.symbol, finding.rows, report.applied) == ("EURUSD", 5000, False)
        assert finding.beyond_cap > 0
        with pytest.raises(NotBuilt, match="dry run"):
            await backbone.retention(apply=True)
        assert (await backbone.fetch(BARS)).num_rows == 5000


async def test_what_is_not_built_refuses_clearly() -> None:
    async with embedded() as backbone:
        for call in (backbone.readiness, backbone.drill):
            with pytest.raises(NotBuilt, match="not built yet"):
                await call()


async def test_after_the_backbone_no_task_is_left_but_the_hosts() -> None:
    before = asyncio.all_tasks()
    async with embedded() as backbone, backbone.subscribe(BARS):
        await backbone.ingest(plan())
        roster = backbone.roster()
        assert roster.orphans == ()
    assert asyncio.all_tasks() == before


async def test_a_backbone_joins_a_tree_that_exists_and_closes_only_itself() -> None:
    async with ActorSystem("trading") as system:
        async with embedded(system=system) as backbone:
            await backbone.record(bars())
            assert backbone.roster().find("/trading/backbone/store") is not None
        assert await system.which_children() == ()
        async with embedded(system=system) as again:
            assert (await again.fetch(BARS)).num_rows == 0


async def test_bad_input_is_refused_by_the_facade_with_the_sources_own_words(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    async with embedded() as backbone:
        with pytest.raises(InputInvalid, match="empty"):
            await backbone.ingest(plan(empty))
        with pytest.raises(ValueError, match="nonsense"):
            await backbone.fetch("nonsense")
        entry = backbone.roster().find("/embedded/backbone/ingest")
        assert entry is not None
        assert entry.restarts == 0


async def test_a_bad_row_is_quarantined_and_the_rest_goes_in(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "bars.csv", bars(4))
    path.write_text(path.read_text() + "2018-06-04T09:00:00Z,EURUSD,1,2,x,1,\n2018-06-04T10:00:00Z,EURUSD,-1,2,1,1,\n")
    async with embedded() as backbone:
        run = await backbone.ingest(plan(path))
        assert (run.rows_read, run.quarantined, run.inserted) == (6, 2, 4)
        rows = await backbone.quarantined()
        assert {row.location for row in rows} >= {"bars.csv:6"}
        assert all(row.reason for row in rows)


async def test_a_store_that_can_not_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(profile="embedded", overrides={"store.path": str(tmp_path / "file" / "x")})
    with pytest.raises(StoreUnavailable) as caught:
        async with Backbone.open(settings):
            pass
    assert "\n" not in str(caught.value)


async def test_concurrent_fetches_of_one_window_load_it_once() -> None:
    async with embedded() as backbone:
        await backbone.ingest(plan())
        await drained(backbone)
        await backbone.cache_metrics(reset=True)
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(lambda: backbone.fetch(BARS, limit=100))
        metrics = await backbone.cache_metrics()
        assert metrics.sets == 1


def test_the_sample_is_in_the_project() -> None:
    assert SAMPLE.exists()


async def test_a_store_that_comes_back_is_found_without_anybody_asking() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        events = backbone.system.events.subscribe(HealthChanged)
        faults.store_down()
        await drain_refused(backbone)
        assert (await anext(events)).level == "failed"
        faults.store_up()
        with anyio.fail_after(20):
            while (await anext(events)).path != "/embedded/backbone/store":
                pass
        entry = backbone.roster().find("/embedded/backbone/store")
        assert entry is not None
        assert (entry.health.level, entry.restarts) == ("degraded", 0)


async def test_a_cancelled_body_still_takes_the_backbone_out_of_the_tree_it_joined() -> None:
    async with ActorSystem("trading") as system:
        with anyio.CancelScope() as scope:
            async with embedded(system=system) as backbone, backbone.subscribe(BARS):
                scope.cancel()
                await anyio.sleep_forever()
        assert await system.which_children() == ()


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (ActorSystem.stop, "the actor system has ended"),
        (lambda system: system.terminate_child("backbone"), "was stopped"),
    ],
    ids=["the system", "the backbone alone"],
)
async def test_who_waits_while_the_host_ends_it_is_told_that_it_is_over(
    end: Callable[[ActorSystem], Awaitable[None]], why: str
) -> None:
    """Nothing comes back there: not a minute of asking for it, and no advice to try again."""
    async with ActorSystem("trading") as system, embedded(system=system) as backbone:
        async with backbone.subscribe(BARS) as updates, anyio.create_task_group() as waiting:

            async def wait() -> None:
                with anyio.fail_after(5), pytest.raises(BackboneClosed, match=why):
                    await anext(updates)

            waiting.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await end(system)
        for call in (lambda: backbone.fetch(BARS), lambda: backbone.record(bars()), backbone.outbox):
            with pytest.raises(BackboneClosed, match=why):
                await call()


@pytest.mark.parametrize("moment", [{"before_write": 2}, {"after_write": 2}])
async def test_live_rows_survive_a_crash_of_the_ingest_actor_and_are_seen_by_the_next_fetch(
    moment: dict[str, int],
) -> None:
    faults = Faults()
    faults.crash_ingest(**moment)
    async with embedded(faults=faults, overrides={"stream.poll_interval": 3600}) as backbone:
        await backbone.record(bars(close=1.2))
        assert (await backbone.fetch(BARS)).column("close")[0] == 1.2
        await backbone.record(bars(close=1.3))
        frame = await backbone.fetch(BARS)
        assert (frame.num_rows, frame.column("close")[0]) == (3, 1.3)
        entry = backbone.roster().find("/embedded/backbone/ingest")
        assert entry is not None
        assert entry.restarts == 1


async def test_a_backbone_that_is_entered_by_hand_stays_open_until_it_is_left() -> None:
    overrides = {"store.path": ":memory:", "store.inline": True, "control.enabled": False}
    backbone = await Backbone.open(load_settings(profile="embedded", overrides=overrides)).__aenter__()
    gc.collect()
    await anyio.lowlevel.checkpoint()
    assert (await backbone.record(bars())).inserted == 3
    await backbone._opening.__aexit__(None, None, None)  # type: ignore[attr-defined]
