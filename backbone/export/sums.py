"""Hashes over the values of columns, made from files: what the store says of the same rows has to be equal.

Page by page as `Store.sum_part` has it; the sum of a column is the SHA-256 of the hashes of its pages, in their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from backbone.domain.dimension import Dimension, Kind
from backbone.domain.stored import one_chunk
from backbone.domain.values import nulls_of, numpy_of

__all__ = ["Sums", "hash_of_values", "hashes_of"]

_PG_EPOCH_US = 946_684_800_000_000
_NULL = 0x7FF8000000000001


class Sums:
    """The sums of the columns of one part."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._hashes = {name: hashlib.sha256() for name in columns}

    def add(self, hashes: Mapping[str, bytes]) -> None:
        """Take the next page in."""
        for name, value in hashes.items():
            self._hashes[name].update(value)

    def hex(self) -> dict[str, str]:
        """By column."""
        return {name: value.hexdigest() for name, value in self._hashes.items()}


def hashes_of(dimension: Dimension, table: pa.Table) -> dict[str, bytes]:
    """The hash of each column of a page."""
    return {name: hash_of_values(dimension.kinds[name], table.column(name)) for name in table.column_names}


def hash_of_values(kind: Kind, column: pa.ChunkedArray) -> bytes:
    """The hash of one column of a page."""
    return _hash(kind, one_chunk(column))


def _hash(kind: Kind, array: pa.Array) -> bytes:
    if kind == "string":
        lengths, texts = _texts(array)
        return _sha256(_sha256(lengths) + _sha256(texts))
    if kind == "double":
        missing = nulls_of(array)
        values = numpy_of(array, 0.0).astype(">f8").view(">u8")
        values[missing] = _NULL
        return _sha256(values.tobytes())
    whole = numpy_of(array.cast(pa.int64()))
    return _sha256((whole - _PG_EPOCH_US if kind == "timestamp" else whole).astype(">i8").tobytes())


def _texts(array: pa.Array) -> tuple[bytes, bytes]:
    """The lengths of texts in bytes, -1 for null, and the bytes of all of them."""
    offsets, data = array.buffers()[1:3]
    bounds = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4)
    lengths = np.diff(bounds).astype(">i4")
    if array.null_count:
        lengths[nulls_of(array)] = -1
    text = b"" if data is None else data[int(bounds[0]) : int(bounds[-1])].to_pybytes()
    return lengths.tobytes(), text


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
