"""A database in memory that outlives the stores on it: what a bug brings down is an actor, not the rows."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from threading import Lock

import duckdb

from backbone.store.duckdb.known import Known
from backbone.store.duckdb.sql import close_behind

__all__ = ["MEMORY", "MemoryDatabase"]

MEMORY = ":memory:"

_INSTANCES: dict[tuple[tuple[str, str], ...], duckdb.DuckDBPyConnection] = {}
_TEMPLATES: dict[tuple[int, str], tuple[str, tuple[str, ...]]] = {}
"""By instance and key, the name of the database that is kept, and those of its tables that have rows."""
_NUMBERS = count(1)
_LOCK = Lock()  # stores connect in threads of their own, and tests may run loops in several


class MemoryDatabase:
    """Rows that live until `close`, whoever connects and leaves meanwhile.

    Attributes:
        known: what the writer knows of it, whichever store that is.

    Args:
        attached: to an instance of DuckDB that is kept for the next ones with the same settings: making one takes
            longer than a test. Its memory and threads are those of all that are attached.
    """

    def __init__(self, *, attached: bool = False) -> None:
        self._attached = attached
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._name = f"memory{next(_NUMBERS)}"
        self.known = Known()

    def connect(self, config: dict[str, str]) -> duckdb.DuckDBPyConnection:
        """A connection of one's own; the first one makes the database, by its configuration."""
        with _LOCK:
            if self._instance is None:
                self._instance = _instance(config) if self._attached else duckdb.connect(MEMORY, config={**config})
                self._instance.execute(f"ATTACH '{MEMORY}' AS {self._name}")
            connection = self._instance.cursor()
        connection.execute(f"USE {self._name}")
        return connection

    def filling(
        self, connection: duckdb.DuckDBPyConnection, key: str, make: Callable[[duckdb.DuckDBPyConnection], None]
    ) -> str | None:
        """The statements that fill it, while it is empty, with what `make` makes; None: its instance is its own.

        The first one of an instance makes that in a database that is kept, and all are copies: they take a sixth of
        the time. Rows are copied of tables that have any, for to copy none takes as long.

        Args:
            connection: to it.
            key: what is made; one key, one content.
            make: given a connection to an empty database.
        """
        if not self._attached:
            return None
        with _LOCK:
            template = _TEMPLATES.get((id(self._instance), key))
            if template is None:
                name = f"template{next(_NUMBERS)}"
                connection.execute(f"ATTACH '{MEMORY}' AS {name}; USE {name}")
                try:
                    make(connection)
                    template = name, _with_rows(connection, name)
                finally:
                    connection.execute(f"USE {self._name}")
                _TEMPLATES[id(self._instance), key] = template
        name, tables = template
        rows = [f"INSERT INTO {self._name}.{table} SELECT * FROM {name}.{table}" for table in tables]  # noqa: S608
        return "; ".join((f"COPY FROM DATABASE {name} TO {self._name} (SCHEMA)", *rows))

    def close(self) -> None:
        """Let the rows go."""
        with _LOCK:
            instance, self._instance = self._instance, None
            if instance is None:
                return
            with suppress(duckdb.Error):  # whoever was killed may hold it still: it goes with the last connection
                instance.execute(f"DETACH {self._name}")
            if not self._attached:
                close_behind(instance)


def _with_rows(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[str, ...]:
    """The tables of a database that have rows."""
    found = connection.execute(
        """SELECT format('"{}"."{}"', schema_name, table_name) FROM duckdb_tables() WHERE database_name = ?""", [name]
    ).fetchall()
    counted = f"SELECT 1 FROM {name}.{{}} LIMIT 1"  # noqa: S608
    return tuple(table for (table,) in found if connection.execute(counted.format(table)).fetchall())


def _instance(config: dict[str, str]) -> duckdb.DuckDBPyConnection:
    key = tuple(sorted(config.items()))
    if key not in _INSTANCES:
        _INSTANCES[key] = duckdb.connect(MEMORY, config={**config})
    return _INSTANCES[key]


@atexit.register
def _close() -> None:
    while _INSTANCES:
        _INSTANCES.popitem()[1].close()
