"""A whole backbone on the TimescaleDB store: the actors above it do not know the difference."""

from __future__ import annotations

import gc
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec
import pytest

from backbone import Backbone, Dimension, IngestPlan, RecordResult, StoreError, StoreUnavailable, load_settings
from backbone.domain.status import Status
from backbone.ingest.plan import IngestRun
from backbone.services import native
from backbone.store.run_records import WHOLE
from tests.backbone.ingest.market_kit import KIND, installed, only, refusing
from tests.services.proxy import Proxy, proxy
from tests.services.stores import DAY, bare, bars, drop_database, make_database

SAMPLE = Path(__file__).parents[2] / "config" / "samples" / "eurusd_1h_tail.csv.gz"
BARS = Dimension.INTRADAY_BARS
PLAN = IngestPlan(dimensions=[BARS], interval="1h", path=SAMPLE)


@pytest.fixture(scope="module", params=["timescale", "postgres"])
def dsn(services: native.Services, request: pytest.FixtureRequest) -> Iterator[str]:
    address = anyio.run(make_database, services, request.param)
    yield address
    anyio.run(drop_database, services, address)


def settings(dsn: str) -> Any:
    store = {"store.backend": "timescale", "store.statement_timeout": 5.0, "store.pool_size": 2}
    overrides = {**store, "control.enabled": False}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)


