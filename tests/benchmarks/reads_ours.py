"""Our own contestants of the read benchmark: the store alone, and a whole backbone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from backbone import Backbone, load_settings
from backbone.cache.messages import ForgetWindows
from backbone.calls import Calls
from backbone.domain import Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.errors import Unsupported
from backbone.store.port import Store
from backbone.store.records import Bucket, Chunk
from tests.benchmarks.reads_questions import Question
from tests.benchmarks.store_data import BARS


class StoreAlone:
    """The store, without actors and cache."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        if question.cached:
            return None
        query, minute_us = question.query, 60_000_000
        if question.bars:
            made = Bucket(f"{question.bars}m", question.bars * minute_us, 0, 1)
            query = msgspec.structs.replace(query, bucket=made)
        try:
            return int((await self._store.read(query)).frame.to_arrow().num_rows)
        except Unsupported:
            return None


class Whole:
    """A backbone, its cache forgotten before every question but the cached one."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._calls = Calls(backbone.system, backbone.path)

    async def export(self) -> None:
        """Write all that there is."""
        report = await self._backbone.export()
        if report.status != "ok":
            raise RuntimeError(f"the export is {report.status}: {report.jobs}")

    async def prepare(self, question: Question) -> None:
        """Make the cache cold, or warm."""
        if question.cached:
            await self.ask(question)
            return
        await self._calls.ask("cache", ForgetWindows(), 10.0)

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        query = question.query
        dimension, interval = query.dimension, query.interval
        if question.bars:
            dimension, interval = BARS, f"{question.bars}m"
        try:
            frame = await self._backbone.fetch(
                dimension,
                symbols=query.symbols,
                interval=interval,
                start=query.start,
                end=query.end,
                limit=query.limit,
                as_of=query.as_of,
            )
        except Unsupported:
            return None
        return int(frame.to_arrow().num_rows)


class FromExport(Whole):
    """The same, which reads spans out of an export that was made after the last change."""

    async def ask(self, question: Question) -> int | None:
        """Fetch what is a span."""
        query = question.query
        if question.bars or query.limit is not None or query.as_of is not None:
            return None
        return await super().ask(question)


async def load(store: Store, frames: Sequence[Frame]) -> None:
    """Write rows as a run does."""
    run, epoch = new_run_id(), await store.claim_epoch("bench", frames[0].dimension)
    for each in frames:
        await store.write(Chunk(ingest_id("bench", each), run, "bench", each, epoch=epoch))


@asynccontextmanager
async def opened(
    *, dsn: str = "", path: Path | None = None, exports: Path | None = None, mapped: bool = False
) -> AsyncIterator[Whole]:
    """A backbone on a server, or on a file, with nothing else to do; reads use the exports in a folder, if given."""
    made = {} if exports is None else {"export.reads": True, "export.path": str(exports), "export.mapped": mapped}
    place = {"store.backend": "timescale"} if dsn else {"store.path": str(path)}
    settings = load_settings(
        profile="embedded",
        env={"BACKBONE_STORE_URL": dsn} if dsn else {},
        overrides={
            **place,
            **made,
            "quality.session": "24x7",
            "control.enabled": False,
            "store.statement_timeout": 60.0,
        },
    )
    async with AsyncExitStack() as stack:
        kind = Whole if exports is None else FromExport
        yield kind(await stack.enter_async_context(Backbone.open(settings)))


async def export(exports: Path, *, dsn: str = "", path: Path | None = None) -> None:
    """Write all that there is, with mapped files."""
    async with opened(dsn=dsn, path=path, exports=exports, mapped=True) as whole:
        await whole.export()
