"""Bars of trades, and what a day of them comes to.

A trade belongs to the stretch of time that begins at a multiple of the interval since midnight UTC. Cancelled trades
belong to none. First and last are those by moment and sequence; trades without a price have no say in either.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backbone.domain.dimension import Dimension
from backbone.domain.fates import CANCELLED
from backbone.export.shelf import chosen
from backbone.export.spark.jobs.derived import derive
from backbone.export.spark.jobs.reading import rows_of
from backbone.export.spark.wire import Done, Job

__all__ = ["run"]

_KEY = ("symbol", "ts")


def run(spark: Any, job: Job, step: Callable[[str], None]) -> Done:
    """Make the bars of all symbols."""
    folder, manifest = chosen(Path(job.root), job.export)
    trades = rows_of(spark, folder, manifest, Dimension.TRADES)

    def write(place: str) -> None:
        step(f"making bars of {job.spelled}")
        bars = _bars(trades, job.interval * 1_000_000, whole_days=job.kind == "aggregates")
        bars.orderBy(*_KEY).write.parquet(f"file://{place}")

    return derive(spark, job, _KEY, write, step)


def _bars(trades: Any, length: int, *, whole_days: bool) -> Any:
    """The bars, their length in microseconds; of whole days also what tells one day from another."""
    from pyspark.sql import functions as f

    counting = f.col("conditions").isNull() | ~f.col("conditions").endswith(CANCELLED)
    moment, price, size = f.unix_micros("ts"), f.col("price"), f.col("size")
    start = f.timestamp_micros(moment - f.pmod(moment, f.lit(length)))
    priced = f.when(price.isNotNull(), f.struct("ts", "sequence"))
    values = [
        f.min_by("price", priced).alias("open"),
        f.max("price").alias("high"),
        f.min("price").alias("low"),
        f.max_by("price", priced).alias("close"),
        f.sum("size").alias("volume"),
        f.count("*").alias("trades"),
    ]
    if whole_days:
        traded = f.when(price.isNotNull() & size.isNotNull(), size)
        values += [
            f.try_divide(f.sum(price * traded), f.sum(traded)).alias("vwap"),
            f.min("ts").alias("first"),
            f.max("ts").alias("last"),
        ]
    return trades.where(counting).groupBy("symbol", start.alias("ts")).agg(*values)
