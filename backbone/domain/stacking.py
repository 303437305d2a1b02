"""Rows of several frames in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import pyarrow as pa

from backbone.domain import arguments
from backbone.domain.canonical import reorder
from backbone.domain.frame import Frame
from backbone.domain.rows import Cells

if TYPE_CHECKING:
    from backbone.domain.dimension import Dimension

__all__ = ["concatenated", "of_one_dimension", "stacked"]


def of_one_dimension(frames: object) -> list[Frame]:
    """Several frames of one dimension, as a list.

    Raises:
        TypeError: something else than frames is given.
        ValueError: no frame is given, or they are of different dimensions.
    """
    if isinstance(frames, Frame) or not isinstance(frames, Iterable):
        raise TypeError(f"{arguments.shown(frames)} given; give several frames, as a list")
    given = [arguments.instance("frames", frame, Frame) for frame in frames]
    dimensions = sorted({frame.dimension for frame in given})
    if len(dimensions) != 1:
        raise ValueError(f"frames of {', '.join(dimensions) or 'no dimension'} given; give frames of one dimension")
    return given


def stacked(frames: Sequence[Frame]) -> pa.Table:
    """The rows one after the other as they are; those that have no columns yet get them together."""
    if len(frames) == 1:
        return frames[0].to_arrow()
    tables: list[pa.Table] = []
    for plain, group in groupby(frames, lambda frame: frame.cells is not None):
        if plain:
            tables.append(Cells.table(frames[0].dimension, [frame.cells for frame in group if frame.cells is not None]))
        else:
            tables += [frame.to_arrow() for frame in group]
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks()


def concatenated(dimension: Dimension, frames: Sequence[Frame]) -> pa.Table:
    """The rows in canonical form; of rows with the same key the last one."""
    filled = [frame for frame in frames if frame.num_rows]
    return reorder(dimension, stacked(filled)) if len(filled) > 1 else (filled or frames)[0].to_arrow()
