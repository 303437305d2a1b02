"""Checks of whole series: order, duplicates."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.domain.arrays import array_of, filled
from backbone.domain.values import numpy_of
from backbone.quality.checks import Mask

__all__ = ["repeated_keys", "unordered_rows"]


def repeated_keys(raw: pa.Table, dimension: Dimension) -> tuple[int, int]:
    """Rows of a raw table that repeat the key of another one.

    Returns:
        How many repeat it with the same values, and how many with other values. (0, 0) where the table lacks part of
        the key.
    """
    codes = _key_codes(raw, dimension)
    if codes is None or raw.num_rows == 0:
        return 0, 0
    order = np.lexsort(codes[::-1])
    same_key = np.logical_and.reduce([code[order][1:] == code[order][:-1] for code in codes])
    second = np.flatnonzero(same_key) + 1
    if not second.size:
        return 0, 0
    values = raw.select([name for name in raw.column_names if name in dimension.values])
    one, other = values.take(array_of(order[second - 1])), values.take(array_of(order[second]))
    differs = np.zeros(second.size, dtype=np.bool_)
    for name in values.column_names:
        differs |= ~_same(one.column(name), other.column(name))
    return int((~differs).sum()), int(differs.sum())


def unordered_rows(raw: pa.Table, dimension: Dimension) -> int:
    """Rows of a raw table that lie earlier than the row before them of the same symbol (and interval)."""
    names = [name for name in dimension.key if name in raw.column_names and dimension.kinds[name] == "string"]
    if raw.num_rows == 0 or "ts" not in raw.column_names:
        return 0
    groups = [_code(raw.column(name)) for name in names]
    order = np.lexsort(groups[::-1]) if groups else np.arange(raw.num_rows)
    ts = _code(raw.column("ts"))[order]
    same = np.logical_and.reduce(
        [np.ones(ts.size - 1, dtype=np.bool_), *(g[order][1:] == g[order][:-1] for g in groups)]
    )
    return int((same & (ts[1:] < ts[:-1])).sum())


def _key_codes(raw: pa.Table, dimension: Dimension) -> list[NDArray[np.int64]] | None:
    if not set(dimension.key) <= set(raw.column_names):
        return None
    return [_code(raw.column(name)) for name in dimension.key]


def _code(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Numbers that are equal where the values are; moments and whole numbers keep their order."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    if pa.types.is_timestamp(array.type) or pa.types.is_integer(array.type):
        numbers: NDArray[np.int64] = numpy_of(array.cast(pa.int64()), -1)
        return numbers
    codes: NDArray[np.int64] = numpy_of(array.dictionary_encode().indices.cast(pa.int64()), -1)
    return codes


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> Mask:
    both_null = pc.and_(one.is_null(), other.is_null())
    same: Mask = numpy_of(pc.or_(filled(pc.equal(one, other), False), both_null))
    return same
