"""Checks of whole series: prices that jump away and back, order, duplicates."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backbone.domain import Dimension
from backbone.quality.checks import Mask

__all__ = ["SPIKE_Z", "repeated_keys", "spikes", "unordered_rows"]

SPIKE_Z = 12.0
"""Robust z-score from which a jump counts: 12 years of hourly EURUSD have two such bars, a random walk has none."""

_TO_SIGMA = 1.4826
_REVERSAL = 0.5
_FEWEST_RETURNS = 8


def spikes(prices: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """False ticks: prices that jump away and back at once, or end the series with a jump.

    The jump is measured as a robust z-score of the log return: distance from the median in units of the median absolute
    deviation, both of the returns that are not zero (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
    A jump that stays is news, not a false tick.

    Args:
        prices: in the order of time; missing and impossible ones are passed over.

    Returns:
        Places of the spikes, and their scores.
    """
    places = np.flatnonzero(np.isfinite(prices) & (prices > 0))
    returns = np.diff(np.log(prices[places]))
    moves = returns[returns != 0]
    if moves.size < _FEWEST_RETURNS:
        return places[:0], np.zeros(0)
    centre = np.median(moves)
    sigma = _TO_SIGMA * np.median(np.abs(moves - centre))
    if sigma == 0:
        return places[:0], np.zeros(0)
    score = (returns - centre) / sigma
    large = np.abs(score) > SPIKE_Z
    size = np.abs(returns)
    back = np.abs(returns[:-1] + returns[1:]) < _REVERSAL * np.minimum(size[:-1], size[1:])
    inner = large[:-1] & large[1:] & back
    # At the ends there is only one jump to judge by, unless the neighbour's spike explains it.
    first, last = large[:1] & ~inner[:1], large[-1:] & ~inner[-1:]
    found = np.concatenate((first, inner, last))
    return places[found], np.concatenate((-score[:1], score))[found]


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
    one, other = values.take(pa.array(order[second - 1])), values.take(pa.array(order[second]))
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
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_timestamp(array.type) or pa.types.is_integer(array.type):
        numbers: NDArray[np.int64] = array.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        return numbers
    codes: NDArray[np.int64] = array.dictionary_encode().indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return codes


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> Mask:
    both_null = pc.and_(one.is_null(), other.is_null())
    same: Mask = pc.or_(pc.equal(one, other).fill_null(False), both_null).to_numpy()
    return same
