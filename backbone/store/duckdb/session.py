"""One DuckDB connection, used by one caller at a time, off the event loop, with a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import anyio
import duckdb

from backbone.domain.threads import in_thread
from backbone.store.duckdb.failures import explained, first_line, not_opened
from backbone.store.duckdb.known import Known
from backbone.store.duckdb.memory import MEMORY, MemoryDatabase
from backbone.store.errors import StoreBusy, StoreUnavailable, UnknownOutcome

__all__ = ["Session", "transaction"]

T = TypeVar("T")
Work = Callable[[duckdb.DuckDBPyConnection], T]


class Session:
    """A connection and the turn to use it.

    Args:
        path: database file, or `MEMORY`.
        config: DuckDB settings.
        memory: the database to connect to where the path is `MEMORY`; None: one of its own, gone when it closes.
        deadline: seconds that one piece of work may take, waiting for its turn included; then it is interrupted.
        inline: work in the calling thread, which blocks the loop: for deterministic tests only.
    """

    def __init__(
        self, path: str, config: dict[str, str], *, memory: MemoryDatabase | None = None, deadline: float, inline: bool
    ) -> None:
        self._path = path
        self._config = config
        self._memory = memory
        self._deadline = deadline
        self._inline = inline
        self.known = Known() if memory is None or path != MEMORY else memory.known
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._turn: anyio.Lock | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: the file can't be opened; the message says why and what to do.
        """
        if self._connection is None:
            self.known.forget()
            self._turn = anyio.Lock(fast_acquire=True)
            if self._thread is None and not self._inline:
                self._thread = ThreadPoolExecutor(1, "duckdb")  # starts a thread when there is work
            self._connection = await self._in_thread(self._connect)

    async def close(self) -> None:
        """Wait for the work at hand, then let go of the file; its log is folded into it."""
        if self._connection is not None and self._turn is not None:
            async with self._turn:
                connection, self._connection = self._connection, None
                if connection is not None:
                    await self._in_thread(connection.close)
                thread, self._thread = self._thread, None
                if thread is not None:
                    thread.shutdown(wait=False)

    async def run(self, work: Work[T]) -> T:
        """Do a piece of work with the connection, alone.

        Raises:
            StoreBusy: no turn or no end within the deadline.
            StoreUnavailable: not open, or DuckDB can't go on.
            SchemaMismatch: a table is missing.
            StoreError: DuckDB refuses the statement or its values.
        """
        until = anyio.current_time() + self._deadline
        if self._connection is None or self._turn is None:
            raise StoreUnavailable(
                f"{self._path} is not open now: a running backbone opens it again by itself; else open the store first"
            )
        with anyio.move_on_after(self._deadline) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            raise StoreBusy(f"{self._path} was busy for {self._deadline:g} s; try again")
        try:
            return await self._work(work, until)
        finally:
            self._turn.release()

    async def _work(self, work: Work[T], until: float) -> T:
        connection = self._connection
        if connection is None:
            raise StoreUnavailable(f"{self._path} was closed; open the store first")
        if self._inline:
            return self._guarded(work, connection)
        return await in_thread(
            lambda: self._guarded(work, connection),
            executor=self._thread,
            interrupt=connection.interrupt,  # a transaction rolls back then
            patience=max(0.0, until - anyio.current_time()),
        )

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._inline:
            return function()
        return await in_thread(function, executor=self._thread)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            if self._path == MEMORY and self._memory is not None:
                return self._memory.connect(self._config)
            if self._path != MEMORY:
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(self._path, config={**self._config})
        except (OSError, duckdb.Error) as error:
            raise not_opened(self._path, error) from error

    def _guarded(self, work: Work[T], connection: duckdb.DuckDBPyConnection) -> T:
        try:
            return work(connection)
        except UnknownOutcome:
            self.known.forget()
            self._connection = self._sound(connection)
            raise
        except duckdb.Error as error:
            self.known.forget()
            self._connection = self._sound(connection)
            raise explained(error, self._path, self._deadline) from error

    def _sound(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection | None:
        """The connection after an error, if it takes statements again, or another one to the same database.

        An interrupt may come between two statements, or into the ROLLBACK itself, and leave a transaction that refuses
        everything for ever. None: nothing more is to be had from this database until it is opened again.
        """
        with suppress(duckdb.Error):
            connection.rollback()  # refused where none is open, as it should be
        if _answers(connection):
            return connection
        other: duckdb.DuckDBPyConnection | None = None
        if self._path != MEMORY or self._memory is not None:
            with suppress(StoreUnavailable):
                other = self._connect()  # before the old one lets go of the database
        with suppress(duckdb.Error):
            connection.close()
        return other


def _answers(connection: duckdb.DuckDBPyConnection) -> bool:
    with suppress(duckdb.Error):
        return connection.execute("SELECT 1").fetchall() == [(1,)]
    return False


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing.

    Raises:
        UnknownOutcome: the COMMIT itself failed.
    """
    connection.begin()
    whole = False
    try:
        yield
        whole = True
    finally:
        if not whole:
            with suppress(duckdb.Error):  # it has rolled back on its own; the error that led here is the one to see
                connection.rollback()
    try:
        connection.commit()
    except duckdb.Error as error:
        raise UnknownOutcome(f"COMMIT failed: {first_line(error)}; look the chunk up before a retry") from error
