"""A number for each row that depends on nothing but what the row says: the same in every chunk of a run.

It has 64 bits. It is compared within a run, among rows of one symbol and moment, so that two rows which differ and bear
one number are not to be expected; what is stored is compared value by value.
"""

from __future__ import annotations

from hashlib import blake2b
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

    Digests = npt.NDArray[np.uint64]

__all__ = ["digests"]

_START = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0xD1B54A32D192ED03)


def digests(table: pa.Table, names: Sequence[str]) -> Digests:
    """One number for each row of a table of the canonical schema, by what it says in these columns."""
    found = np.full(table.num_rows, _START)
    for name in names:
        found = _mixed(found ^ _values(table.column(name)))
    return found


def _values(column: pa.ChunkedArray) -> Digests:
    """64 bits for each value; those of a null are none of a value that is about as likely."""
    array = combined(column)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if array.null_count == len(array):
        return np.full(len(array), _NULL)
    if types.is_string(array.type):
        encoded = array.dictionary_encode()
        texts = np.array([_of_text(text) for text in encoded.dictionary.to_pylist()], dtype=np.uint64)
        values = texts[numpy_of(encoded.indices, 0)]
    elif types.is_floating(array.type):
        values = doubles(filled(array, 0.0)).view(np.uint64)
    else:
        values = numpy_of(array.cast(pa.int64()), 0).view(np.uint64)
    values = _mixed(values)
    return np.where(nulls_of(array), _NULL, values) if array.null_count else values


def _of_text(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _mixed(values: Digests) -> Digests:
    """Each bit spread over all others: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014)."""
    mixed = values + _START
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Digests = mixed ^ (mixed >> np.uint64(31))
    return found
