"""The rows of an export as Spark's own reader has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backbone.domain.dimension import Dimension
from backbone.export.manifest import Manifest

__all__ = ["rows_of"]


def rows_of(spark: Any, folder: Path, manifest: Manifest, dimension: Dimension) -> Any:
    """The rows of a dimension with all its columns.

    Names of folders are percent-encoded UTF-8. Spark takes each of the bytes for a character of its own, so that other
    names than those in ASCII come out wrong, and are put right here.
    """
    from pyspark.sql import functions as f

    frame = spark.read.parquet(str(folder / dimension))
    column = dimension.partition_column
    if any(entry.symbol is not None for entry in manifest.files if entry.dimension is dimension):
        frame = frame.withColumn(column, f.decode(f.encode(column, "ISO-8859-1"), "UTF-8"))
    return frame.select(*dimension.columns, "_metadata.file_path")
