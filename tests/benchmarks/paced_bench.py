"""Live rows one by one: at an even pace, as fast as they go in, and what one costs before it is queued.

BACKBONE_BENCH_STORES names the stores ("embedded timescale", both where left out), BACKBONE_BENCH_SECONDS how long each
pace is kept. A TimescaleDB server is started for it; where none can be had the page says so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from backbone import Backbone, load_settings
from backbone.cli.process.garbage import settled
from backbone.services import native
from tests.benchmarks.paced_cost import Cost, costs
from tests.benchmarks.paced_load import Pace, paced, sustained
from tests.benchmarks.report import Floor, Report, Table
from tests.services.stores import drop_database, make_database

RATES = (10, 25, 50, 100, 1000)
SECONDS = 10.0
_STORES = "embedded timescale"
_COST_US, _SUSTAINED, _ANY_P99 = 40.0, 10_000, 60.0
_AT_100 = {"embedded": (6.0, 20.0), "timescale": (15.0, 60.0)}  # ms to the subscriber at 100 a second: p50, p99


def run(quick: bool) -> Report:
    """Measure; a second of each pace where quick."""
    seconds = float(os.environ.get("BACKBONE_BENCH_SECONDS", SECONDS)) / (10 if quick else 1)
    stores = os.environ.get("BACKBONE_BENCH_STORES", _STORES).split()
    if not set(stores) <= _AT_100.keys():
        raise SystemExit(f"BACKBONE_BENCH_STORES={' '.join(stores)} given; allowed: {_STORES}")
    return asyncio.run(_measure(stores, seconds, 300 if quick else 3000))


async def _measure(stores: Sequence[str], seconds: float, rows: int) -> Report:
    tables, floors, notes = [], [], []
    for store in stores:
        folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
        stack = ExitStack()
        try:
            async with _opened(store, folder) as backbone:
                await paced(backbone, 100, 0.2)  # warm
                stack.enter_context(settled())
                paces = [await paced(backbone, rate, seconds) for rate in RATES]
                rate = await sustained(backbone, seconds)
                cost = await costs(backbone, rows)
        except (native.Unavailable, native.StartError) as error:
            notes.append(f"TimescaleDB was NOT measured: {error}")
            continue
        finally:
            stack.close()
            await native.down(folder / "services")
            shutil.rmtree(folder, ignore_errors=True)
        tables += [_paces(store, paces, rate, seconds), _costs(store, cost)]
        floors += _floors(store, paces, rate, cost)
    return Report(
        title="Benchmarks of live rows",
        intro="One-row `record` calls of quotes into a whole backbone, its log in the process, beside one subscriber. "
        "Times run from the moment at which a call was due. Made by `make bench`.",
        tables=tables,
        floors=floors,
        packages=["anyio", "asyncpg", "duckdb", "msgspec", "pyarrow"],
        page="docs/reference/benchmarks-live.md",
        notes=notes,
    )


@asynccontextmanager
async def _opened(store: str, folder: Path) -> AsyncIterator[Backbone]:
    quiet: dict[str, object] = {"control.enabled": False}
    if store == "embedded":
        path = {"store.path": str(folder / "bench.duckdb")}
        async with Backbone.open(load_settings(profile="embedded", overrides={**quiet, **path})) as backbone:
            yield backbone
        return
    services = await native.up(["timescale"], data=folder / "services", die_with_parent=True)
    dsn = await make_database(services, "timescale")
    over = {**quiet, "store.backend": "timescale"}
    settings = load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=over)
    async with Backbone.open(settings) as backbone:
        yield backbone
    await drop_database(services, dsn)


def _paces(store: str, paces: Sequence[Pace], rate: float, seconds: float) -> Table:
    rows = [
        (f"{pace.rate:,}", *(f"{each * 1e3:.1f}" for part in (pace.returned, pace.seen, pace.lag) for each in part))
        for pace in paces
    ]
    head = ["records a second"]
    head += [f"{what} {mark}" for what in ("return", "subscriber", "loop lag") for mark in ("p50", "p99", "max")]
    note = f"As fast as they go in, 1,000 callers at once: {rate:,.0f} one-row records a second."
    return Table(f"{store}: evenly paced, {seconds:g} s each, in ms", head, rows, note)


def _costs(store: str, cost: Cost) -> Table:
    longest = max(cost.values())
    rows = [(name, f"{each * 1e6:.1f}", f"{longest / each:.1f}x") for name, each in cost.items()]
    return Table(f"{store}: one row until it is queued", ("given as", "µs of processor time, median", "ratio"), rows)


def _floors(store: str, paces: Sequence[Pace], rate: float, cost: Cost) -> list[Floor]:
    p50, p99 = (each * 1e3 for each in next(pace for pace in paces if pace.rate == 100).seen[:2])
    most50, most99 = _AT_100[store]
    worst = max(pace.returned[1] for pace in paces) * 1e3
    dearest = max(cost["mapping"], cost["Struct"]) * 1e6
    return [
        Floor(f"{store}: to the subscriber at 100/s, p50", f"<= {most50:g} ms", f"{p50:.1f} ms", p50 <= most50),
        Floor(f"{store}: to the subscriber at 100/s, p99", f"<= {most99:g} ms", f"{p99:.1f} ms", p99 <= most99),
        Floor(f"{store}: return at any pace, p99", f"< {_ANY_P99:g} ms", f"{worst:.1f} ms", worst < _ANY_P99),
        Floor(f"{store}: one-row records sustained", f">= {_SUSTAINED:,}/s", f"{rate:,.0f}/s", rate >= _SUSTAINED),
        Floor(f"{store}: one row until queued", f"<= {_COST_US:g} µs", f"{dearest:.1f} µs", dearest <= _COST_US),
    ]
