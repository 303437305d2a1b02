"""Cleaning one column: the right type, and nothing in it that a store, a stream or a reader would choke on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from backbone.domain.arguments import shown
from backbone.domain.arrays import array_of, combined, scalar_of
from backbone.domain.clock import MAX_US, MIN_US
from backbone.domain.schema import arrow_type
from backbone.domain.text import LONGEST_TEXT, hidden
from backbone.domain.values import nulls_of, numpy_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from backbone.domain.dimension import Dimension

__all__ = [
    "check",
    "check_doubles",
    "check_texts",
    "clean",
    "constant_text",
    "doubles",
    "is_nested",
    "text_buffers",
    "without_nan",
]

_NEGATIVE_ZERO = np.int64(np.iinfo(np.int64).min)
_WANTED = {
    "string": "text",
    "timestamp": "timestamps with a time zone (datetime64[us, UTC])",
    "double": "numbers (float64)",
    "int64": "whole numbers (int64)",
}


def clean(dimension: Dimension, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One column in its canonical type and form, as one chunk.

    NaN becomes null and -0.0 becomes 0.0, so that equal rows have equal bytes.

    Raises:
        ValueError: the type is wrong, a value does not fit it exactly, or `check` refuses the content.
    """
    kind = dimension.kinds[name]
    where = f"{dimension}.{name}"
    listed = kind == "string" and name not in dimension.key and _is_list(column.type)
    _refuse_type(where, kind, column.type.value_type if listed else column.type)
    try:
        array = _joined(column) if listed else column.cast(arrow_type(kind))
        array = combined(array) if isinstance(array, pa.ChunkedArray) else array
    except pa.ArrowException as error:
        raise ValueError(
            f"{where}: {column.type} given does not fit {_WANTED[kind]} exactly: {_short(error)}"
        ) from error
    if isinstance(array, pa.ChunkedArray):
        raise ValueError(f"{where}: over 2 GiB of text given; give smaller frames")  # noqa: TRY004  the value is at fault
    if kind == "double":
        array = without_nan(array)
    check(dimension, name, array)
    return array


def is_nested(given: pa.DataType) -> bool:
    """Whether the values of a column are lists, structs or maps: none of ours is."""
    return bool(types.is_nested(given)) or "list_view" in str(given)


def _is_list(given: pa.DataType) -> bool:
    return bool(types.is_list(given) or types.is_large_list(given) or types.is_fixed_size_list(given))


