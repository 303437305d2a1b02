"""Our own contestants of the read benchmark: the store alone, and a whole backbone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import polars as pl

from backbone import Backbone, load_settings
from backbone.cache.messages import ForgetWindows
from backbone.calls import Calls
from backbone.domain import Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.errors import Unsupported
from backbone.store.port import Store
from backbone.store.records import Chunk
from tests.benchmarks.reads_questions import Question


class StoreAlone:
    """The store, without actors and cache."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        if question.cached:
            return None
        try:
            frame = (await self._store.read(question.query)).frame
        except Unsupported:
            return None
        return _bars(frame, question.bars) if question.bars else frame.to_arrow().num_rows


class Whole:
    """A backbone, its cache forgotten before every question but the cached one."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._calls = Calls(backbone.system, backbone.path)

    async def prepare(self, question: Question) -> None:
        """Make the cache cold, or warm."""
        if question.cached:
            await self.ask(question)
            return
        await self._calls.ask("cache", ForgetWindows(), 10.0)

    async def ask(self, question: Question) -> int | None:
        """Fetch."""
        query = question.query
        try:
            frame = await self._backbone.fetch(
                query.dimension, symbols=query.symbols, interval=query.interval,
                start=query.start, end=query.end, limit=query.limit, as_of=query.as_of,
            )  # fmt: skip
        except Unsupported:
            return None
        return _bars(frame, question.bars) if question.bars else frame.to_arrow().num_rows


def _bars(frame: Frame, minutes: int) -> int:
    price = pl.col("price")
    made = frame.to_polars().group_by_dynamic("ts", every=f"{minutes}m").agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"), price.last().alias("close"),
        pl.col("size").sum().alias("volume"),
    )  # fmt: skip
    return int(made.to_arrow().num_rows)


async def load(store: Store, frames: Sequence[Frame]) -> None:
    """Write rows as a run does."""
    run, epoch = new_run_id(), await store.claim_epoch("bench", frames[0].dimension)
    for each in frames:
        await store.write(Chunk(ingest_id("bench", each), run, "bench", each, epoch=epoch))


@asynccontextmanager
async def opened(*, dsn: str = "", path: Path | None = None) -> AsyncIterator[Whole]:
    """A backbone on a server, or on a file, with nothing else to do."""
    place = {"store.backend": "timescale"} if dsn else {"store.path": str(path)}
    settings = load_settings(
        profile="embedded",
        env={"BACKBONE_STORE_URL": dsn} if dsn else {},
        overrides={**place, "control.enabled": False, "store.statement_timeout": 60.0},
    )
    async with AsyncExitStack() as stack:
        yield Whole(await stack.enter_async_context(Backbone.open(settings)))
