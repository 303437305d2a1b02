"""A process that fills gaps and is killed while it does, and the loss that it is to make good."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow.parquet as pq

from backbone import Backbone, Dimension, Frame, load_settings
from backbone.settings import Settings
from backbone.sources import registry
from tests.backbone.ingest.providers import KIND, Provider, points

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["backbone.facade.backbone", "backbone.store.duckdb.store", "pyarrow.parquet"])


class Killed(NamedTuple):
    """When the process is killed: in the place of the so-manieth chunk of a dimension."""

    dimension: Dimension
    chunk: int


def settings_of(path: Path) -> Settings:
    overrides = {"store.path": str(path), "control.enabled": False, "quality.session": None}
    overrides["quality.sessions"] = dict.fromkeys(("AIG", "BAC", "IBM", "SPY"), "us_equities")
    return load_settings(profile="embedded", overrides=overrides)


def fill(path: Path, had: Path, wanted: Mapping[Dimension, Mapping[str, Any]], killed: Killed | None) -> None:
    """What the process does: fill the gaps of each dimension from what there is in a folder."""
    frames = [Frame.from_arrow(each, pq.read_table(had / f"{each}.parquet")) for each in wanted]
    provider = Provider(*frames, chunk_rows=20_000)
    registry.entry_points = points(provider)  # type: ignore[attr-defined]

    async def main() -> None:
        async with Backbone.open(settings_of(path)) as backbone:
            for dimension, given in wanted.items():
                if killed is not None and killed.dimension is dimension:
                    provider.kill_at = provider.chunks + killed.chunk
                report = await backbone.backfill(dimension, source=KIND, **given)
                assert not report.failed

    asyncio.run(main())


def filled(path: Path, had: Path, wanted: Mapping[Dimension, Mapping[str, Any]], killed: Killed | None = None) -> None:
    """Fill gaps in a process of its own, which is killed or comes to its end."""
    child = FORKS.Process(target=fill, args=(path, had, wanted, killed))
    child.start()
    child.join(300)
    assert child.exitcode == (0 if killed is None else -signal.SIGKILL)


def kept(folder: Path, frames: Sequence[Frame]) -> Path:
    """The folder from which the process takes what there is."""
    for frame in frames:
        pq.write_table(frame.to_arrow(), folder / f"{frame.dimension}.parquet")
    return folder


def symbol_days(frame: Frame) -> list[tuple[str, np.datetime64]]:
    """Each symbol with each day, by the clock of UTC, on which it has rows."""
    found = []
    for symbol, rows in frame.split_by_symbol():
        found += [(symbol, day) for day in np.unique(rows.column("ts").astype("datetime64[D]"))]
    return found


def lose(path: Path, dimension: Dimension, lost: Sequence[tuple[str, np.datetime64]]) -> int:
    """Delete the rows of symbols on days, without a word to the ledger; returns how many there were."""
    total = 0
    with duckdb.connect(str(path)) as connection:
        for symbol, day in lost:
            begin = datetime.fromisoformat(str(day)).replace(tzinfo=UTC)
            bounds = [int(each.timestamp()) * 1_000_000 for each in (begin, begin + timedelta(days=1))]
            found = connection.execute(
                f"DELETE FROM market_data.{dimension.value} WHERE symbol = ? "  # noqa: S608
                "AND ts >= make_timestamptz(?) AND ts < make_timestamptz(?)",
                [symbol, *bounds],
            ).fetchone()
            assert found is not None
            total += found[0]
    return total
