"""What the one writer of a database knows of it without asking: planning a question costs more than a row."""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.numbers import Numbers
from backbone.store.duckdb.positions import Positions
from backbone.store.duckdb.reach import Reach
from backbone.store.duckdb.remembered import Remembered
from backbone.store.duckdb.runs import Runs
from backbone.store.duckdb.sql import Connection, count

__all__ = ["Known"]


class Known:
    """Belongs to a database rather than to a store, for stores come and go. Each part is read when it is first needed.

    Attributes:
        numbers: to give to what is written next.
        reach: how far the ledger reaches.
        runs: which chunks can't have been written before.
        positions: of symbols, for readers.
        remembered: what has changed since exports, likewise.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: it is no longer certain what was committed, or by whom."""
        self.numbers, self.reach, self.runs, self.positions = Numbers(), Reach(), Runs(), Positions()
        self.remembered = Remembered()
        self._newest: int | None = None

    def newest(self, connection: Connection) -> int:
        """Newest position of the outbox that is committed, 0 if there is none."""
        if self._newest is None:
            self._newest = count(connection, "SELECT max(position) FROM telemetry.positions")
        return self._newest

    def committed(self, dimension: Dimension, positions: dict[str, int]) -> None:
        """Take note of what a commit published: the newest position of each of its symbols."""
        if positions:
            self._newest = max(positions.values())
            self.positions.committed(dimension, positions)
