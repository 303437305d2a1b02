"""Who takes part in the read benchmark, with the same rows in each."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from backbone.domain.clock import utc_now
from backbone.services import native
from backbone.store.duckdb import DuckDBStore
from backbone.store.port import Store
from backbone.store.timescale import Bounds, TimescaleStore
from tests.benchmarks import reads_rivals as rivals
from tests.benchmarks.reads_data import corrected, day_of_trades, dimension_of, hourly, weeks
from tests.benchmarks.reads_ours import StoreAlone, export, load, opened
from tests.benchmarks.store_data import chunks
from tests.services.stores import drop_database, make_database

_BOUNDS = Bounds(statement_timeout=60.0)
_DUCKDB = {"threads": "2", "memory_limit": "1GB"}  # as the embedded store has them
_HEAVY = {
    "ADBC": ("adbc_driver_postgresql.dbapi", "adbc-driver-postgresql"),
    "connectorx": ("connectorx", "connectorx"),
    "ArcticDB": ("arcticdb", "arcticdb"),
}


@dataclass
class Field:
    """Those who take part, by name; what is missing, and why; the rows of trades; a moment before the correction."""

    contestants: dict[str, rivals.Contestant] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    rows: int = 0
    as_of: datetime = field(default_factory=utc_now)
    versions: str = ""

    def lacks(self, text: str) -> None:
        """Say loudly what will not be measured."""
        self.missing.append(f"**{text}**")
        sys.stderr.write(f"!!! {text}\n")


async def prepare(stack: AsyncExitStack, folder: Path, rows: int, parts: Collection[str]) -> Field:
    """Load everybody."""
    found = Field()
    duck, polars = rivals.BareDuckdb(folder / "bare.duckdb", _DUCKDB), rivals.Polars(folder)
    stack.callback(duck.close)
    files: dict[str, rivals.BareDuckdb | rivals.Polars | rivals.Arctic] = {
        "bare DuckDB": duck,
        "polars on Parquet": polars,
    }
    modules = {name: rivals.heavy(module) for name, (module, _) in _HEAVY.items()}
    if modules["ArcticDB"] is not None:
        files["ArcticDB"] = rivals.Arctic(modules["ArcticDB"], folder / "arctic")
    for name in (name for name, module in modules.items() if module is None):
        found.lacks(f"{name} was NOT measured: it is not installed; run `make bench-rivals`")
    path, dsn = folder / "store.duckdb", await _server(stack, folder, parts, found)
    stores = await _stores(stack, path if "embedded" in parts else None, dsn)
    for table in (hourly(), *weeks(rows)):
        found.rows += table.num_rows if table is not hourly() else 0
        for store in stores.values():
            await load(store, chunks(dimension_of(table), table))
        for client in files.values():
            client.load(table)
    polars.finish()
    found.as_of = utc_now()
    for store in stores.values():
        await load(store, [corrected(day_of_trades())])
    if "DuckDB" in stores:
        await stores["DuckDB"].close()
        copied = folder / "copy.duckdb"
        shutil.copy(path, copied)  # one process has a file open once: the backbone gets one of its own
        await stores["DuckDB"].open()
        await _past(stack, found, folder, "DuckDB", path=copied)
        found.contestants["fetch, DuckDB"] = await stack.enter_async_context(opened(path=copied))
        found.contestants["store, DuckDB"] = StoreAlone(stores["DuckDB"])
    if dsn:
        found.contestants["fetch, TimescaleDB"] = await stack.enter_async_context(opened(dsn=dsn))
        await _past(stack, found, folder, "TimescaleDB", dsn=dsn)
        found.contestants["store, TimescaleDB"] = StoreAlone(stores["TimescaleDB"])
        await _clients(stack, dsn, found, modules)
    found.contestants.update(files)
    present = [package for name, (_, package) in _HEAVY.items() if modules[name] is not None]
    found.versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in present)
    return found


async def _past(
    stack: AsyncExitStack, found: Field, folder: Path, group: str, *, dsn: str = "", path: Path | None = None
) -> None:
    """Those who read out of an export: of Parquet, and of mapped Arrow. One process has a database file open once."""
    exports = folder / f"exports-{group}"
    await export(exports, dsn=dsn, path=path)
    for name, mapped in (("Parquet", False), ("mapped Arrow", True)):
        own = None if path is None else path.with_name(f"{name.split()[0]}.duckdb")
        if path is not None and own is not None:
            shutil.copy(path, own)
        reads = opened(dsn=dsn, path=own, exports=exports, mapped=mapped)
        found.contestants[f"fetch from {name}, {group}"] = await stack.enter_async_context(reads)


async def _server(stack: AsyncExitStack, folder: Path, parts: Collection[str], found: Field) -> str:
    """The URL of a fresh database; "" where there is none to be had, or none is asked for."""
    if "timescale" not in parts:
        return ""
    stack.push_async_callback(native.down, folder / "services")
    try:
        services = await native.up(["timescale"], data=folder / "services", die_with_parent=True)
    except (native.Unavailable, native.StartError) as error:
        found.lacks(f"TimescaleDB was NOT measured: {error}")
        return ""
    dsn = await make_database(services, "timescale")
    stack.push_async_callback(drop_database, services, dsn)
    return dsn


async def _stores(stack: AsyncExitStack, path: Path | None, dsn: str) -> dict[str, Store]:
    stores: dict[str, Store] = {}
    if path is not None:
        stores["DuckDB"] = DuckDBStore(path)
    if dsn:
        stores["TimescaleDB"] = TimescaleStore(dsn, bounds=_BOUNDS)
    for store in stores.values():
        await store.open()
        stack.push_async_callback(store.close)
        await store.migrate()
    return stores


async def _clients(stack: AsyncExitStack, dsn: str, found: Field, modules: Mapping[str, Any]) -> None:
    connection = await rivals.connect(dsn)
    stack.push_async_callback(connection.close, timeout=10)
    await connection.execute("VACUUM (ANALYZE) market_data.trades, market_data.intraday_bars")
    found.contestants["asyncpg"] = rivals.Asyncpg(connection)
    if modules["ADBC"] is not None:
        found.contestants["ADBC"] = adbc = rivals.Adbc(modules["ADBC"], dsn)
        stack.callback(adbc.close)
    if modules["connectorx"] is not None:
        found.contestants["connectorx"] = rivals.Connectorx(modules["connectorx"], dsn)
