"""Few rows, as parameters of a statement: COPY takes two round trips and goes with no other statement."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.store.sql import ORIGIN, names, other_values, quoted, same_key
from backbone.store.timescale.tables import Tables

__all__ = ["FEW_ROWS", "comparison", "insertion", "keys_of", "presence", "replacement", "retirement", "values_of"]

FEW_ROWS: Final = 50
"""More rows go by COPY, which costs a round trip or two more and less for each row."""

_ARRAYS = {"string": "text[]", "timestamp": "bigint[]", "double": "double precision[]", "int64": "bigint[]"}

# microseconds since 1970, in two exact steps; as a moment the client would take the last day of 9999 for infinity
_MOMENT = "'epoch'::timestamptz + {0} / 86400000000 * interval '1 day' + {0} % 86400000000 * interval '1 microsecond'"


def values_of(frame: Frame) -> list[list[Any]]:
    """The columns of a frame as the parameters that the statements below begin with."""
    return _values(frame, frame.dimension.columns)


def keys_of(frame: Frame) -> list[list[Any]]:
    """The columns of its key alone."""
    return _values(frame, frame.dimension.key)


def _values(frame: Frame, columns: tuple[str, ...]) -> list[list[Any]]:
    table = frame.to_arrow()
    chosen = [(table.column(name), frame.dimension.kinds[name]) for name in columns]
    return [(each.cast(pa.int64()) if kind == "timestamp" else each).to_pylist() for each, kind in chosen]


@cache
def insertion(tables: Tables, dimension: Dimension) -> str:
    """Insert the rows; further parameters: where they come from, in the order of `ORIGIN`."""
    origin = ", ".join(f"${len(dimension.columns) + n}{kind}" for n, kind in enumerate(_ORIGIN_KINDS, 1))
    return f"""
        INSERT INTO {tables.rows(dimension)} ({names(dimension.columns + ORIGIN)})
        SELECT {names(dimension.columns, "i")}, {origin} FROM {_given(dimension)}
    """  # noqa: S608


_ORIGIN_KINDS = ("::text", "::text", "::bigint", "::timestamptz")


@cache
def replacement(tables: Tables, dimension: Dimension) -> str:
    """The same where some of their keys may be stored: those rows get the new values."""
    updates = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in dimension.values + ORIGIN)
    return f"{insertion(tables, dimension)} ON CONFLICT ({names(dimension.key)}) DO UPDATE SET {updates}"


@cache
def retirement(tables: Tables, dimension: Dimension) -> str:
    """Keep what is stored now under the keys of the rows; a further parameter: the moment of its end."""
    kept = dimension.columns + ORIGIN
    return f"""
        INSERT INTO {tables.revisions(dimension)} ({names(kept)}, replaced_at)
        SELECT {names(kept, "s")}, ${len(dimension.columns) + 1}
        FROM {_given(dimension)} JOIN {tables.rows(dimension)} s ON {same_key(dimension, "i", "s")}
    """  # noqa: S608


@cache
def comparison(tables: Tables, dimension: Dimension) -> str:
    """Numbers of the rows that are not stored, and of those stored with other values.

    Further parameters: the earliest and the latest moment of the rows, so that only their chunks are looked at.
    """
    first = len(dimension.columns) + 1
    return f"""
        SELECT array_agg(i.n - 1) FILTER (WHERE s.ts IS NULL), array_agg(i.n - 1) FILTER (WHERE s.ts IS NOT NULL)
        FROM {_given(dimension, ordinality=True)} LEFT JOIN {tables.rows(dimension)} s
            ON {same_key(dimension, "i", "s")} AND s.ts BETWEEN ${first} AND ${first + 1}
        WHERE s.ts IS NULL OR {other_values(dimension, "i", "s")}
    """  # noqa: S608


@cache
def presence(tables: Tables, dimension: Dimension) -> str:
    """Whether a row is stored under one of the keys, as `keys_of` gives them.

    Further parameters: the earliest and the latest moment of the keys, so that only their chunks are looked at.
    """
    key, first = dimension.key, len(dimension.key) + 1
    return f"""
        SELECT EXISTS (
            SELECT FROM {_given(dimension, key)} JOIN {tables.rows(dimension)} s
                ON {same_key(dimension, "i", "s")} AND s.ts BETWEEN ${first} AND ${first + 1}
        )
    """  # noqa: S608


def _given(dimension: Dimension, columns: tuple[str, ...] = (), *, ordinality: bool = False) -> str:
    columns = columns or dimension.columns
    kinds = {name: dimension.kinds[name] for name in columns}
    arrays = ", ".join(f"${n}::{_ARRAYS[kind]}" for n, kind in enumerate(kinds.values(), 1))
    numbered = (" WITH ORDINALITY", ", n") if ordinality else ("", "")
    read = [_MOMENT if kind == "timestamp" else "{0}" for kind in kinds.values()]
    picked = [f"{each.format(quoted(name))} AS {quoted(name)}" for name, each in zip(kinds, read, strict=True)]
    return f"""(
        SELECT {", ".join(picked)}{numbered[1]}
        FROM unnest({arrays}){numbered[0]} AS given({names(columns)}{numbered[1]})
    ) AS i"""  # noqa: S608
