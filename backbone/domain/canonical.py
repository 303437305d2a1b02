"""Bringing a table into canonical form: exact schema, clean values, sorted by key, one row per key.

Every step works on whole columns. A table that is already clean and in order passes without a copy.

For example bars of two symbols in file order, one of them twice: columns are cast and cleaned, rows sorted by (symbol,
interval, ts), and of the two with one key the later one in the file stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.arrays import array_of
from backbone.domain.cleaning import check, check_doubles, check_texts, clean, constant_text, is_nested
from backbone.domain.clock import INTERVALS, parse_interval
from backbone.domain.dimension import Dimension
from backbone.domain.events import differing, unnumbered
from backbone.domain.schema import arrow_schema, arrow_type
from backbone.domain.session_dates import session_dates
from backbone.domain.values import nulls_of, numpy_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Codes = npt.NDArray[np.int64]

__all__ = ["canonical", "distinct", "in_order", "integers", "places", "reorder", "require_canonical", "whole"]

_DAY_US = 86_400_000_000


def canonical(dimension: Dimension, table: Any, *, presorted: bool = False, known: bool = False) -> pa.Table:
    """The canonical form of a table.

    Args:
        dimension: what the rows are.
        table: an Arrow table or stream with the key columns and any of the value columns, in any order.
        presorted: the caller vouches that rows are strictly ascending by key, so that this is not looked at.
        known: the rows are out of frames, whose texts were looked at.

    Raises:
        ValueError: columns are missing or unknown, or hold what the dimension does not allow.
    """
    table = _table(table)
    columns = _named(dimension, table)
    arrays = {name: clean(dimension, name, columns[name]) for name in dimension.columns if name in columns}
    if not known:
        for name, array in arrays.items():
            if dimension.kinds[name] == "string":
                check_texts(dimension, name, array)
        if dimension is Dimension.DAILY_BARS:
            zone = str(getattr(columns["ts"].type, "tz", None) or "UTC")
            arrays["ts"] = session_dates(f"{dimension}.ts", arrays["ts"], zone)
        if dimension.has_interval:
            arrays["interval"], given = _intervals(arrays["interval"]), arrays["interval"]
            presorted = presorted and arrays["interval"] is given
    if "sequence" in dimension.key and "sequence" not in arrays:
        arrays["sequence"] = pa.nulls(table.num_rows, pa.int64())
    for name in dimension.values:
        if name not in arrays:
            arrays[name] = pa.nulls(table.num_rows, arrow_type(dimension.kinds[name]))
    result = pa.Table.from_arrays([arrays[name] for name in dimension.columns], schema=arrow_schema(dimension))
    return result if presorted else reorder(dimension, result)


def require_canonical(dimension: Dimension, table: pa.Table) -> None:
    """Refuse a table of the right schema, one chunk a column, whose content is not in canonical form.

    Raises:
        ValueError: a value is none that a frame holds, an interval has another name, a daily bar a time of day, or rows
            are out of order.
    """
    for name, kind in dimension.kinds.items():
        array = whole(table.column(name))
        check(dimension, name, array)
        if kind == "double":
            check_doubles(array)
    if not in_order([whole(table.column(name)) for name in dimension.key]):
        raise ValueError("its rows are not strictly ascending by key")
    if dimension is Dimension.DAILY_BARS and (integers(whole(table.column("ts"))) % _DAY_US).any():
        raise ValueError("its moments have a time of day; daily bars bear the session's date")
    if dimension.has_interval and not set(distinct(whole(table.column("interval")))) <= INTERVALS.keys():
        raise ValueError("its intervals have other names than ours")


def _table(given: Any) -> pa.Table:
    if isinstance(given, pa.Table):
        return given
    if isinstance(given, pa.RecordBatch) or hasattr(given, "__arrow_c_stream__"):
        return pa.table(given)
    raise ValueError(f"{type(given).__name__} given; give an Arrow table, a record batch or an Arrow stream")


def _named(dimension: Dimension, table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """The columns by name, after checking that the names are right; nested ones that are not ours are passed over."""
    extra = [field.name for field in table.schema if is_nested(field.type) and field.name not in dimension.columns]
    table = table.drop_columns(extra) if extra else table
    names = table.column_names
    allowed = ", ".join(dimension.columns)
    unknown = sorted(set(names) - set(dimension.columns))
    if unknown:
        raise ValueError(
            f"{dimension}: unknown column {', '.join(map(repr, unknown))}; the columns are {allowed}; "
            "drop or rename the others"
        )
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{dimension}: column {', '.join(map(repr, twice))} given more than once; give it once")
    needed = [name for name in dimension.key if name != "sequence" or not dimension.may_lack_sequence]
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(
            f"{dimension}: key column {', '.join(map(repr, missing))} missing; "
            f"given were {', '.join(names) or 'none'}; the key is {', '.join(dimension.key)}"
        )
    return dict(zip(names, table.columns, strict=True))


def _intervals(given: pa.Array) -> pa.Array:
    """Each bar interval by its one name: 60m and 1h are the same bars.

    Raises:
        ValueError: there is no such interval; lists what there is.
    """
    names = {name: name if name in INTERVALS else parse_interval(name) for name in distinct(given)}
    changed = {name: own for name, own in names.items() if name != own}
    if not changed:
        return given
    encoded = given.dictionary_encode()
    own = array_of([names[name] for name in encoded.dictionary.to_pylist()], pa.string())
    return own.take(encoded.indices)


def reorder(dimension: Dimension, table: pa.Table) -> pa.Table:
    """Sort a table of the canonical schema by key and keep the last given row of each key.

    Events without a sequence are all kept, behind those of their moment that have one, in the order given.
    """
    if table.num_rows <= 1:
        return table
    codes = _key_codes([whole(table.column(name)) for name in dimension.key])
    nameless = unnumbered(table)
    if _in_order(codes, table.num_rows, nameless):
        return table
    order = np.lexsort(codes[::-1]) if codes else np.arange(table.num_rows)
    last = np.zeros(table.num_rows, dtype=bool) if nameless is None else nameless[order]
    last[-1] = True
    last[:-1] |= differing(codes, order)[1:]
    return table.take(array_of(order[last])).combine_chunks()


def places(dimension: Dimension, table: pa.Table) -> Codes:
    """Where each row of a table of the canonical schema stands in its canonical form, as row numbers."""
    codes = _key_codes([whole(table.column(name)) for name in dimension.key])
    rows = table.num_rows
    nameless = unnumbered(table)
    order = np.lexsort(codes[::-1]) if codes else np.arange(rows)
    first = differing(codes, order)
    if nameless is not None:
        first[1:] |= nameless[order][1:]
    ranks = np.empty(rows, dtype=np.int64)
    ranks[order] = np.cumsum(first)
    return ranks


def whole(column: pa.ChunkedArray) -> pa.Array:
    """The one chunk of a canonical column."""
    return column.chunk(0) if column.num_chunks else pa.nulls(0, column.type)


def in_order(keys: Sequence[pa.Array]) -> bool:
    """Whether rows are ascending by the given key columns, so that no key occurs twice but those with a null."""
    if len(keys[0]) <= 1:
        return True
    nulls = [nulls_of(key) for key in keys if key.null_count]
    return _in_order(_key_codes(keys), len(keys[0]), np.logical_or.reduce(nulls) if nulls else None)


def _key_codes(keys: Sequence[pa.Array]) -> list[Codes]:
    """One array of integers per key column, ordered as its values are; constant columns are left out."""
    codes = [code for key in keys for code in ([_ranks(key)] if pa.types.is_string(key.type) else _numbers(key))]
    return [code for code in codes if code is not None]


def _numbers(key: pa.Array) -> list[Codes]:
    """A column of moments or whole numbers; nulls come last."""
    if not key.null_count:
        return [integers(key)]
    missing = nulls_of(key)
    return [missing.astype(np.int64), np.where(missing, 0, integers(key))]


def _ranks(text: pa.Array) -> Codes | None:
    """The rank of each text among the distinct ones, by UTF-8 bytes; None when all are the same."""
    if constant_text(text) is not None:
        return None
    encoded = text.dictionary_encode()
    order = numpy_of(pc.sort_indices(encoded.dictionary))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ranks: Codes = rank[numpy_of(encoded.indices)]
    return ranks


def distinct(text: pa.Array) -> tuple[str, ...]:
    """The distinct values of a text column without nulls, in order of appearance."""
    only = constant_text(text)
    return (only.decode(),) if only is not None else tuple(text.unique().to_pylist())


def integers(array: pa.Array) -> Codes:
    """A column of timestamps or integers without nulls as int64, without a copy."""
    if not len(array):
        return np.empty(0, dtype=np.int64)
    return np.frombuffer(array.buffers()[1], dtype=np.int64, count=len(array), offset=array.offset * 8)


def _in_order(codes: Sequence[Codes], rows: int, nameless: npt.NDArray[np.bool_] | None) -> bool:
    """Whether each row comes behind the one before, or beside it where neither has a number."""
    less = np.zeros(rows - 1, dtype=bool)
    tied = np.ones(rows - 1, dtype=bool)
    for code in codes:
        less |= tied & (code[1:] > code[:-1])
        tied &= code[1:] == code[:-1]
    if nameless is not None:
        less |= tied & nameless[1:]
    return bool(less.all())
