"""The pieces of SQL that depend on a dimension and that every adapter says alike.

Every identifier comes from `Dimension`; values are parameters of the adapters' own kind.
"""

from __future__ import annotations

from backbone.domain.dimension import Dimension

__all__ = ["ORIGIN", "names", "other_values", "quoted", "same_key"]

ORIGIN = ("source", "ingest_id", "revision", "ingested_at")
"""What is stored beside every row, outside the key and outside equality."""


def quoted(name: str) -> str:
    """A column name as an identifier: `interval` and others are words of SQL."""
    return f'"{name}"'


def names(columns: tuple[str, ...], alias: str = "") -> str:
    """A list of columns, each of the table with that alias where given."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + quoted(name) for name in columns)


def same_key(dimension: Dimension, one: str, other: str) -> str:
    """Whether a row of each of the two aliases has the same key."""
    return " AND ".join(f"{one}.{quoted(name)} = {other}.{quoted(name)}" for name in dimension.key)


def other_values(dimension: Dimension, one: str, other: str) -> str:
    """Whether a row of each has other values; NULL is a value like others."""
    return " OR ".join(f"{one}.{quoted(name)} IS DISTINCT FROM {other}.{quoted(name)}" for name in dimension.values)
