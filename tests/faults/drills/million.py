"""A million trades in a file, and who watches them arrive: the loop, the memory, a sum that no order changes."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import anyio
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from backbone import Backbone, Dimension, Frame

__all__ = ["ROWS", "TRADES", "Watch", "sum_of", "written"]

TRADES = Dimension.TRADES
ROWS, SYMBOLS = 1_000_000, 50
_DAY_US = 1_735_689_600_000_000  # 2025-01-01
_BEAT_SECONDS = 0.005


def written(path: Path) -> Path:
    i = np.arange(ROWS)
    table = pa.table(
        {
            "symbol": pa.array([f"S{n:02d}" for n in range(SYMBOLS)]).take(pa.array(i % SYMBOLS)),
            "ts": pa.array(_DAY_US + (i // SYMBOLS) * 10_000, pa.timestamp("us", "UTC")),
            "sequence": i,
            "price": 100.0 + np.sin(i / 1000.0),
            "size": (i % 100 + 1).astype(float),
        }
    )
    pq.write_table(table, path)
    return path


def sum_of(frame: Frame) -> int:
    """Of a hash of each row, which neither order nor the cut into frames changes."""
    table = frame.to_arrow()
    symbols = table.column("symbol").combine_chunks().dictionary_encode()
    names = np.array([zlib.crc32(each.encode()) for each in symbols.dictionary.to_pylist()], np.uint64)
    total = names[symbols.indices.to_numpy()] if len(table) else np.zeros(0, np.uint64)
    for name in ("ts", "sequence", "price", "size"):
        total = _mixed(total, np.ascontiguousarray(frame.column(name)).view(np.uint64))
    return int(total.sum(dtype=np.uint64))


def _mixed(one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = (one ^ other) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


def rss() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Watch:
    """How late the loop is, and how much memory there is as rows arrive."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.memory: dict[int, int] = {}
        self.rows = self.sum = 0

    async def beat(self) -> None:
        while True:
            due = time.perf_counter() + _BEAT_SECONDS
            await anyio.sleep(_BEAT_SECONDS)
            self.late.append(time.perf_counter() - due)

    async def read(self, backbone: Backbone, opened: anyio.Event) -> None:
        async with backbone.subscribe(TRADES, start="earliest") as updates:
            opened.set()
            async for update in updates:
                self.rows += update.frame.num_rows
                self.sum = (self.sum + sum_of(update.frame)) % 2**64
                self.memory[10 * self.rows // ROWS] = rss()
                if self.rows >= ROWS:
                    return

    @property
    def p99(self) -> float:
        """Seconds by which the loop was late."""
        return float(np.percentile(self.late, 99))
