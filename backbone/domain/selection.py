"""Choosing rows of a canonical table: by symbol, by time, the newest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain import arguments
from backbone.domain.arrays import array_of, empty_of, scalar_of
from backbone.domain.canonical import whole
from backbone.domain.clock import to_us
from backbone.domain.values import numpy_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import numpy.typing as npt

    from backbone.domain.frame import Frame

    Stamps = npt.NDArray[np.int64]

__all__ = ["matching_rows", "newest_rows", "runs"]


def runs(column: pa.ChunkedArray) -> list[tuple[str, int, int]]:
    """The runs of equal text in a sorted column, as (text, offset, length)."""
    if not len(column):
        return []
    text = whole(column)
    changes = numpy_of(pc.not_equal(text.slice(1), text.slice(0, len(text) - 1)))
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    lengths = np.diff(np.append(starts, len(text)))
    names = text.take(array_of(starts)).to_pylist()
    return list(zip(names, starts.tolist(), lengths.tolist(), strict=True))


def newest_rows(table: pa.Table, stamps: Stamps, n: int) -> pa.Table:
    """The n rows with the greatest stamps, in the table's order; of equal stamps the later rows."""
    if n == 0:
        return empty_of(table.schema)
    mask = np.zeros(len(stamps), dtype=bool)
    mask[np.argsort(stamps, kind="stable")[-n:]] = True
    return _rows(table, mask)


def matching_rows(
    frame: Frame,
    stamps: Stamps,
    symbols: Iterable[str] | None,
    window: tuple[datetime | None, datetime | None],
    interval: str | None,
) -> pa.Table:
    """The rows of the symbols within the window (both ends inclusive) and of the interval; None means all.

    Raises:
        TypeError: symbols are one text instead of several, or an argument is of a wrong type.
        ValueError: an interval is asked of a dimension that has none.
    """
    interval = arguments.interval(interval)
    if interval is not None and not frame.dimension.has_interval:
        raise ValueError(f"interval={interval!r} given, but {frame.dimension} has no interval; leave it out")
    table = frame.to_arrow()
    mask = np.ones(len(stamps), dtype=bool)
    start, end = window
    if start is not None:
        mask &= stamps >= to_us(start)
    if end is not None:
        mask &= stamps <= to_us(end)
    if symbols is not None:
        wanted = array_of(sorted(arguments.symbols(symbols)), pa.string())
        mask &= _truth(pc.is_in(table.column(0), value_set=wanted))
    if interval is not None:
        mask &= _truth(pc.equal(table.column("interval"), scalar_of(interval)))
    return _rows(table, mask)


def _truth(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(numpy_of(column), dtype=bool)


def _rows(table: pa.Table, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """The masked rows; a contiguous stretch is a view."""
    chosen = np.flatnonzero(mask)
    if not len(chosen):
        return empty_of(table.schema)
    first, last = int(chosen[0]), int(chosen[-1])
    if last - first + 1 == len(chosen):
        return table.slice(first, len(chosen))
    return table.take(array_of(chosen)).combine_chunks()
