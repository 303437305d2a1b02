"""The data source itself, as Spark asks of it: columns, partitions, and the rows of one. Loaded where pyspark is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from backbone.export.spark.source.fetching import batches_of, parts_of
from backbone.export.spark.source.where import Where, where_of
from backbone.store.snapshots import Part

__all__ = ["BackboneSource"]

_TYPES = {"string": "string", "timestamp": "timestamp", "double": "double", "int64": "bigint"}


class _Piece(InputPartition):  # type: ignore[misc]
    """One partition: rows of a symbol in a stretch of time."""


class _Reader(DataSourceReader):  # type: ignore[misc]
    """Finds the partitions where Spark plans, and reads each where it pleases Spark."""

    def __init__(self, where: Where) -> None:
        self._where = msgspec.json.encode(where)

    def partitions(self) -> list[InputPartition]:
        """Those that have rows."""
        where = msgspec.json.decode(self._where, type=Where)
        return [_Piece(msgspec.json.encode(part)) for part in parts_of(where)]

    def read(self, partition: Any) -> Iterator[Any]:
        """Batches of Arrow."""
        if partition.value is None:  # Spark's own, where there is none of ours
            return iter(())
        where = msgspec.json.decode(self._where, type=Where)
        return batches_of(where, msgspec.json.decode(partition.value, type=Part))


class BackboneSource(DataSource):  # type: ignore[misc]
    """Rows of a dimension, with all its columns."""

    @classmethod
    def name(cls) -> str:
        """By which `format` knows it."""
        return "backbone"

    def schema(self) -> str:
        """The columns, as the options say the dimension."""
        dimension = where_of(self.options).parts.dimension
        return ", ".join(f"`{name}` {_TYPES[dimension.kinds[name]]}" for name in dimension.columns)

    def reader(self, schema: Any) -> DataSourceReader:  # noqa: ARG002 - which columns are read is not Spark's to say
        """What reads the rows."""
        return _Reader(where_of(self.options))
