"""Which rows of a frame are not stored as they are, found without an index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.values import nulls_of, numpy_of
from backbone.store.duckdb.sql import FEW_TEXTS, Connection, among, given, rows_table, table
from backbone.store.merging import Indices
from backbone.store.sql import names, other_values, quoted, same_key

__all__ = ["Differing", "differing"]

_FEW = 50
"""Rows for which the walk skips by itself what has none of their keys."""

_SPARSE = 8
"""Where so many times the rows are stored over the time of those compared, their keys are looked for first, and the
values read of those alone that are found. Else most keys may be found, and all is compared in one walk."""


@dataclass(frozen=True, slots=True)
class Differing:
    """What a comparison found, by the row's number in the frame.

    Attributes:
        missing: rows whose key is not stored.
        changed: rows whose key is stored with other values.
        stored: row ids of the latter in the table.
    """

    missing: Indices
    changed: Indices
    stored: pa.Array


def differing(connection: Connection, frame: Frame, compared: Indices, stored: int) -> Differing:
    """Compare rows with what is stored.

    Args:
        connection: within a transaction.
        frame: the rows.
        compared: numbers of those that are to be compared.
        stored: rows that are stored over the time of these, about.
    """
    sparse = len(compared) > _FEW and stored > _SPARSE * len(compared)
    rows = frame.to_arrow()
    if len(compared) < frame.num_rows:
        rows = rows.take(array_of(compared))
    with given(connection, "incoming", rows.append_column("n", array_of(compared))):
        return (_keys_first if sparse else _at_once)(connection, frame, compared)


def _at_once(connection: Connection, frame: Frame, _compared: Indices) -> Differing:
    dimension = frame.dimension
    where, values = _around(frame)
    query = f"""
        SELECT i.n AS n, s.id AS stored
        FROM incoming i LEFT JOIN (
            SELECT rowid AS id, {names(dimension.columns)} FROM {rows_table(dimension)} WHERE {where}
        ) s ON {same_key(dimension, "i", "s")}
        WHERE s.id IS NULL OR {other_values(dimension, "i", "s")}
    """  # noqa: S608
    found = table(connection, query, values)
    numbers, stored = numpy_of(found.column("n")), found.column("stored")
    unknown = nulls_of(stored)
    return Differing(numbers[unknown], numbers[~unknown], stored.drop_null())


def _keys_first(connection: Connection, frame: Frame, compared: Indices) -> Differing:
    dimension = frame.dimension
    where, values = _around(frame)
    query = f"""
        SELECT i.n AS n, s.id AS id
        FROM incoming i JOIN (
            SELECT rowid AS id, {names(dimension.key)} FROM {rows_table(dimension)} WHERE {where}
        ) s ON {same_key(dimension, "i", "s")}
    """  # noqa: S608
    found = table(connection, query, values)
    missing = np.setdiff1d(compared, numpy_of(found.column("n")), assume_unique=True)
    others = _with_other_values(connection, dimension, found) if found.num_rows else found
    return Differing(missing, numpy_of(others.column("n")), others.column("id"))


def _with_other_values(connection: Connection, dimension: Dimension, found: pa.Table) -> pa.Table:
    """Those of the found keys under which other values are stored."""
    query = f"""
        SELECT i.n AS n, f.id AS id
        FROM found f JOIN incoming i ON i.n = f.n JOIN {rows_table(dimension)} s ON s.rowid = f.id
        WHERE {other_values(dimension, "i", "s")}
    """  # noqa: S608
    with given(connection, "found", found):
        return table(connection, query)


def _around(frame: Frame) -> tuple[str, list[object]]:
    """Where the rows of a frame may be stored: what else lies in their time needs no place in the join."""
    where, values = "ts BETWEEN make_timestamptz(?) AND make_timestamptz(?)", list[object](frame.span_us)
    if len(frame.symbols) <= FEW_TEXTS:
        condition, given = among(quoted(frame.dimension.partition_column), frame.symbols)
        where += f" AND {condition}"
        values += given
    return where, values
