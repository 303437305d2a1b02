"""The Arrow schema of each dimension."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from backbone.domain.dimension import Dimension, Kind

__all__ = ["arrow_schema", "arrow_type"]

_TYPES: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "double": pa.float64(),
    "int64": pa.int64(),
}


def arrow_type(kind: Kind) -> pa.DataType:
    """The Arrow type of a column kind."""
    return _TYPES[kind]


@cache
def arrow_schema(dimension: Dimension) -> pa.Schema:
    """The canonical schema of a dimension: key columns are not nullable, value columns are.

    A ``sequence`` that the store gives is null until it has.
    """
    key = frozenset(dimension.key) - ({"sequence"} if dimension.may_lack_sequence else set())
    return pa.schema([pa.field(name, _TYPES[kind], nullable=name not in key) for name, kind in dimension.kinds.items()])
