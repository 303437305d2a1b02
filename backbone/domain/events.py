"""Events without a number of their own: trades and quotes of one moment are told apart by what they say.

Their ``sequence`` is null until they are stored. Within one run equal events of one moment are counted, for two equal
trades are two trades; across runs the first of them is the first, the second the second: who gives an hour again that
overlaps the former one stores each event once.

For example trades of A at 09:00 with prices 1, 2, 1: the first 1 and the 2 are first of their kind, the other 1 is the
second. A later run that gives 1, 3 at that moment brings one new event, the 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import types

from backbone.domain.arrays import combined, filled
from backbone.domain.cleaning import doubles
from backbone.domain.values import nulls_of, numpy_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from backbone.domain.dimension import Dimension

    Codes = npt.NDArray[np.int64]
    Truths = npt.NDArray[np.bool_]

__all__ = ["agreeing", "alike", "differing", "moments", "occurrences", "ranks_within", "unnumbered"]


def unnumbered(table: pa.Table) -> Truths | None:
    """Which rows have no sequence; None where all have one, or need none."""
    if "sequence" not in table.column_names or not table.column("sequence").null_count:
        return None
    missing: Truths = nulls_of(table.column("sequence"))
    return missing


def occurrences(dimension: Dimension, table: pa.Table) -> Codes:
    """How many equal events of the same moment stand before each row: the first of a kind has 0."""
    return ranks_within(alike(dimension, table))


def moments(dimension: Dimension, table: pa.Table) -> Codes:
    """One number for all rows of a symbol and moment."""
    return agreeing(table, (dimension.partition_column, "ts"))


def alike(dimension: Dimension, table: pa.Table) -> Codes:
    """One number for all rows that say the same of a symbol and moment, whatever their sequence is."""
    return agreeing(table, [name for name in dimension.columns if name != "sequence"])


def agreeing(table: pa.Table, names: Sequence[str]) -> Codes:
    """One number for all rows that agree in these columns; a null agrees with a null."""
    return _classes([code for name in names for code in _told_apart(table.column(name))], table.num_rows)


def ranks_within(classes: Codes) -> Codes:
    """The how-manieth of its class each row is, from 0, in the order given."""
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    first = np.append(True, ordered[1:] != ordered[:-1])[: len(order)]
    starts = np.flatnonzero(first)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return ranks


def _classes(codes: Sequence[Codes | None], rows: int) -> Codes:
    """One number for all rows that agree in every code."""
    told = [code for code in codes if code is not None]
    if not told or not rows:
        return np.zeros(rows, dtype=np.int64)
    order = np.lexsort(told)
    classes = np.empty(rows, dtype=np.int64)
    classes[order] = np.cumsum(differing(told, order))
    return classes


def differing(codes: Sequence[Codes], order: npt.NDArray[np.intp]) -> Truths:
    """Of rows in some order, which differ from the one before them in any of their codes; the first does not."""
    other = np.zeros(len(order), dtype=bool)
    for code in codes:
        ordered = code[order]
        other[1:] |= ordered[1:] != ordered[:-1]
    return other


def _told_apart(column: pa.ChunkedArray) -> list[Codes | None]:
    """What tells the values of a column apart, and its nulls from its values."""
    nulls: Codes | None = None
    if column.null_count:
        nulls = nulls_of(column).astype(np.int64)
    return [_codes(column), nulls]


def _codes(column: pa.ChunkedArray) -> Codes | None:
    """Equal integers for equal values, whatever they are under a null; None where all rows have the same."""
    if not len(column) or column.null_count == len(column):
        return None
    array = combined(column)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if types.is_string(array.type):
        encoded = array.dictionary_encode()
        return None if len(encoded.dictionary) == 1 else numpy_of(encoded.indices, 0).astype(np.int64)
    if types.is_floating(array.type):
        return doubles(filled(array, 0.0)).view(np.int64)
    codes: Codes = numpy_of(array.cast(pa.int64()), 0)
    return codes
