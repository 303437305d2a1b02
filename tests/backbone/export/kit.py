"""Exports of a store in a file, without a backbone around them: what fails, and what is killed, is up to the test."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from actors import Reject
from backbone import Dimension, Frame, Settings, load_settings
from backbone.calls import REFUSABLE, refuse
from backbone.domain.identifiers import ingest_id
from backbone.export.files import Disk
from backbone.export.forms import pages_of
from backbone.export.jobs import Progress
from backbone.export.layout import CURRENT
from backbone.export.manifest import Manifest, manifest_of
from backbone.export.messages import RunExport
from backbone.export.report import ExportReport
from backbone.export.run import Exporter
from backbone.store.duckdb.store import DuckDBStore
from backbone.store.port import Store
from backbone.store.records import Chunk, Query

DAY = datetime(2024, 1, 1, tzinfo=UTC)
TRADES, BARS, DAILY, MACRO = Dimension.TRADES, Dimension.INTRADAY_BARS, Dimension.DAILY_BARS, Dimension.MACRO_EVENTS


SHORT = 0.5
"""Seconds: a step of a disk that answers takes far less also where the machine is busy."""


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def time(self) -> float:
        return time.monotonic()


class Bench:
    """A store with an exporter beside it.

    Attributes:
        root: the folder in which exports lie.
        disk: the steps on the disk.
        refusals: by the name of a request, what it is refused with, once each.
        heard: what was told of progress.
    """

    def __init__(self, store: Store, root: Path, settings: Settings) -> None:
        self.store = store
        self.root = root
        self.settings = settings
        self.clock = Clock()
        self.disk = Disk()
        self.refusals: dict[str, list[Reject]] = {}
        self.asked: list[str] = []
        self.heard: list[Progress] = []

    def beside(self, root: Path) -> Bench:
        """The same store, with a copy of these exports in another folder."""
        shutil.copytree(self.root, root)
        export = msgspec.structs.replace(self.settings.export, path=str(root))
        return Bench(self.store, root, msgspec.structs.replace(self.settings, export=export))

    async def ask(self, request: Any) -> Any:
        name = type(request).__name__
        self.asked.append(name)
        waiting = self.refusals.get(name)
        if waiting:
            raise waiting.pop(0)
        try:
            return await request.on(self.store)
        except REFUSABLE as error:
            raise refuse(error) from error

    async def export(self, asked: RunExport | None = None, disk: Disk | None = None) -> ExportReport:
        wanted = RunExport() if asked is None else asked
        return await Exporter(
            self.ask, self.settings, self.clock, wanted, self.heard.append, self.disk if disk is None else disk
        ).run()

    async def put(self, frame: Frame, run: str = "run") -> None:
        await self.store.write(Chunk(ingest_id("csv", frame), run, "csv", frame))

    @property
    def current(self) -> Path:
        """The folder that CURRENT names."""
        return self.root / (self.root / CURRENT).read_text().strip()

    @property
    def manifest(self) -> Manifest:
        found = manifest_of(self.current)
        assert found is not None
        return found

    async def rows_in_store(self, dimension: Dimension) -> Frame:
        return (await self.store.read(Query(dimension))).frame

    def rows_in_export(self, dimension: Dimension, folder: Path | None = None) -> Frame:
        """All rows of the files, with the symbol that their manifest says."""
        folder = self.current if folder is None else folder
        manifest = manifest_of(folder)
        assert manifest is not None
        tables = [
            with_symbol(page, dimension, entry.symbol)
            for entry in manifest.files
            if entry.dimension is dimension
            for page in pages_of(manifest.header.format, folder / entry.path, dimension, entry.part.columns)
        ]
        return Frame.concat([Frame.from_arrow(dimension, table) for table in tables])


def with_symbol(table: pa.Table, dimension: Dimension, symbol: str | None) -> pa.Table:
    if symbol is None:
        return table
    return table.append_column(dimension.partition_column, pa.array([symbol] * table.num_rows, pa.string()))


@asynccontextmanager
async def bench(tmp_path: Path, settings: Mapping[str, object] | None = None) -> AsyncIterator[Bench]:
    root = tmp_path / "exports"
    overrides = {"export.path": str(root), "export.restarts": 0, **(settings or {})}
    store = DuckDBStore(tmp_path / "store.duckdb")
    await store.open()
    await store.migrate()
    try:
        yield Bench(store, root, load_settings(profile="embedded", env={}, overrides=overrides))
    finally:
        await store.close()


def trades(seconds: range, symbol: str = "AIG", start: datetime = DAY) -> Frame:
    return Frame.from_records(
        TRADES,
        [
            {
                "symbol": symbol,
                "ts": start + timedelta(seconds=second),
                "sequence": second,
                "price": 100 + second / 3,
                "size": None if second % 7 == 0 else float(second),
                "venue": ("", None, "N", "Zürich")[second % 4],
            }
            for second in seconds
        ],
    )


def files_in(folder: Path) -> dict[str, bytes]:
    """The data files of an export, by their place."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {".parquet", ".csv", ".jsonl"} and path.name != "journal.jsonl"
    }


def parquet(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path)


def loaded(path: Path) -> Any:
    return json.loads(path.read_bytes())


class Hanging(Disk):
    """A disk that does not answer until it is there again."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.waiting = 0

    def open(self, path: Path) -> Any:
        if path.suffix == ".tmp" and "symbol=" in str(path):
            self.waiting += 1
            self.there.wait()
        return super().open(path)
