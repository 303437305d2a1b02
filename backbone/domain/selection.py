"""Choosing rows of a canonical table: by symbol, by time, the newest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.canonical import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Stamps = npt.NDArray[np.int64]

__all__ = ["matching_rows", "newest_rows", "runs"]


def runs(column: pa.ChunkedArray) -> list[tuple[str, int, int]]:
    """The runs of equal text in a sorted column, as (text, offset, length)."""
    if not len(column):
        return []
    text = whole(column)
    changes = pc.not_equal(text.slice(1), text.slice(0, len(text) - 1)).to_numpy(zero_copy_only=False)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    lengths = np.diff(np.append(starts, len(text)))
    names = text.take(pa.array(starts)).to_pylist()
    return list(zip(names, starts.tolist(), lengths.tolist(), strict=True))


def newest_rows(table: pa.Table, stamps: Stamps, n: int) -> pa.Table:
    """The n rows with the greatest stamps, in the table's order; of equal stamps the later rows."""
    if n == 0:
        return table.schema.empty_table()
    mask = np.zeros(len(stamps), dtype=bool)
    mask[np.argsort(stamps, kind="stable")[-n:]] = True
    return _rows(table, mask)


def matching_rows(
    table: pa.Table,
    stamps: Stamps,
    symbols: Sequence[str] | None,
    bounds: tuple[int | None, int | None],
    interval: str | None,
) -> pa.Table:
    """The rows of the symbols within the bounds (microseconds, both inclusive) and of the interval."""
    mask = np.ones(len(stamps), dtype=bool)
    start, end = bounds
    if start is not None:
        mask &= stamps >= start
    if end is not None:
        mask &= stamps <= end
    if symbols is not None:
        mask &= _truth(pc.is_in(table.column(0), value_set=pa.array(symbols, type=pa.string())))
    if interval is not None:
        mask &= _truth(pc.equal(table.column("interval"), interval))
    return _rows(table, mask)


def _truth(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.to_numpy(), dtype=bool)


def _rows(table: pa.Table, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """The masked rows; a contiguous stretch is a view."""
    chosen = np.flatnonzero(mask)
    if not len(chosen):
        return table.schema.empty_table()
    first, last = int(chosen[0]), int(chosen[-1])
    if last - first + 1 == len(chosen):
        return table.slice(first, len(chosen))
    return table.take(pa.array(chosen)).combine_chunks()
