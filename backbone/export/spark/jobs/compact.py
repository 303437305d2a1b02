"""Few large files of many small ones: those of a symbol together, in order of time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from backbone.domain.dimension import Dimension
from backbone.export.errors import ContentDiffers
from backbone.export.manifest import Manifest
from backbone.export.shelf import chosen
from backbone.export.spark.jobs.derived import derive
from backbone.export.spark.jobs.reading import address_of, rows_of
from backbone.export.spark.wire import Done, Job

__all__ = ["run"]

_MOST_ROWS = 20_000_000
"""Rows of one file."""


def run(spark: Any, job: Job, step: Callable[[str], None]) -> Done:
    """Put the files of a dimension together, or those of each."""
    folder, manifest = chosen(Path(job.root), job.export)
    wanted = [job.dimension] if job.dimension is not None else sorted({entry.dimension for entry in manifest.files})
    done = [
        _of(spark, msgspec.structs.replace(job, dimension=dimension), folder, manifest, dimension, step)
        for dimension in wanted
    ]
    if not done:
        return Done(rows=0, files=0)
    return Done(
        rows=sum(each.rows for each in done),
        files=sum(each.files for each in done),
        folder=done[0].folder if len(done) == 1 else str(Path(done[0].folder).parent),
        kept=all(each.kept for each in done),
    )


def _of(
    spark: Any, job: Job, folder: Path, manifest: Manifest, dimension: Dimension, step: Callable[[str], None]
) -> Done:
    column = dimension.partition_column
    rows = rows_of(spark, folder, manifest, dimension).select(*dimension.columns)

    def write(place: str) -> int:
        step(f"putting {dimension} together")
        together = rows.repartition(column).sortWithinPartitions(column, *dimension.key)
        together.write.partitionBy(column).option("maxRecordsPerFile", _MOST_ROWS).parquet(f"file://{place}")
        step("comparing what was written with the export")
        before, after = _content(rows), _content(spark.read.parquet(address_of(Path(place))).select(*dimension.columns))
        expected = sum(entry.rows for entry in manifest.files if entry.dimension is dimension)
        if before[0] != expected:
            raise ContentDiffers(f"{dimension}: the export has {before[0]} rows, {expected} by its manifest")
        if before != after:
            text = f"{dimension}: rows and hash are {after}, in the export {before}"
            raise ContentDiffers(f"{text}; what was written was not taken")
        return before[0]

    return derive(spark, job, [name for name in dimension.key if name != column], write, step)


def _content(rows: Any) -> tuple[int, int]:
    """How many rows there are, and a sum over hashes of all values, in whichever order they come."""
    from pyspark.sql import functions as f

    hashed = f.xxhash64(*rows.columns).cast("decimal(20,0)")
    count, total = rows.agg(f.count("*"), f.coalesce(f.sum(hashed), f.lit(0))).first()
    return int(count), int(total)
