"""Rows for the store's benchmark: real trades where they can be found, synthetic bars."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backbone.domain import Dimension, Frame
from backbone.sources.text.chunking import Chunker

TRADES, BARS = Dimension.TRADES, Dimension.INTRADAY_BARS
CHUNK_ROWS = 100_000
_NAME = "us_trades.parquet"
_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000
_START_US = 1_381_104_000_000_000  # 2013-10-07
_SEED = 5


def trades_file() -> Path | None:
    """BACKBONE_BENCH_TRADES, or the file by its name in a data folder beside the checkout; None: there is none."""
    given = os.environ.get("BACKBONE_BENCH_TRADES")
    if given:
        return Path(given)
    return next(iter(Path(__file__).resolve().parents[2].parent.glob(f"*/data/{_NAME}")), None)


@cache
def trades(rows: int) -> tuple[Frame, ...]:
    """The first so many trades, in chunks; synthetic ones of four symbols where there is no file."""
    path = trades_file()
    table = _synthetic_trades(rows) if path is None else _real_trades(path).slice(0, rows)
    return chunks(TRADES, table)


def _real_trades(path: Path) -> pa.Table:
    table = pq.read_table(path, columns=["symbol", "ts", "sequence", "price", "size", "exchange"])
    return table.rename_columns(["symbol", "ts", "sequence", "price", "size", "venue"]).sort_by("ts")


def _synthetic_trades(rows: int) -> pa.Table:
    chance = np.random.default_rng(_SEED)
    moments = _START_US + np.sort(chance.integers(0, 5 * 86_400 * _SECOND_US, rows))
    return pa.table(
        {
            "symbol": chance.choice(["AIG", "BAC", "IBM", "SPY"], rows),
            "ts": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "sequence": np.arange(rows),
            "price": 100 + np.round(chance.normal(0, 0.01, rows).cumsum(), 2),
            "size": chance.integers(1, 50, rows) * 100.0,
            "venue": chance.choice(["P", "Q", "Z"], rows),
        }
    )


@cache
def bars(rows: int) -> tuple[Frame, ...]:
    """Synthetic bars of one minute, ten symbols after each other."""
    chance = np.random.default_rng(_SEED)
    each = rows // 10
    close = 100 + np.round(chance.normal(0, 0.01, 10 * each).cumsum(), 4)
    moments = _START_US + _MINUTE_US * np.tile(np.arange(each), 10)
    table = pa.table(
        {
            "symbol": np.repeat([f"S{n}" for n in range(10)], each),
            "interval": np.repeat(["1m"], 10 * each),
            "ts": pa.array(moments, pa.timestamp("us", tz="UTC")),
            **{name: close + more for name, more in (("open", 0.0), ("high", 0.1), ("low", -0.1), ("close", 0.0))},
            "volume": chance.integers(1, 50, 10 * each) * 100.0,
        }
    )
    return chunks(BARS, table)


def chunks(dimension: Dimension, table: pa.Table) -> tuple[Frame, ...]:
    """A table in chunks of at most 100,000 rows, as a source gives them."""
    chunker = Chunker(dimension, CHUNK_ROWS, "benchmark")
    return tuple(each.frame for each in (*chunker.add(table, []), *chunker.rest()))


@dataclass(frozen=True)
class Work:
    """What the store is given, made beforehand; each part has symbols that the others do not touch, or is a repeat."""

    fresh: tuple[Frame, ...]
    corrected: tuple[Frame, ...]
    sparse: tuple[Frame, ...]
    between: tuple[Frame, ...]
    in_time: tuple[Frame, ...]
    late: tuple[Frame, ...]


@cache
def work(rows: int) -> Work:
    """The first so many trades, and what is made of them."""
    fresh = trades(rows)
    half = fresh[: max(1, len(fresh) // 2)]
    sparse, between = apart(half, " a")
    late, in_time = apart(half, " b")
    return Work(fresh, corrected(fresh), sparse, between, in_time, late)


def corrected(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The same with another price in one row of a hundred."""
    return tuple(_with_prices(frame) for frame in frames)


def _with_prices(frame: Frame) -> Frame:
    table = frame.to_arrow()
    name = "price" if "price" in table.column_names else "close"
    prices = table[name].to_numpy().copy()
    prices[::100] += 0.01
    column = table.column_names.index(name)
    return Frame.from_arrow(frame.dimension, table.set_column(column, name, pa.array(prices)))


def apart(frames: tuple[Frame, ...], suffix: str) -> tuple[tuple[Frame, ...], tuple[Frame, ...]]:
    """One row of twenty, and the others, over the same time; symbols of their own, by that suffix."""
    table = pa.concat_tables([frame.to_arrow() for frame in frames])
    names = pc.binary_join_element_wise(table["symbol"], pa.scalar(suffix), "")
    table = table.set_column(table.column_names.index("symbol"), "symbol", names)
    few = np.arange(table.num_rows) % 20 == 0
    dimension = frames[0].dimension
    return chunks(dimension, table.filter(pa.array(few))), chunks(dimension, table.filter(pa.array(~few)))