async def test_ingest_fetch_subscribe_and_probe(dsn: str) -> None:
    async with (
        Backbone.open(settings(dsn)) as backbone,
        backbone.subscribe(BARS, symbols=["EURUSD"], start="earliest") as updates,
    ):
        run = await backbone.ingest(PLAN)
        assert run.inserted == run.rows_read == 5000
        again = await backbone.ingest(PLAN)
        assert (again.inserted, again.unchanged) == (0, 5000)
        window = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", limit=500)
        assert (len(window), window.stale) == (500, False)
        seen = 0
        with anyio.fail_after(20):
            async for update in updates:
                seen += len(update.frame)
                if seen == 5000:
                    break
        result = await backbone.record(bars({0: 1.5}, "GBPUSD"))
        assert (result.inserted, result.position > run.position) == (1, True)
        live = await backbone.fetch(BARS, symbols=["GBPUSD"], interval="1h")
        assert live == bars({0: 1.5}, "GBPUSD")
        assert len(await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", as_of=DAY)) == 0
        report = await backbone.connectivity()
        [probe] = [each for each in report.probes if each.name == "store"]
        assert (probe.healthy, probe.backend) == (True, "timescale")
        assert probe.status is (Status.OK if "timescale_" in dsn else Status.DEGRADED)


async def test_a_market_run_is_journalled_by_its_dimensions_also_where_one_fails(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = installed(monkeypatch)
    provider.trouble = only(BARS, refusing("no minutes today: \0 \N{SNOWMAN}"))
    market = {"market.symbols": "AAPL", "market.source": KIND, "market.intraday": True, "quality.session": "24x7"}
    events = [{"ts": "2026-03-02T13:30:00Z", "calendar": "US", "event": "CPI"}]
    wanted = {**market, "market.macro": True, "market.macro_events": events, "control.enabled": False}
    store = {"store.backend": "timescale", "store.pool_size": 2}
    chosen = load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides={**store, **wanted})
    async with Backbone.open(chosen) as backbone:
        run = await backbone.run_market()
        assert [str(each.status) for each in run.dimensions] == ["ok", "failed", "ok"]
        assert (await backbone.fetch(Dimension.MACRO_EVENTS)).num_rows == 1
        assert len(await backbone.fetch(Dimension.DAILY_BARS, symbols=["AAPL"])) == run.of("daily").inserted > 50
        rows = {row.dimension: row for row in (await backbone.runs(run_id=run.run_id)).runs}
        assert {name: row.status for name, row in rows.items()} == {
            "daily_bars": "ok",
            "intraday_bars": "failed",
            "macro_events": "ok",
        }
        assert "no minutes today" in (rows["intraday_bars"].error or "")
        assert rows["daily_bars"].metadata["lookback_days"] == 60
        again = await backbone.run_market()
        assert (again.of("daily").inserted, again.of("daily").unchanged) == (0, run.of("daily").inserted)
        assert {row.run_id for row in (await backbone.runs()).latest if row.dimension != WHOLE} == {again.run_id}


async def test_what_another_process_wrote_first_is_read_by_who_wrote_it_again(dsn: str, tmp_path: Path) -> None:
    """Nothing was new, so there is no position to go by, and the other one's invalidation may come later."""
    path = tmp_path / "AGAIN.csv"
    plan = IngestPlan(dimensions=[BARS], interval="1h", path=path, symbols=["AGAIN"])
    path.write_text("timestamp,open,high,low,close,volume\n2024-01-01T00:00:00Z,2,2,2,2,1\n")
    never = msgspec.structs.replace(settings(dsn).stream, poll_interval=3600.0)
    mine = msgspec.structs.replace(settings(dsn), stream=never)
    async with Backbone.open(settings(dsn)) as other, Backbone.open(mine) as backbone:
        writes: dict[str, Callable[[Backbone], Awaitable[IngestRun | RecordResult]]] = {
            "TWICE": lambda each: each.record(bars({0: 2.0}, "TWICE")),
            "AGAIN": lambda each: each.ingest(plan),
        }
        for symbol, write in writes.items():
            assert len(await backbone.fetch(BARS, symbols=[symbol], interval="1h")) == 0
            assert (await write(other)).inserted == 1
            assert (await write(backbone)).unchanged == 1
            assert (await backbone.fetch(BARS, symbols=[symbol], interval="1h")).column("close")[0] == 2


async def test_a_server_that_is_not_there_is_said_in_one_line(dsn: str) -> None:
    nowhere = f"postgresql://backbone:canary@127.0.0.1:1/{dsn.rpartition('/')[2]}"
    with pytest.raises(StoreUnavailable) as refused:
        async with Backbone.open(settings(nowhere)):
            pass
    assert "127.0.0.1:1/" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


class Said(logging.Handler):
    """Tells when a line with some words is logged."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.told = anyio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.told.set()


async def test_a_server_that_is_not_up_yet_is_waited_for(dsn: str) -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as free:
        port = free.extra_attributes[anyio.abc.SocketAttribute.local_port]()
    target = urlsplit(dsn).port or 5432
    later = Proxy(target)
    later.port = port
    waits = load_settings(
        profile="embedded",
        env={"BACKBONE_STORE_URL": later.dsn(dsn)},
        overrides={"store.backend": "timescale", "store.start_timeout": 60.0, "control.enabled": False},
    )
    said, logger = Said("the store is not up yet"), logging.getLogger("actors")
    opened = anyio.Event()

    async def trade() -> None:
        async with Backbone.open(waits) as backbone:
            assert (await backbone.connectivity()).store
            opened.set()

    logger.addHandler(said)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(trade)
            with anyio.fail_after(30):
                await said.told.wait()
                assert not opened.is_set()
                async with proxy(target, port=port):
                    await opened.wait()
                    group.cancel_scope.cancel()
    finally:
        logger.removeHandler(said)


async def test_whatever_a_trigger_of_somebody_else_raises_is_refused_and_nothing_is_restarted(dsn: str) -> None:
    async with Backbone.open(settings(dsn)) as backbone, bare(dsn) as other:
        await backbone.record(bars({0: 1.0}, "TRIGGER"))
        await other.execute(
            """
            CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not on my watch' USING ERRCODE = 'P0001'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON telemetry.ingest_runs EXECUTE FUNCTION public.refuse();
            """
        )
        try:
            for _ in range(20):
                with pytest.raises(StoreError, match=r"not on my watch \(SQLSTATE P0001\)"):
                    await backbone.record(bars({1: 1.0}, "TRIGGER"))
        finally:
            await other.execute("DROP TRIGGER refuse ON telemetry.ingest_runs; DROP FUNCTION public.refuse()")
        assert (await backbone.record(bars({1: 1.0}, "TRIGGER"))).inserted == 1
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0


async def test_a_killed_store_leaves_no_connections_open(dsn: str) -> None:
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'killed' AND datname = current_database()"
    named = msgspec.structs.replace(settings(dsn).store, application_name="killed")
    gc.disable()  # whether the pool is collected is chance
    try:
        async with bare(dsn) as other:
            async with Backbone.open(msgspec.structs.replace(settings(dsn), store=named)) as backbone:
                await backbone.record(bars({0: 1.0}, "KILLED"))
                assert await other.fetchval(mine) > 0
                killed = backbone.system.find(f"{backbone.path}/store")
                await killed.kill()
                assert (await backbone.fetch(BARS, symbols=["KILLED"])).num_rows == 1
            with anyio.fail_after(20):
                while await other.fetchval(mine):  # the server takes a moment to see that they are gone
                    pass
    finally:
        gc.enable()


async def test_symbols_are_found_whatever_their_case(dsn: str) -> None:
    async with Backbone.open(settings(dsn)) as backbone:
        await backbone.record(bars({0: 1.0}, "CaseOnly"))
        assert (await backbone.fetch(BARS, symbols=["CASEONLY"])).symbols == ("CaseOnly",)
        assert "CaseOnly" in await backbone.symbols(BARS)


async def test_a_row_that_a_check_does_not_take_is_kept_aside_and_takes_nobody_with_it(dsn: str) -> None:
    async with Backbone.open(settings(dsn)) as backbone, bare(dsn) as other:
        await other.execute(
            "ALTER TABLE market_data.intraday_bars ADD CONSTRAINT no_refused CHECK (symbol <> 'REFUSED') NOT VALID"
        )
        results: dict[str, RecordResult] = {}

        async def send(symbol: str) -> None:
            results[symbol] = await backbone.record(bars({0: 1.0, 1: 1.0}, symbol))

        async with anyio.create_task_group() as group:
            for symbol in ("NEIGHBOUR", "REFUSED", "OTHER"):
                group.start_soon(send, symbol)
        assert (results["NEIGHBOUR"].inserted, results["OTHER"].inserted) == (2, 2)
        assert (results["REFUSED"].inserted, results["REFUSED"].quarantined) == (0, 2)
        assert "23514" in results["REFUSED"].reasons[0]
        assert (await backbone.fetch(BARS, symbols=["NEIGHBOUR", "OTHER"])).num_rows == 4
        assert {row.location.partition(" ")[0] for row in await backbone.quarantined()} >= {"REFUSED"}
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0
        await other.execute("ALTER TABLE market_data.intraday_bars DROP CONSTRAINT no_refused")
