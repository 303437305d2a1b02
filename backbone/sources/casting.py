"""Casting a column of which some values do not fit: those are found, the others are cast."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Mask", "cast_by_halves"]

Mask = NDArray[np.bool_]


def cast_by_halves(array: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, Mask]:
    """The column as `wanted`, null where a value does not fit exactly, and which ones do not.

    Casts fail whole: halve until the misfits stand alone.
    """
    try:
        return array.cast(wanted), np.zeros(len(array), dtype=np.bool_)
    except pa.ArrowInvalid:
        if len(array) == 1:
            return pa.nulls(1, wanted), np.ones(1, dtype=np.bool_)
    half = len(array) // 2
    left, left_failed = cast_by_halves(array.slice(0, half), wanted)
    right, right_failed = cast_by_halves(array.slice(half), wanted)
    return pa.concat_arrays([left, right]), np.concatenate((left_failed, right_failed))
