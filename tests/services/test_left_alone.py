"""The institutional profile as a desk leaves it alone: schedule, gate and backfill over all three servers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import msgspec
import pytest
from msgspec.structs import replace

from backbone import Backbone, Dimension, Frame
from backbone.domain.status import Status
from backbone.retention.report import RetentionReport
from backbone.services import native
from backbone.store.snapshots import Parts
from tests.backbone.facade.kit import bars
from tests.backbone.facade.test_gate import until
from tests.backbone.ingest import providers
from tests.backbone.ingest.market_kit import KIND, installed
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database, opened
from tests.services.test_telemetry_kafka import read
from tests.services.test_timescale_left_alone import delete

BARS, BTC = Dimension.INTRADAY_BARS, "BTC-USD"
HOUR = timedelta(hours=1)
MARKET = {
    "market.symbols": BTC,
    "market.source": KIND,
    "market.daily": False,
    "market.intraday": True,
    "market.intraday_interval": "1h",
    "market.intraday_lookback": 5,
    "schedule.enabled": True,
    "schedule.jitter": 0,
    "quality.session": "24x7",
}


@pytest.fixture
async def dsn(services: native.Services) -> AsyncIterator[str]:
    address = await make_database(services, "timescale")
    yield address
    await drop_database(services, address)


async def test_the_schedule_opens_the_gate_and_a_backfill_is_read_where_a_cached_window_lacked_it(
    services: native.Services, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backfill is another process's, as `backbone backfill` is beside a backbone that runs."""
    installed(monkeypatch)
    topic = f"backbone.l{secrets.token_hex(4)}.{{name}}"
    settings = institutional(services, dsn, **MARKET, **{"telemetry.topic": topic})
    async with Backbone.open(settings) as backbone:
        async with backbone.watch_gate(BARS, [BTC]) as watch:
            await until(watch, "ok")
        whole = await fetched(backbone)
        assert whole.num_rows in (5 * 24 - 1, 5 * 24)
        first = whole.start
        assert first is not None
        await delete(dsn, "intraday_bars", first + 30 * HOUR, first + 34 * HOUR)
        lacking = await backbone.fetch(BARS, symbols=[BTC], interval="1h", start=first + HOUR)  # into the cache
        assert lacking.num_rows == whole.num_rows - 1 - 4
        providers.installed(providers.Provider(whole), monkeypatch)
        alone = replace(settings, schedule=replace(settings.schedule, enabled=False))
        async with Backbone.open(alone) as other, backbone.subscribe(BARS, symbols=[BTC]) as updates:
            report = await other.backfill(BARS, source=providers.KIND, symbols=[BTC], interval="1h", end=whole.end)
            assert (report.missing, report.inserted) == (4, 4)
            came = 0
            with anyio.fail_after(30):
                async for update in updates:
                    came += update.frame.num_rows
                    if came == 4:
                        break
            again = await backbone.fetch(BARS, symbols=[BTC], interval="1h", start=first + HOUR)
        assert again.num_rows == whole.num_rows - 1
        assert (await fetched(backbone)).canonical_bytes() == whole.canonical_bytes()
        rows = (await backbone.runs()).runs
        assert [(row.status, row.metadata.get("trigger")) for row in rows] == [("ok", None), ("ok", "schedule")]
        assert (await backbone.freshness([BARS])).status is Status.OK
        assert (await backbone.schedule()).consecutive_failures == 0
    [told] = await read(services, topic.format(name="telemetry.gate"), 1)
    result = msgspec.json.decode(told.value)["result"]
    assert (result["symbols"], result["dimension"]) == ([BTC], "intraday_bars")


async def fetched(backbone: Backbone) -> Frame:
    return await backbone.fetch(BARS, symbols=[BTC], interval="1h")


async def test_retention_that_meets_a_snapshot_of_an_export_drops_after_it_and_never_from_it(
    services: native.Services, dsn: str
) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    frame = Frame.concat([bars(1, symbol=BTC, start=noon - timedelta(days=n)) for n in range(1, 201)])
    settings = institutional(services, dsn)
    async with Backbone.open(settings) as backbone, opened(dsn) as store:
        await backbone.record(frame)
        snapshot = await store.open_snapshot("export", 60.0)
        found = await store.find_parts(snapshot.name, Parts(BARS))
        first = await store.read_part(snapshot.name, found[0].part, None, 1000)
        reports = list[RetentionReport]()

        async def apply() -> None:
            reports.append(await backbone.retention(apply=True))

        async with anyio.create_task_group() as group:
            group.start_soon(apply)
            await anyio.wait_all_tasks_blocked()
            pages = [await store.read_part(snapshot.name, each.part, None, 1000) for each in found]
            assert pages[0].frame == first.frame
            assert Frame.concat([each.frame for each in pages]) == frame
            await store.close_snapshot(snapshot.name)
        [report] = reports
        left = await backbone.fetch(BARS, symbols=[BTC], interval="1h")
        assert sum(drop.rows for drop in report.drops) == 200 - left.num_rows > 100
        snapshot = await store.open_snapshot("export", 60.0)
        assert sum(each.rows for each in await store.find_parts(snapshot.name, Parts(BARS))) == left.num_rows
        await store.close_snapshot(snapshot.name)
