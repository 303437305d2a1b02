"""Bars that are stamped with their end, on their start."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.arrays import array_of, combined, scalar_of
from backbone.domain.clock import interval_duration
from backbone.sources.errors import InputInvalid
from backbone.sources.form import Stamps

__all__ = ["shifted"]

_DAY_US = 86_400_000_000


def shifted(table: pa.Table, stamps: Stamps | None) -> pa.Table:
    """Bars by their start; daily ones, which have no interval, end with the midnight after their session.

    Args:
        table: columns of bars, ``ts`` in UTC.
        stamps: what ``ts`` is.

    Raises:
        InputInvalid: an interval has no fixed length.
    """
    if stamps != "end" or not table.num_rows:
        return table
    step = scalar_of(_DAY_US, pa.duration("us"))
    if "interval" in table.column_names:
        coded = combined(table.column("interval")).dictionary_encode()
        coded = coded if isinstance(coded, pa.DictionaryArray) else coded.combine_chunks()
        lengths = [_length(each) for each in coded.dictionary.to_pylist()]
        step = array_of(lengths, pa.duration("us")).take(coded.indices)
    place = table.column_names.index("ts")
    return table.set_column(place, table.schema.field(place), pc.subtract(table.column(place), step))


def _length(interval: str) -> int:
    try:
        return interval_duration(interval) // timedelta(microseconds=1)
    except ValueError as error:
        raise InputInvalid(f"stamps that are ends can't be read: {error}") from error
