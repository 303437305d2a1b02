"""Making the data source known to a session."""

from __future__ import annotations

from typing import Any

from backbone.export.spark.errors import INSTALL, SparkMissing

__all__ = ["register"]


def register(spark: Any) -> None:
    """Let a session read `format("backbone")`.

    Raises:
        SparkMissing: pyspark is not installed.
    """
    try:
        from backbone.export.spark.source.tables import BackboneSource
    except ModuleNotFoundError as error:
        raise SparkMissing(f"{error.name} is not installed: {INSTALL}") from error
    spark.dataSource.register(BackboneSource)
