"""Numbers for events that have none, given where they are stored: by what is there, whoever stores it.

An event whose like is stored at its moment already is that one and bears its number; another one comes behind what is
there. So numbers do not depend on where a batch or a file happened to begin, and giving a file again stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.canonical import reorder, whole
from backbone.domain.events import agreeing, alike, moments, ranks_within, unnumbered
from backbone.domain.frame import Frame
from backbone.domain.values import numpy_of
from backbone.store.merging import Indices, Merged, Truths
from backbone.store.records import Outcome

__all__ = ["Numbered", "moments_of", "number"]

_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Numbered:
    """Rows that all have their number.

    Attributes:
        frame: the rows in key order.
        places: of each given row, where it is in `frame`; two that turned out to be one event are in one place.
    """

    frame: Frame
    places: Indices

    def moved(self, truths: Truths) -> Truths:
        """Truths about the rows as they were given, about those of `frame`."""
        moved = np.ones(self.frame.num_rows, dtype=bool)
        moved[self.places] = truths
        return moved

    def told(self, merged: Merged) -> Merged:
        """What was done with the rows as they were given: of two that are one event, the second is no news."""
        outcomes = np.full(len(self.places), Outcome.UNCHANGED, np.uint8)
        place, first = np.unique(self.places, return_index=True)
        outcomes[first] = merged.outcomes[place]
        return Merged(merged.written, outcomes)


def moments_of(frame: Frame, of: Truths) -> pa.Table:
    """The symbols and moments, each pair once, of the events without a number among some rows."""
    table = frame.to_arrow()
    missing = unnumbered(table)
    chosen = table.filter(array_of(of & missing)) if missing is not None else table.slice(0, 0)
    _, firsts = np.unique(moments(frame.dimension, chosen), return_index=True)
    return chosen.select(["symbol", "ts"]).take(array_of(firsts)) if chosen.num_rows else chosen


def number(frame: Frame, held: Frame, nth: Indices | None = None) -> Numbered:
    """Give each event its number.

    Args:
        frame: the events; those that have a number keep it.
        held: what is stored of the same symbols and moments.
        nth: of each row, the how-manieth of the equal events of its moment it is within its run, from 0; None: counted
            within the frame.

    Raises:
        ValueError: a moment has an event with the greatest number there is, so that none comes behind it.
    """
    table = frame.to_arrow()
    missing = unnumbered(table)
    if missing is None:
        return Numbered(frame, np.arange(frame.num_rows))
    if nth is None and not held.num_rows and missing.all():  # what a feed brings, nearly always: in order already
        return Numbered(_with_sequence(frame, ranks_within(moments(frame.dimension, table))), np.arange(frame.num_rows))
    own = Frame.of_known(frame.dimension, table.filter(array_of(~missing)))
    known = Frame.concat([held, own]).to_arrow()
    numbers = numpy_of(whole(table.column("sequence")), 0).copy()
    ranks = None if nth is None else nth[missing]
    numbers[missing] = _numbers(frame, known, table.filter(array_of(missing)), ranks)
    return _in_order(_with_sequence(frame, numbers))


def _with_sequence(frame: Frame, numbers: Indices) -> Frame:
    table = frame.to_arrow()
    place = table.column_names.index("sequence")
    numbered = table.set_column(place, table.schema.field(place), array_of(numbers))
    return Frame.of_canonical(frame.dimension, numbered)


def _numbers(frame: Frame, known: pa.Table, events: pa.Table, nth: Indices | None) -> Indices:
    """The number of each event: that of the known one which it is, or one behind all of its moment.

    Events that are the same of two runs, of equal content and the how-manieth too, are one and bear one number.
    """
    both = pa.concat_tables([known, events]).combine_chunks()
    kinds, times = alike(frame.dimension, both), moments(frame.dimension, both)
    count = known.num_rows
    there = numpy_of(whole(known.column("sequence")))
    order = np.lexsort((there, kinds[:count]))
    begins = np.searchsorted(kinds[:count][order], kinds[count:])
    held = np.searchsorted(kinds[:count][order], kinds[count:], side="right") - begins
    rank = ranks_within(kinds[count:]) if nth is None else nth
    found = rank < held
    numbers = np.empty(events.num_rows, dtype=np.int64)
    numbers[found] = there[order][(begins + rank)[found]]
    new = np.flatnonzero(~found)
    one_number = kinds[count:][new] * (1 + int(rank.max(initial=0))) + rank[new]
    _, first, which = np.unique(one_number, return_index=True, return_inverse=True)
    leading = np.zeros(len(new), dtype=bool)
    leading[first] = True
    moment = times[count:][new]
    behind = np.zeros(len(new), dtype=np.int64)
    behind[leading] = _behind(times[:count], there, moment[leading]) + ranks_within(moment[leading])
    numbers[new] = behind[first][which]
    return numbers


def _behind(times: Indices, there: Indices, new: Indices) -> Indices:
    """The first free number behind what is known of each moment."""
    newest = np.full(1 + max((int(each.max()) for each in (times, new) if each.size), default=0), -1, dtype=np.int64)
    np.maximum.at(newest, times, there)
    last = newest[new]
    if (last >= _LAST - len(new)).any():
        greatest = int(last.max())
        raise ValueError(f"an event with the sequence {greatest} is stored: none comes behind it; give sequences")
    free: Indices = last + 1
    return free


def _in_order(frame: Frame) -> Numbered:
    """The rows by key, and where each of them went."""
    table = frame.to_arrow()
    marked = table.append_column("row", array_of(np.arange(table.num_rows)))
    kept = reorder(frame.dimension, marked)
    sorted_table = kept.drop_columns(["row"])
    numbered = Frame.of_known(frame.dimension, sorted_table)
    places = np.full(table.num_rows, -1, dtype=np.int64)
    places[numpy_of(kept.column("row"))] = np.arange(kept.num_rows)
    gone = np.flatnonzero(places < 0)
    if gone.size:
        keys = pa.concat_tables([sorted_table, table.take(array_of(gone))]).combine_chunks()
        classes = agreeing(keys, frame.dimension.key)
        by_class = np.empty(classes.max() + 1, dtype=np.int64)
        by_class[classes[: kept.num_rows]] = np.arange(kept.num_rows)
        places[gone] = by_class[classes[kept.num_rows :]]
    return Numbered(numbered, places)
