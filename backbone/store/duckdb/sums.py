"""Hashes over the values of columns, as DuckDB itself tells them: see `Store.sum_part`.

DuckDB says of each value which eight bytes it is, as a whole number, and of each text its bytes and how many they are;
here they are only put one behind the other. What reads rows takes another way: through Arrow's moments, doubles and
texts. To have DuckDB make the hashes as well takes five times as long, and all values once more as text: it joins no
bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from backbone.domain.dimension import Dimension, Kind
from backbone.domain.values import numpy_of
from backbone.store.sql import quoted

__all__ = ["hashes_of", "told"]

_PG_EPOCH_US = 946_684_800_000_000
_NULL = 0x7FF8000000000001


def told(dimension: Dimension, columns: Sequence[str]) -> str:
    """What is asked for, of each row: the values of these columns as whole numbers and bytes."""
    asked = [each for name in columns for each in _told(dimension.kinds[name], quoted(name))]
    return ", ".join(f"{each} AS told{n}" for n, each in enumerate(asked))


def _told(kind: Kind, column: str) -> tuple[str, ...]:
    if kind == "string":
        told = f"encode({column})"
        return f"coalesce(octet_length({told}), -1)::INTEGER", f"coalesce({told}, ''::BLOB)"
    if kind == "timestamp":
        return (f"epoch_us({column}) - {_PG_EPOCH_US}",)
    if kind == "double":
        bits = f"CASE {column} WHEN 0 THEN 0::UBIGINT ELSE CAST(CAST({column} AS BIT) AS UBIGINT) END"
        return (f"CASE WHEN {column} IS NULL OR isnan({column}) THEN {_NULL}::UBIGINT ELSE {bits} END",)
    return (f"{column}::BIGINT",)


def hashes_of(dimension: Dimension, columns: Sequence[str], rows: pa.Table) -> dict[str, bytes]:
    """The hash of each column, of rows as they were told."""
    found = iter(rows.columns)
    return {name: _hash(dimension.kinds[name], found) for name in columns}


def _hash(kind: Kind, told: Iterator[pa.ChunkedArray]) -> bytes:
    if kind == "string":
        return hashlib.sha256(_of_numbers(next(told), ">i4") + _of_bytes(next(told))).digest()
    return _of_numbers(next(told), ">u8" if kind == "double" else ">i8")


def _of_numbers(column: pa.ChunkedArray, as_bytes: str) -> bytes:
    found = hashlib.sha256()
    for chunk in column.chunks:
        found.update(numpy_of(chunk).astype(as_bytes).tobytes())
    return found.digest()


def _of_bytes(column: pa.ChunkedArray) -> bytes:
    found = hashlib.sha256()
    for chunk in column.chunks:
        offsets, data = chunk.buffers()[1:3]
        bounds = np.frombuffer(offsets, np.int32, len(chunk) + 1, chunk.offset * 4)
        if data is not None:
            found.update(memoryview(data)[int(bounds[0]) : int(bounds[-1])])
    return found.digest()
