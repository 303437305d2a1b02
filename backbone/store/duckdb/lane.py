"""One DuckDB connection, used by one caller at a time, off the event loop, with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TypeVar

import anyio
import duckdb

from backbone.domain.threads import in_thread
from backbone.store.duckdb.failures import explained, lacks_memory
from backbone.store.duckdb.headroom import Headroom
from backbone.store.duckdb.privacy import keep_to_oneself
from backbone.store.errors import StoreBusy, StoreUnavailable, UnknownOutcome

__all__ = ["Lane", "Work", "answers"]

_AGAIN = 0.05  # seconds between two interrupts
_MOST_AGAIN = 20  # of them while the loop waits

T = TypeVar("T")
Work = Callable[[duckdb.DuckDBPyConnection], T]


class Lane:
    """A connection and the turn to use it. What is at work in one lane holds up nobody in another.

    Args:
        connect: makes a connection to the database; called when there is work, and where one has become useless.
        path: of the database, for messages.
        deadline: seconds that one piece of work may take, waiting for its turn included; then it is interrupted.
        inline: work in the calling thread, which blocks the loop: for deterministic tests only.
        broke: called where a piece of work ended in an error of DuckDB, before anybody else has a turn.
        headroom: memory for work that finds too little; None: there is no more than it has.
    """

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        path: str,
        *,
        deadline: float,
        inline: bool,
        broke: Callable[[], None],
        headroom: Headroom | None = None,
    ) -> None:
        self._connect = connect
        self._path = path
        self._deadline = deadline
        self._broke = broke
        self._headroom = headroom
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._turn = anyio.Lock(fast_acquire=True)
        self._closed = False
        # starts a thread when there is work
        self._thread = None if inline else ThreadPoolExecutor(1, "duckdb", initializer=keep_to_oneself)

    @property
    def load(self) -> int:
        """How many have the turn or wait for it."""
        return self._turn.statistics().tasks_waiting + self._turn.locked()

    async def close(self, *, interrupt: bool) -> None:
        """Wait for the work at hand, or interrupt it; then let go of the connection."""
        self._closed = True
        await (self._turn_by_force() if interrupt else self._turn.acquire())
        try:
            if self._connection is not None:
                await self._in_thread(self._drop)
            if self._thread is not None:
                self._thread.shutdown(wait=False)
        finally:
            self._turn.release()

    def let_go(self, *, writes: bool = False) -> None:
        """Close at once; work at hand is interrupted, not waited for, and the connection closed behind it.

        Args:
            writes: the work may write: it is waited for a second, with further interrupts. What it committed later
                would come in behind the back of the next store, which believes to know what is there.
        """
        at_work, self._closed = self._turn.locked(), True
        self._interrupt()
        if self._thread is None:
            self._drop()
        elif at_work or self._connection is not None:
            dropped = self._thread.submit(self._drop)
            self._thread.shutdown(wait=False)
            if not at_work:
                dropped.result()
            elif writes:
                for _ in range(_MOST_AGAIN):
                    if wait((dropped,), _AGAIN).done:
                        break
                    self._interrupt()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _turn_by_force(self) -> None:
        """Have the turn soon. An interrupt that comes between two statements is lost, so another one follows."""
        while True:
            self._interrupt()
            with anyio.move_on_after(_AGAIN):
                return await self._turn.acquire()

    async def run(self, work: Work[T]) -> T:
        """Do a piece of work with the connection, alone.

        Raises:
            StoreBusy: no turn or no end within the deadline.
            StoreUnavailable: closed, or DuckDB can't go on.
            SchemaMismatch: a table is missing.
            StoreError: DuckDB refuses the statement or its values.
        """
        until = anyio.current_time() + self._deadline
        with anyio.move_on_after(self._deadline) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            raise StoreBusy(f"{self._path} was busy for {self._deadline:g} s; try again")
        try:
            if self._closed:
                raise self._refusal()
            patience = max(0.0, until - anyio.current_time())
            return await self._in_thread(lambda: self._guarded(work), patience=patience)
        finally:
            self._turn.release()

    def give_back(self) -> None:
        """Return memory that work has freed; for work itself, in its thread."""
        if self._headroom is not None:
            self._headroom.give_back(self._connected())

    def _refusal(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self._path} was closed; open the store first")

    async def _in_thread(self, function: Callable[[], T], patience: float | None = None) -> T:
        if self._thread is None:
            return function()
        # a transaction that is interrupted rolls back
        return await in_thread(function, executor=self._thread, interrupt=self._interrupt, patience=patience)

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _guarded(self, work: Work[T]) -> T:
        if self._headroom is None:
            return self._done(work)
        with self._headroom.work(self._connected()) as could_have_more:
            return self._done(work, self._headroom if could_have_more else None)

    def _done(self, work: Work[T], headroom: Headroom | None = None) -> T:
        connection = self._connected()
        try:
            return work(connection)
        except UnknownOutcome:
            self._recover(connection)
            raise
        except duckdb.Error as error:
            self._recover(connection)
            if self._closed and isinstance(error, duckdb.InterruptException):
                raise self._refusal() from error
            if headroom is None or not lacks_memory(error):
                raise explained(error, self._path, self._deadline) from error
            headroom.raise_(self._connected())
        return self._done(work)

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _recover(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Roll back; where that is no use another connection is made for the next one who has work.

        An interrupt may come between two statements, or into the ROLLBACK itself, and leave a transaction that refuses
        everything for ever.
        """
        self._broke()
        with suppress(duckdb.Error):
            connection.rollback()  # refused where none is open, as it should be
        if not answers(connection):
            self._connection = None
            with suppress(duckdb.Error):
                connection.close()


def answers(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a connection takes statements."""
    with suppress(duckdb.Error):
        return connection.execute("SELECT 1").fetchall() == [(1,)]
    return False
