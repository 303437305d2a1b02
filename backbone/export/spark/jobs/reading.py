"""The rows of an export as Spark's own reader has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from backbone.domain.dimension import Dimension
from backbone.export.errors import ContentDiffers
from backbone.export.manifest import Manifest
from backbone.export.shelf import is_rest, strangers

__all__ = ["address_of", "rows_of"]

_PATTERN = re.compile(r"[{}\[\]*?\\]")


def address_of(folder: Path) -> str:
    """A folder as Spark is to read it: of the machines' own file systems, and by its letters, which are no pattern."""
    letters = _PATTERN.sub(r"\\\g<0>", str(folder))
    return f"file://{letters}"


def rows_of(spark: Any, folder: Path, manifest: Manifest, dimension: Dimension) -> Any:
    """The rows of a dimension with all its columns.

    Names of folders are percent-encoded UTF-8. Spark takes each of the bytes for a character of its own, so that other
    names than those in ASCII come out wrong, and are put right here.

    Raises:
        ContentDiffers: Spark, which reads what lies there, would read other files than the manifest names.
    """
    _require_whole(folder, manifest, dimension)
    from pyspark.sql import functions as f

    frame = spark.read.parquet(address_of(folder / dimension))
    column = dimension.partition_column
    if any(entry.symbol is not None for entry in manifest.files if entry.dimension is dimension):
        frame = frame.withColumn(column, f.decode(f.encode(column, "ISO-8859-1"), "UTF-8"))
    return frame.select(*dimension.columns, "_metadata.file_path")


def _require_whole(folder: Path, manifest: Manifest, dimension: Dimension) -> None:
    hint = "backbone export verify tells all that is wrong"
    for entry in manifest.files:
        path = folder / entry.path
        if entry.dimension is dimension and not (path.is_file() and path.stat().st_size == entry.bytes):
            raise ContentDiffers(f"{entry.path} is missing, or not the file that was written; {hint}")
    for stranger in strangers(folder, manifest.files):
        if stranger.startswith(f"{dimension}/") and not is_rest(stranger):
            raise ContentDiffers(f"{stranger} does not belong there; {hint}")
