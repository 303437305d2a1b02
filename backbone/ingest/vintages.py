"""Figures that are revised: what of a chunk that was known at a moment is news, beside what is stored already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from backbone.domain import Frame
from backbone.domain.arrays import array_of
from backbone.domain.values import python_of
from backbone.store.records import Query

__all__ = ["LATE", "News", "news"]

LATE = "a later version of it is stored already"
"""Why a row of a vintage is left out: it would take the place of what is known since."""

Rows = dict[tuple[object, ...], tuple[object, ...]]


class News(NamedTuple):
    """What became of the rows of a vintage.

    Attributes:
        frame: those to write.
        known: how many are stored as they were known then.
        late: how many came behind a later version.
    """

    frame: Frame
    known: int
    late: int


async def news(frame: Frame, known_at: datetime, read: Callable[[Query], Awaitable[Frame]]) -> News:
    """What of these rows says something that is not stored.

    Vintages come again with each run, and the older ones differ from what stands now: written once more, they would
    take its place.

    Args:
        frame: the rows.
        known_at: since when they are known.
        read: gives what is stored.
    """
    query = Query(frame.dimension, frame.symbols, start=frame.start, end=frame.end)
    stands = _rows(await read(query))
    if not stands:
        return News(frame, 0, 0)
    knew = _rows(await read(replace(query, as_of=known_at)))
    given = _rows(frame)
    known = np.array([knew.get(key) == values for key, values in given.items()], dtype=np.bool_)
    late = np.array([key in stands and knew.get(key) != stands[key] for key in given], dtype=np.bool_) & ~known
    fresh = frame.to_arrow().filter(array_of(~known & ~late))
    return News(Frame.of_known(frame.dimension, fresh), int(known.sum()), int(late.sum()))


def _rows(frame: Frame) -> Rows:
    table, key = frame.to_arrow(), len(frame.dimension.key)
    rows = zip(*(python_of(column) for column in table.columns), strict=True)
    return {row[:key]: row[key:] for row in rows}
