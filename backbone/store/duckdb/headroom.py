"""How much memory DuckDB may use: little as a rule, all that is allowed while a piece of work needs more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock

import duckdb

from backbone.domain.memory import give_back

__all__ = ["AT_REST", "Headroom"]

AT_REST = "256MB"
"""DuckDB fills what it may use with blocks it has read, which the system's own cache holds as well."""

_HELD = 10.0  # seconds after the last work that needed more: the next one like it need not fail first
_EVERY = 30.0  # seconds between two times at which memory goes back while all is as a rule: one takes some 15 ms
_FEW_BLOCKS = 16 * 10**6  # bytes
_USED = """
SELECT sum(memory_usage_bytes)::BIGINT, (sum(memory_usage_bytes) FILTER (tag = 'BASE_TABLE'))::BIGINT
FROM duckdb_memory()
"""
_UNITS = {"KB": 1, "MB": 2, "GB": 3, "TB": 4}


class Headroom:
    """What lies between the memory that a database takes as a rule and the most that it may take.

    Work that meets the lower bound has rolled back; the bound is raised and it begins again, once. Used by the threads
    of all lanes.

    Args:
        at_rest: bound as a rule, such as "256MB"; where `most` is less, that one.
        most: bound for what needs more.
        timer: monotonic seconds.
    """

    def __init__(self, at_rest: str, most: str, *, timer: Callable[[], float]) -> None:
        self.at_rest = min(at_rest, most, key=_bytes)
        self._most = most
        self._timer = timer
        self._lock = Lock()
        self._at_work = 0
        self._raised = self.at_rest == most
        self._needed = self._gave = timer()

    @contextmanager
    def work(self, connection: duckdb.DuckDBPyConnection) -> Iterator[bool]:
        """Count a piece of work; behind the last one the bound is as a rule again, a while after it was needed.

        Behind it, too, memory goes back now and then: allocators keep what small work frees, and DuckDB what it read.
        Gives whether there would be more than it begins with.
        """
        with self._lock:
            self._at_work += 1
            raised = self._raised
        try:
            yield not raised
        finally:
            with self._lock:
                self._at_work -= 1
                if not self._at_work:
                    self._rest(connection)

    def raise_(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Allow the most, for work that had to give up."""
        with self._lock:
            self._needed = self._timer()
            connection.execute(f"SET memory_limit = '{self._most}'")
            self._raised = True

    def give_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Return what DuckDB has freed: its allocator keeps it, some 80 MB behind sums, until the bound is set.

        Of the blocks that it has read it keeps no more than a few, unless somebody needs more than as a rule, or others
        are at work: while it is made to let go of them they would find no memory. The bound stays what it is, and a
        transaction of the connection is not touched.
        """
        with self._lock:
            self._give(connection)
        give_back()

    def _give(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._gave = self._timer()
        with connection.cursor() as beside:
            try:
                if not self._raised and self._at_work <= 1:  # who calls, and who begins meanwhile waits for the lock
                    _shrink(beside)
            finally:
                with suppress(duckdb.Error):
                    beside.execute(f"SET memory_limit = '{self._most if self._raised else self.at_rest}'")

    def _rest(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self._raised:
            self._lower(connection)
        elif self._timer() - self._gave >= _EVERY:
            with suppress(duckdb.Error):  # the connection is of no use any more: the next one tries
                self._give(connection)
                give_back()

    def _lower(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self.at_rest == self._most or self._timer() - self._needed < _HELD:
            return
        with suppress(duckdb.Error):  # not enough could be freed, or the connection is of no use: the next one tries
            connection.execute(f"SET memory_limit = '{self.at_rest}'")
            self._raised = False
            give_back()


def _shrink(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of blocks that were read, down to a few."""
    with suppress(duckdb.Error):  # they are in use: the next time
        used, blocks = connection.execute(_USED).fetchall()[0]
        if blocks > 2 * _FEW_BLOCKS:
            connection.execute(f"SET memory_limit = '{used - blocks + _FEW_BLOCKS}B'")


def _bytes(text: str) -> float:
    """The bytes of a size as DuckDB reads it."""
    found = re.fullmatch(r"([0-9.]+) ?([KMGT]B)", text)
    if found is None:
        raise ValueError(f"{text!r} is no size of memory; give a number and KB, MB, GB or TB, such as '1GB'")
    return float(found[1]) * 1000.0 ** _UNITS[found[2]]