def _joined(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Lists of texts as one text each, with commas, as feeds list the conditions of a trade; null for an empty list."""
    lists = column.cast(pa.list_(pa.string()))
    whole = combined(lists) if isinstance(lists, pa.ChunkedArray) else lists
    texts, lengths = whole.flatten(), numpy_of(pc.list_value_length(whole), 0)
    rows = np.repeat(np.arange(len(whole)), lengths)[~_nulls(texts)]
    counts = np.bincount(rows, minlength=len(whole))
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(array_of(offsets), texts.drop_null()), scalar_of(","))
    return pc.if_else(pc.equal(joined, scalar_of("")), pa.NA, joined)


def _refuse_type(where: str, kind: str, given: pa.DataType) -> None:
    """Refuse what Arrow would cast, but not faithfully: text or truth as number, moments without a zone."""
    value = given.value_type if types.is_dictionary(given) else given
    if types.is_null(value):
        return
    if kind == "timestamp":
        if types.is_timestamp(value) and value.tz is None:
            _refuse(where, kind, "timestamps without a time zone", "say which zone they are in")
        allowed = types.is_timestamp(value)
    elif kind == "string":
        allowed = types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)
    else:
        allowed = types.is_integer(value) or types.is_floating(value) or types.is_decimal(value)
    if not allowed:
        _refuse(where, kind, str(given), "convert it before")


def _refuse(where: str, kind: str, given: str, remedy: str) -> NoReturn:
    raise ValueError(f"{where}: {given} given; allowed are {_WANTED[kind]}; {remedy}")


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def doubles(array: pa.Array) -> npt.NDArray[np.float64]:
    """The raw values of a double column without a copy; those under a null are arbitrary."""
    if not len(array):
        return np.empty(0, dtype=np.float64)
    return np.frombuffer(array.buffers()[1], dtype=np.float64, count=len(array), offset=array.offset * 8)


def without_nan(array: pa.Array) -> pa.Array:
    """The doubles with null for NaN and 0.0 for -0.0; the array itself where there is neither."""
    values = doubles(array)
    if (values.view(np.int64) == _NEGATIVE_ZERO).any():
        values = values + 0.0
        array = array_of(values, missing=_nulls(array))
    missing = np.isnan(values)
    if missing.any():
        array = array_of(values, missing=missing | _nulls(array))
    return array


def _nulls(array: pa.Array) -> npt.NDArray[np.bool_]:
    nulls: npt.NDArray[np.bool_] = nulls_of(array)
    return nulls


def check(dimension: Dimension, name: str, array: pa.Array) -> None:
    """Refuse a column of the right type whose content is not canonical.

    Raises:
        ValueError: a null or an empty text in a key, a moment outside the years 1 to 9999, broken UTF-8, or NUL.
    """
    kind = dimension.kinds[name]
    where = f"{dimension}.{name}"
    key = name in dimension.key
    optional = name == "sequence" and dimension.may_lack_sequence
    if key and array.null_count and not optional:
        row = int(np.flatnonzero(_nulls(array))[0])
        raise ValueError(f"{where}: no value in row {row} ({array.null_count} rows in all); a key column needs one")
    if not len(array):
        return
    if kind == "string":
        _check_text(where, array, key=key)
    elif kind == "timestamp":
        stamps = np.frombuffer(array.buffers()[1], dtype=np.int64, count=len(array), offset=array.offset * 8)
        if stamps.min() < MIN_US or stamps.max() > MAX_US:
            raise ValueError(f"{where}: a moment outside the years 1 to 9999 given; correct or drop the row")


def check_doubles(array: pa.Array) -> None:
    """Refuse doubles that are not canonical.

    Raises:
        ValueError: a value is NaN or -0.0.
    """
    values = doubles(array)
    foul = np.isnan(values) | (values.view(np.int64) == _NEGATIVE_ZERO)
    if foul.any() and (foul & ~_nulls(array)).any():
        raise ValueError("NaN or -0.0 given where null or 0.0 was expected")


def _check_text(where: str, array: pa.Array, *, key: bool) -> None:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{where}: text that is not UTF-8 given: {_short(error)}") from error
    offsets, data = text_buffers(array)
    if len(data) and not data.min():
        row = int(pc.index(pc.match_substring(array, "\0"), value=scalar_of(True)).as_py())
        raise ValueError(f"{where}: text with a NUL character given in row {row}; databases refuse it, remove it")
    if key and not np.diff(offsets).all():
        row = int(np.flatnonzero(np.diff(offsets) == 0)[0])
        raise ValueError(f"{where}: empty text given in row {row}; a key column needs a value")


def check_texts(dimension: Dimension, name: str, array: pa.Array) -> None:
    """Refuse texts of rows that are new; what is stored is as it is.

    Raises:
        ValueError: a text is over `LONGEST_TEXT` bytes, or one of a key is blank or has hidden characters.
    """
    if not len(array):
        return
    size = int(np.diff(text_buffers(array)[0]).max())
    if size > LONGEST_TEXT:
        raise ValueError(f"{dimension}.{name}: a text of {size:,} bytes given; allowed are {LONGEST_TEXT:,}")
    if name not in dimension.key:
        return
    only = constant_text(array)  # most frames are of one symbol, and those of one row should cost little
    for text in array.unique().to_pylist() if only is None else [only.decode()]:
        if not text.strip():
            raise ValueError(f"{dimension}.{name}: blank text given; a key column needs a value")
        if found := hidden(text):
            raise ValueError(
                f"{dimension}.{name}: {shown(text)} given, with the control or invisible character {found}; "
                "a key column takes none, remove it"
            )


def text_buffers(array: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """The offsets of a text column, and the bytes they span, without a copy."""
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32, count=len(array) + 1, offset=array.offset * 4)
    if data_buffer is None or not data_buffer.size:
        return offsets, np.empty(0, dtype=np.uint8)
    return offsets, np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]


def constant_text(array: pa.Array) -> bytes | None:
    """The UTF-8 of the one text that all rows of a column hold; None when they differ or any is null."""
    if not len(array) or array.null_count:
        return None
    offsets, data = text_buffers(array)
    size = int(offsets[1] - offsets[0])
    if len(data) != size * len(array):
        return None
    text = data[:size].tobytes()
    if len(array) > 1 and ((np.diff(offsets) != size).any() or data.tobytes() != text * len(array)):
        return None
    return text
