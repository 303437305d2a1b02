"""A database in memory that outlives the stores on it: what a bug brings down is an actor, not the rows."""

from __future__ import annotations

import threading

import duckdb

__all__ = ["MEMORY", "MemoryDatabase"]

MEMORY = ":memory:"


class MemoryDatabase:
    """Rows that live until `close`, whoever connects and leaves meanwhile."""

    def __init__(self) -> None:
        self._keeper: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()  # stores connect in threads of their own

    def connect(self, config: dict[str, str]) -> duckdb.DuckDBPyConnection:
        """A connection of one's own; the first one makes the database, by its configuration."""
        with self._lock:
            if self._keeper is None:
                self._keeper = duckdb.connect(MEMORY, config={**config})
            return self._keeper.cursor()

    def close(self) -> None:
        """Let the rows go."""
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()
