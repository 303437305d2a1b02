"""Retention for real: what is dropped and pruned, on request and by schedule, and what is never."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from actors import ActorSystem
from actors.testing import TestSystem
from backbone import Backbone, Dimension, Frame, NotBuilt, StoreUnavailable, load_settings
from backbone.domain.status import Status
from backbone.operations.probes.status import judge
from backbone.operations.telemetry.events import Telemetry
from backbone.store.duckdb.store import DuckDBStore
from backbone.store.errors import StoreUnavailable as Unavailable
from backbone.store.records import Coverage, QuarantineRow, Query, ReadResult
from backbone.testing import with_store
from tests.backbone.facade.kit import BARS, bars, plan, write_csv

DAY = timedelta(days=1)
NOON = timedelta(hours=12)
NOW = datetime(2026, 1, 1, tzinfo=UTC)  # where the virtual clock begins


class Store(DuckDBStore):
    """A store with a clock of its own, and things that go wrong."""

    def __init__(self) -> None:
        self.now = NOW
        self.unreadable: set[Dimension] = set()
        self.names_everything = False
        self.drops: list[datetime] = []
        self.drops_left = 1000
        self.reading: anyio.Event | None = None
        self.may_read = anyio.Event()
        super().__init__(":memory:", inline=True, clock=lambda: self.now)

    async def coverage(
        self, dimension: Dimension, as_of: datetime | None = None, *, symbols: Sequence[str] = ()
    ) -> list[Coverage]:
        if dimension in self.unreadable:
            raise Unavailable("injected: no answer")
        return await super().coverage(dimension, as_of, symbols=symbols)

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        if dry_run and self.names_everything:
            before = datetime(9999, 1, 1, tzinfo=UTC)
        if not dry_run:
            if len(self.drops) >= self.drops_left:
                raise Unavailable("injected: gone in the middle")
            self.drops.append(before)
        return await super().drop(dimension, before=before, dry_run=dry_run)

    async def read(self, query: Query) -> ReadResult:
        result = await super().read(query)
        if self.reading is not None:
            self.reading.set()
            await self.may_read.wait()
        return result


@asynccontextmanager
async def enforcing(
    store: Store,
    *,
    system: ActorSystem | None = None,
    enforceable: bool = True,
    kill_switch: Path | None = None,
    **retention: Any,
) -> AsyncIterator[Backbone]:
    """A backbone whose embedded store may be enforced."""
    chosen = {f"retention.{name}": value for name, value in retention.items()}
    overrides = {"store.path": ":memory:", "store.inline": True, "control.enabled": False}
    overrides |= {"stream.poll_interval": 3600, "kill_switch": kill_switch and str(kill_switch), **chosen}
    settings = load_settings(profile="embedded", overrides=overrides)
    parts = {
        **with_store(lambda _: store),
        "retention": lambda spec: msgspec.structs.replace(spec, kwargs={"enforceable": enforceable}),
    }
    async with TestSystem() as own, Backbone.open(settings, system=system or own, parts=parts) as backbone:
        yield backbone


def daily(begin: datetime, days: int, symbol: str = "EURUSD") -> Frame:
    """One hourly bar a day, at noon."""
    return Frame.concat([bars(1, start=begin + n * DAY + NOON, symbol=symbol) for n in range(days)])


async def test_rows_beyond_the_cap_are_dropped_after_a_dry_run_that_names_them() -> None:
    store = Store()
    async with enforcing(store) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        planned = await backbone.retention()
        (drop,) = planned.drops
        assert (planned.applied, drop.rows, drop.kept) == (False, 35, "")
        assert drop.before == planned.as_of - 65 * DAY
        assert "would be dropped" in planned.findings[0].message
        assert store.drops == []
        done = await backbone.retention(apply=True)
        assert (done.applied, done.drops[0].rows, done.drops[0].before) == (True, 35, done.as_of - 65 * DAY)
        (finding,) = done.findings
        assert (finding.rows, finding.beyond_cap, finding.earliest) == (65, 0, NOW - 65 * DAY + NOON)
        assert "would be" not in finding.message
        assert len(store.drops) >= 2
        assert (await backbone.retention(apply=True)).drops == ()
        assert "rows dropped" in done.to_markdown()


async def test_the_cache_serves_no_dropped_row_and_caches_again_afterwards() -> None:
    async with enforcing(Store()) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        assert (await backbone.fetch(BARS)).num_rows == 100
        await backbone.retention(apply=True)
        assert (await backbone.fetch(BARS)).num_rows == 65
        before = await backbone.cache_metrics()
        assert (await backbone.fetch(BARS)).num_rows == 65
        assert (await backbone.cache_metrics()).hits == before.hits + 1


async def test_a_window_read_before_a_drop_is_not_cached_after_it() -> None:
    store = Store()
    async with enforcing(store) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        store.reading = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(backbone.fetch, BARS)
            await store.reading.wait()
            await backbone.retention(apply=True)
            store.may_read.set()
        assert (await backbone.fetch(BARS)).num_rows == 65


async def test_dropped_rows_can_be_ingested_again(tmp_path: Path) -> None:
    frame = daily(NOW - 100 * DAY, 100)
    path = write_csv(tmp_path / "bars.csv", frame)
    async with enforcing(Store()) as backbone:
        assert (await backbone.ingest(plan(path))).inserted == 100
        await backbone.retention(apply=True)
        again = await backbone.ingest(plan(path))
        assert (again.inserted, again.unchanged) == (35, 65)
        assert await backbone.fetch(BARS) == frame


async def test_the_newest_chunk_stays_however_old_it_is_and_the_report_says_so() -> None:
    async with enforcing(Store()) as backbone:
        await backbone.record(daily(NOW - 1000 * DAY, 100))
        (drop,) = (await backbone.retention(apply=True)).drops
        assert drop.rows == 69
        left = await backbone.fetch(BARS)
        assert (left.num_rows, left.start) == (31, NOW - 931 * DAY + NOON)
        report = await backbone.retention(apply=True)
        assert report.drops[0].rows == 0
        assert "never dropped" in report.drops[0].kept
        assert (report.findings[0].status, report.status) == (Status.FAILED, Status.FAILED)


async def test_a_symbol_that_ended_keeps_its_last_row() -> None:
    async with enforcing(Store()) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await backbone.record(daily(NOW - 200 * DAY, 20, "OLD"))
        (drop,) = (await backbone.retention(apply=True)).drops
        assert drop.rows == 19
        assert drop.kept.startswith("OLD has no rows after 2025-07-04")
        assert (await backbone.fetch(BARS, symbols=["OLD"])).num_rows == 1
        assert (await backbone.fetch(BARS, symbols=["EURUSD"])).num_rows == 100


async def test_days_are_counted_back_from_as_of_and_later_rows_do_not_matter() -> None:
    async with enforcing(Store()) as backbone:
        await backbone.record(daily(NOW - 200 * DAY, 200))
        (drop,) = (await backbone.retention(apply=True, as_of=NOW - 100 * DAY)).drops
        assert (drop.before, drop.rows) == (NOW - 165 * DAY, 35)


async def test_nothing_is_dropped_while_what_is_stored_can_not_be_read() -> None:
    store = Store()
    async with enforcing(store) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        store.unreadable = {Dimension.TRADES}
        report = await backbone.retention()
        assert report.status is Status.FAILED
        assert "trades could not be read (trades: injected: no answer)" in report.note
        with pytest.raises(StoreUnavailable, match="nothing was dropped"):
            await backbone.retention(apply=True)
        store.unreadable = set(Dimension)
        with pytest.raises(StoreUnavailable, match="no answer"):
            await backbone.retention()
        assert store.drops == []


async def test_a_dry_run_that_names_everything_is_not_followed() -> None:
    store = Store()
    async with enforcing(store) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        store.names_everything = True
        (drop,) = (await backbone.retention(apply=True)).drops
        assert (drop.rows, drop.kept) == (0, "the dry run named all 100 rows; nothing was dropped")
        assert store.drops == []


async def test_a_store_that_goes_away_in_the_middle_leaves_no_dropped_row_in_the_cache() -> None:
    store = Store()
    async with enforcing(store) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await backbone.fetch(BARS)
        store.drops_left = 1
        with pytest.raises(StoreUnavailable, match="in the middle"):
            await backbone.retention(apply=True)
        left = await backbone.fetch(BARS)
        assert 65 < left.num_rows < 100
        store.drops_left = 1000
        assert (await backbone.retention(apply=True)).drops[0].rows == left.num_rows - 65


@pytest.mark.parametrize(
    ("as_of", "text"), [(NOW + DAY, "a moment to come"), (NOW.replace(tzinfo=None), "has no time zone")]
)
async def test_a_moment_to_come_or_without_a_zone_is_refused(as_of: datetime, text: str) -> None:
    async with enforcing(Store()) as backbone:
        with pytest.raises(ValueError, match=text):
            await backbone.retention(apply=True, as_of=as_of)
        assert backbone.roster().find("/test/backbone/retention").restarts == 0  # type: ignore[union-attr]


async def test_the_embedded_store_is_never_enforced() -> None:
    store = Store()
    async with enforcing(store, enforceable=False, enabled=True) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        with pytest.raises(NotBuilt, match="dry run"):
            await backbone.retention(apply=True)
        await anyio.sleep(3 * 3600)
        assert store.drops == []


async def published(backbone: Backbone) -> None:
    await anyio.sleep(5)  # virtual
    assert (await backbone.outbox()).pending == 0


def bad(at: datetime) -> QuarantineRow:
    return QuarantineRow("csv", "bars.csv:2", "high below low", "1,2", "intraday_bars", "run", at)


async def test_published_changes_and_old_bad_rows_are_pruned_on_request() -> None:
    store = Store()
    async with enforcing(store) as backbone:
        for hours in (70, 50, 30, 20):
            store.now = NOW - timedelta(hours=hours)
            await backbone.record(bars(1, start=store.now))
        await published(backbone)
        await store.quarantine([bad(NOW - 31 * DAY), msgspec.structs.replace(bad(NOW - DAY), location="bars.csv:3")])
        would = await backbone.retention()
        due = {"outbox": 3, "seen": 0, "quarantine": 1, "dead_letters": 0, "journal": 0}
        assert would.pruned == due
        assert len(await store.read_outbox(0)) == 4
        assert (await backbone.retention(apply=True)).pruned == {
            "outbox": 3,
            "seen": 0,
            "quarantine": 1,
            "dead_letters": 0,
            "journal": 0,
        }
        assert len(await store.read_outbox(0)) == 1
        assert [row.location for row in await backbone.quarantined()] == ["bars.csv:3"]


async def test_the_journal_of_live_commits_does_not_grow_for_ever() -> None:
    store = Store()
    async with enforcing(store, journal_days=30, journal_rows=1000) as backbone:
        for days in (50, 40, 20, 10):
            store.now = NOW - days * DAY
            await backbone.record(bars(1, start=store.now))
        store.now = NOW
        assert (await backbone.retention()).pruned["journal"] == 2
        assert (await backbone.retention(apply=True)).pruned["journal"] == 2
        assert [row.executed_at for row in await store.journal()] == [NOW - 10 * DAY, NOW - 20 * DAY]


@pytest.mark.parametrize(("enabled", "left"), [(True, 65), (False, 100)])
async def test_the_schedule_prunes_always_and_drops_where_the_settings_say_so(enabled: bool, left: int) -> None:
    store = Store()
    async with enforcing(store, enabled=enabled, interval=600) as backbone:
        store.now = NOW - 2 * DAY
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await published(backbone)
        assert len(await store.read_outbox(0)) > 0
        await anyio.sleep(660)
        assert len(await store.read_outbox(0)) == 0
        assert (await backbone.fetch(BARS)).num_rows == left
        entry = backbone.roster().find("/test/backbone/retention")
        assert entry is not None
        assert entry.detail is not None
        assert entry.detail["dropped"] == 100 - left


async def test_a_schedule_whose_drops_are_refused_prunes_all_the_same() -> None:
    store = Store()
    store.drops_left = 0
    async with enforcing(store, enabled=True, interval=600) as backbone:
        store.now = NOW - 2 * DAY
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await published(backbone)
        await anyio.sleep(660)
        assert (await store.read_outbox(0), store.drops) == ([], [])
        assert backbone.roster().find("/test/backbone/retention").health.level == "degraded"  # type: ignore[union-attr]


async def test_a_schedule_that_can_not_read_the_store_drops_nothing_says_so_and_goes_on() -> None:
    store = Store()
    async with enforcing(store, enabled=True, interval=600) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        store.unreadable = {Dimension.QUOTES}
        await anyio.sleep(660)
        entry = backbone.roster().find("/test/backbone/retention")
        assert entry is not None
        assert entry.health.level == "degraded"
        assert "nothing was dropped" in entry.health.why
        assert "tries again in 600 s" in entry.health.next
        assert store.drops == []
        store.unreadable = set()
        await anyio.sleep(600)
        assert backbone.roster().find("/test/backbone/retention").health.level == "ok"  # type: ignore[union-attr]
        assert (await backbone.fetch(BARS)).num_rows == 65


async def test_the_kill_switch_pauses_the_schedule_says_so_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    store, switch = Store(), tmp_path / "kill"
    async with enforcing(store, enabled=True, interval=600, kill_switch=switch) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await published(backbone)
        switch.touch()
        await anyio.sleep(2)
        entry = backbone.roster().find("/test/backbone/retention")
        assert entry is not None
        assert (entry.health.level, entry.health.why) == ("degraded", f"the kill switch {switch} is there")
        assert (entry.detail or {})["paused"] is True
        (problem,) = [
            each for each in judge(await backbone.connectivity(), backbone.roster()).problems if each.path == entry.path
        ]
        assert problem.action == "remove the file to let the schedule go on"
        await anyio.sleep(6000)
        assert store.drops == []
        await backbone.record(daily(NOW - DAY, 1, "GBPUSD"))
        assert (await backbone.fetch(BARS)).num_rows == 101
        switch.unlink()
        await anyio.sleep(660)
        entry = backbone.roster().find("/test/backbone/retention")
        assert entry is not None
        assert entry.health.level == "ok"
        assert store.drops != []


async def test_a_kill_switch_that_is_there_from_the_start_counts_from_the_start(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    switch.touch()
    async with enforcing(Store(), interval=0, kill_switch=switch) as backbone:
        entry = backbone.roster().find("/test/backbone/retention")
        assert entry is not None
        assert entry.health.level == "degraded"


async def test_what_the_schedule_did_is_told_as_telemetry_and_why_it_could_not(tmp_path: Path) -> None:
    store, heard, switch = Store(), list[Telemetry](), tmp_path / "kill"
    async with enforcing(store, enabled=True, interval=600, kill_switch=switch) as backbone:
        backbone.telemetry.listen(heard.append, ["telemetry.data_backbone.retention"])
        store.now = NOW - 2 * DAY
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await published(backbone)
        await anyio.sleep(660)
        [told] = [event.payload for event in heard]
        assert (told.scheduled, told.status, told.applied) == (True, Status.OK, True)
        assert (told.as_of, told.found) == (NOW + timedelta(seconds=600), {})
        assert told.pruned["outbox"] > 0
        assert [(drop.dimension, drop.rows) for drop in told.drops if drop.rows] == [(BARS, 35)]
        store.unreadable = {Dimension.QUOTES}
        await anyio.sleep(600)
        assert (heard[-1].payload.scheduled, heard[-1].payload.status) == (True, Status.FAILED)
        assert "nothing was dropped" in heard[-1].payload.note
        await backbone.retention()
        await anyio.sleep(1)
        assert not heard[-1].payload.scheduled
        switch.touch()
        await anyio.sleep(6000)
        assert len(heard) == 3


async def test_an_interval_of_0_means_no_schedule() -> None:
    store = Store()
    async with enforcing(store, enabled=True, interval=0) as backbone:
        await backbone.record(daily(NOW - 100 * DAY, 100))
        await anyio.sleep(86_400)
        assert store.drops == []


class Switching(Store):
    """Throws the kill switch once it has dropped something."""

    def __init__(self, switch: Path) -> None:
        super().__init__()
        self._switch = switch

    async def drop(self, dimension: Dimension, *, before: datetime, dry_run: bool = True) -> int:
        dropped = await super().drop(dimension, before=before, dry_run=dry_run)
        if not dry_run:
            self._switch.touch()
        return dropped


async def test_the_kill_switch_stops_a_schedule_that_is_at_work_between_two_steps(tmp_path: Path) -> None:
    switch = tmp_path / "kill"
    store = Switching(switch)
    async with enforcing(store, enabled=True, interval=600, kill_switch=switch) as backbone:
        await backbone.record(daily(NOW - 300 * DAY, 300))
        await anyio.sleep(700)
        assert len(store.drops) == 1
        entry = backbone.roster().find("/test/backbone/retention")
        assert entry is not None
        assert entry.health.why == f"the kill switch {switch} is there"
        report = await backbone.retention(apply=True)
        assert report.drops[0].rows > 0, "who asks for it gets it"
        switch.unlink()
        await anyio.sleep(1300)
        assert (await backbone.fetch(BARS)).num_rows == 65


async def test_what_was_dropped_before_a_schedule_stopped_between_two_steps_is_told(tmp_path: Path) -> None:
    heard, switch = list[Telemetry](), tmp_path / "kill"
    store = Switching(switch)
    async with enforcing(store, enabled=True, interval=600, kill_switch=switch) as backbone:
        backbone.telemetry.listen(heard.append, ["telemetry.data_backbone.retention"])
        await backbone.record(daily(NOW - 300 * DAY, 300))
        await anyio.sleep(700)
        [told] = [event.payload for event in heard]
        left = (await backbone.fetch(BARS)).num_rows
        assert [drop.rows for drop in told.drops] == [300 - left]
        assert 0 < 300 - left < 235
        assert told.status == Status.DEGRADED
