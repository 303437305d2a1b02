"""How far the ledger reaches: what begins beyond that was never stored, and nobody has to be asked."""

from __future__ import annotations

import numpy as np

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.sql import Connection
from backbone.store.merging import Truths
from backbone.store.ranges import Ranges

__all__ = ["Reach"]


class Reach:
    """By dimension, symbol and interval the latest moment that an entry covers, or a later one; never an earlier.

    So an entry that is rolled back, voided or deleted does no harm: at worst somebody asks in vain.
    """

    def __init__(self) -> None:
        self._ends: dict[Dimension, dict[tuple[str, str], int]] = {}

    def beyond(self, connection: Connection, dimension: Dimension, ranges: Ranges) -> Truths:
        """Which of the ranges begin after all entries of their symbol and interval."""
        ends = self._of(connection, dimension)
        keys = zip(ranges.symbols, ranges.intervals, strict=True)
        truths = [key not in ends or start > ends[key] for key, start in zip(keys, ranges.starts_us, strict=True)]
        return np.array(truths, dtype=bool)

    def extend(self, dimension: Dimension, ranges: Ranges) -> None:
        """Take note that entries over the ranges are about to be made; `beyond` was asked before."""
        ends = self._ends[dimension]
        keys = zip(ranges.symbols, ranges.intervals, strict=True)
        for key, end in zip(keys, ranges.ends_us.tolist(), strict=True):
            ends[key] = max(end, ends.get(key, end))

    def noted(self, connection: Connection, dimension: Dimension) -> dict[tuple[str, str | None], int]:
        """The same for a reader, who leaves it to the writer to keep what was read; "" is no interval."""
        ends = self._ends.get(dimension)
        ends = _read(connection, dimension) if ends is None else ends.copy()
        return {(symbol, interval or None): end for (symbol, interval), end in ends.items()}

    def _of(self, connection: Connection, dimension: Dimension) -> dict[tuple[str, str], int]:
        if dimension not in self._ends:
            self._ends[dimension] = _read(connection, dimension)
        return self._ends[dimension]


def _read(connection: Connection, dimension: Dimension) -> dict[tuple[str, str], int]:
    found = connection.execute(
        """
        SELECT symbol, "interval", epoch_us(max(end_ts)) FROM telemetry.ledger
        WHERE dimension = ? GROUP BY symbol, "interval"
        """,
        [dimension.value],
    ).fetchall()
    return {(symbol, interval): end for symbol, interval, end in found}
