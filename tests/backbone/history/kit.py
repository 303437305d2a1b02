"""Backbones whose reads use exports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backbone import Backbone, Dimension, Frame
from backbone.export.layout import CURRENT
from backbone.testing import embedded

TRADES, BARS = Dimension.TRADES, Dimension.INTRADAY_BARS
DAY = datetime(2024, 1, 1, tzinfo=UTC)
ONE_DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
WEEK = {"start": DAY, "end": DAY + 7 * ONE_DAY}


def trades(*days: float, symbol: str = "AIG", price: float = 5.0) -> Frame:
    rows = [{"symbol": symbol, "ts": DAY + day * ONE_DAY, "sequence": 1, "price": price} for day in days]
    return Frame.from_records(TRADES, rows)


@asynccontextmanager
async def reading(folder: Path, **more: Any) -> AsyncIterator[Backbone]:
    """A backbone on a file in a folder, with its exports beside it, and without a cache."""
    overrides = {
        "store.path": str(folder / "store.duckdb"),
        "export.path": str(folder / "exports"),
        "export.reads": True,
        "export.mapped": True,
        "cache.backend": "off",
        **more,
    }
    async with embedded(overrides=overrides) as backbone:
        yield backbone


def facts(backbone: Backbone) -> dict[str, Any]:
    """What the roster says of reads from exports."""
    entry = backbone.roster().find(f"{backbone.path}/history")
    assert entry is not None
    return {**(entry.detail or {}), "level": entry.health.level, "why": entry.health.why}


async def from_export(backbone: Backbone, **more: Any) -> tuple[Frame, int]:
    """The week of trades, and how many rows of it came out of files."""
    before = facts(backbone)["history_rows"]
    frame = await backbone.fetch(TRADES, **{"symbols": ["AIG"], **WEEK, **more})
    return frame, facts(backbone)["history_rows"] - before


def current(folder: Path) -> Path:
    """The export that CURRENT names."""
    return folder / "exports" / (folder / "exports" / CURRENT).read_text().strip()


def files(folder: Path, pattern: str = "_part-0.arrow") -> list[Path]:
    """Those of the current export, in order."""
    return sorted(current(folder).rglob(pattern))


def handles(folder: Path) -> list[Path]:
    """The files below a folder that this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found.append(link.readlink())
    return [path for path in found if path.is_relative_to(folder)]
