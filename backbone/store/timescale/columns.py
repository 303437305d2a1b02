"""Rows out of the server, as columns.

The server appends the values of each column to one piece of bytes, so that an answer has one row with few large values
however many rows were asked for: nothing is made per row here, and the statement takes its values as parameters, which
COPY can not. It is as fast as binary COPY (measured on a million trades), and needs no walk from row to row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.schema import arrow_type
from backbone.store.sql import quoted
from backbone.store.timescale.copying import PG_EPOCH_US

__all__ = ["moments", "packed", "table_of"]

_SEND = {"timestamp": "timestamptz_send({})", "int64": "int8send({})", "double": "float8send(coalesce({}, 'NaN'))"}


def packed(dimension: Dimension, known: Mapping[str, str]) -> str:
    """The expressions that pack a dimension's columns: their number of rows first, then one or two for each column.

    Args:
        dimension: of the rows.
        known: columns whose one text is known beforehand: they are not sent.
    """
    expressions = ["count(*)"]
    for name, kind in dimension.kinds.items():
        if name in known:
            continue
        column = quoted(name)
        if kind == "string":
            expressions += [
                f"string_agg(int4send(coalesce(octet_length(textsend({column})), -1)), '')",
                f"string_agg(textsend({column}), '')",
            ]
        else:
            expressions.append(f"string_agg({_SEND[kind].format(column)}, '')")
    return ", ".join(expressions)


def table_of(dimension: Dimension, known: Mapping[str, str], answer: Sequence[Any]) -> pa.Table:
    """The table of an answer to `packed`."""
    count, *pieces = answer
    rest = iter(pieces)
    arrays = []
    for name, kind in dimension.kinds.items():
        if name in known:
            arrays.append(pa.repeat(pa.scalar(known[name], pa.string()), count))
        elif kind == "string":
            arrays.append(_texts(next(rest), next(rest), count))
        else:
            arrays.append(_numbers(kind, next(rest)))
    return pa.table(arrays, names=list(dimension.columns))


def moments(piece: bytes | None) -> npt.NDArray[np.int64]:
    """Microseconds since 1970, of packed moments."""
    return np.frombuffer(piece or b"", dtype=">i8").astype(np.int64) + PG_EPOCH_US


def _numbers(kind: str, piece: bytes | None) -> pa.Array:
    if kind == "timestamp":
        return pa.array(moments(piece)).cast(arrow_type("timestamp"))
    if kind == "int64":
        return pa.array(np.frombuffer(piece or b"", dtype=">i8").astype(np.int64))
    return pa.array(np.frombuffer(piece or b"", dtype=">f8").astype(np.float64))


def _texts(lengths: bytes | None, data: bytes | None, count: int) -> pa.Array:
    sizes = np.frombuffer(lengths or b"", dtype=">i4").astype(np.int32)
    present = sizes >= 0
    offsets = np.zeros(count + 1, dtype=np.int32)
    np.cumsum(np.where(present, sizes, 0), out=offsets[1:])
    valid = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), count, [valid, pa.py_buffer(offsets), pa.py_buffer(data or b"")])
