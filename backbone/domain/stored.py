"""Rows out of a store as a frame: what its schema promises is believed, what anybody's SQL can put there is looked at.

A store promises types, keys without a null and texts in UTF-8. It does not promise that no double is NaN or -0.0, that
moments lie within the calendar, that no text holds NUL and none of a key is empty, and one without a primary key not
that keys are distinct. The first two are made good here, the last row of a key stays, and the others are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from backbone.domain.arrays import combined, scalar_of
from backbone.domain.canonical import reorder
from backbone.domain.cleaning import check, without_nan
from backbone.domain.frame import Frame
from backbone.domain.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backbone.domain.dimension import Dimension

__all__ = ["constant", "frame_of", "one_chunk"]


def frame_of(dimension: Dimension, rows: pa.Table, known: Mapping[str, str]) -> Frame:
    """The frame of rows in any order, the later of two with one key behind the earlier.

    Args:
        dimension: what they are.
        rows: their columns, but for those that are known.
        known: columns that hold one text, which was asked for.

    Raises:
        ValueError: they hold what no frame may.
    """
    schema, count = arrow_schema(dimension), rows.num_rows
    arrays = []
    for name, kind in dimension.kinds.items():
        if name in known:
            arrays.append(constant(dimension, name, known[name], count))
            continue
        array = one_chunk(rows.column(name))
        if kind == "double":
            array = without_nan(array)
        elif kind != "int64":
            array = array.cast(schema.field(name).type)
            check(dimension, name, array)
        arrays.append(array)
    return Frame.of_canonical(dimension, reorder(dimension, pa.Table.from_arrays(arrays, schema=schema)))


def constant(dimension: Dimension, name: str, text: str, rows: int) -> pa.Array:
    """A column of one text.

    Raises:
        ValueError: there are rows, and the text is none that a frame may hold.
    """
    array = pa.repeat(scalar_of(text, pa.string()), rows)
    if not text or "\0" in text:
        check(dimension, name, array.slice(0, 1))
    return array


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The values of a column as one piece.

    Raises:
        ValueError: they are texts that fill more than one.
    """
    array = column.chunk(0) if column.num_chunks == 1 else combined(column)
    if isinstance(array, pa.ChunkedArray):
        raise ValueError("over 2 GiB of text asked for; ask for less at once")  # noqa: TRY004  the value is at fault
    return array
