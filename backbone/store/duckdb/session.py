"""A DuckDB database and the lanes to it: reads, and what looks after it, go beside the writer instead of behind him."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import duckdb

from backbone.domain.threads import in_thread
from backbone.store.duckdb.failures import first_line, not_opened
from backbone.store.duckdb.headroom import Headroom
from backbone.store.duckdb.holders import Holder
from backbone.store.duckdb.known import Known
from backbone.store.duckdb.lane import Lane, Work, answers
from backbone.store.duckdb.memory import MEMORY, MemoryDatabase
from backbone.store.duckdb.privacy import keep_to_oneself, make_ready
from backbone.store.duckdb.sql import close_behind
from backbone.store.errors import StoreUnavailable, UnknownOutcome

__all__ = ["Purpose", "Session", "transaction"]

T = TypeVar("T")

Purpose = Literal["writing", "rows", "survey", "delivery"]
"""Writing; rows for callers; sums over all that is stored; outbox, cursors, inbox and probes."""

_LANES: dict[Purpose, int] = {"writing": 1, "rows": 2, "survey": 1, "delivery": 1}


class Session:
    """Lanes for each purpose. Each piece of work sees what was committed when it began, and no more.

    Args:
        path: database file, or `MEMORY`.
        config: DuckDB settings.
        memory: the database to connect to where the path is `MEMORY`; None: one of its own, gone when it closes.
        deadline: seconds that one piece of work may take, waiting for its turn included; then it is interrupted.
        inline: work in the calling thread, which blocks the loop, all in one lane: for deterministic tests only.
        headroom: memory for work that finds too little.

    Attributes:
        known: what the writer knows of the database; only work for writing may touch it.
    """

    def __init__(
        self,
        path: str,
        config: dict[str, str],
        *,
        memory: MemoryDatabase | None = None,
        deadline: float,
        inline: bool,
        headroom: Headroom | None = None,
    ) -> None:
        self._path = path
        self._config = config
        self._memory = memory if path == MEMORY else None
        self._deadline = deadline
        self._inline = inline
        self._headroom = headroom
        self._root: duckdb.DuckDBPyConnection | None = None
        self._holder = Holder(path)
        self._lanes: dict[Purpose, list[Lane]] = {}
        self._seen: dict[Hashable, Any] = {}
        self._apart: list[Lane] = []
        self.known = Known() if self._memory is None else self._memory.known

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: the file can't be opened; the message says why and what to do.
        """
        if self._root is not None and not answers(self._root):
            await self.close()  # DuckDB has given the database up, for all who have it open
        if self._root is None:
            self._root = self._connect() if self._inline else await self._connected()
            self.known.forget()
            self._seen.clear()
            writer = self._lane(self.known.forget)
            self._lanes = {
                purpose: [writer] * many if self._inline or purpose == "writing" else self._others(many)
                for purpose, many in _LANES.items()
            }

    async def close(self) -> None:
        """Wait for what is written, interrupt what is read, then let go of the file; its log is folded into it."""
        root, self._root = self._root, None
        if root is None:
            return
        try:
            while self._apart:
                await self._apart.pop().close(interrupt=True)
            for purpose in reversed(_LANES):
                for lane in self._lanes[purpose]:
                    await lane.close(interrupt=purpose != "writing")
        finally:
            await self._closed(root)
            self._holder.let_go()

    def let_go(self) -> None:
        """Let go of the file, whatever a close that was cut short has left; only writes are waited for, a second."""
        root, self._root = self._root, None
        while self._apart:
            self._apart.pop().let_go()
        for purpose, lanes in self._lanes.items():
            for lane in lanes:
                lane.let_go(writes=purpose == "writing")
        if root is not None:
            close_behind(root)
        self._holder.let_go()

    async def run(self, work: Work[T], purpose: Purpose = "writing", look: Hashable = None) -> T:
        """Do a piece of work with a connection for that purpose; see `Lane.run` for what is raised.

        Args:
            work: what to do.
            purpose: whose turn it takes.
            look: names work that changes nothing. Inline it is done again only where other work may have changed what
                it sees: on a virtual clock an idle backbone looks thousands of times in a second.
        """
        self.require_open()
        if look in self._seen:
            return self._seen[look]  # type: ignore[no-any-return]
        try:
            done = await min(self._lanes[purpose], key=lambda lane: lane.load).run(work)
        finally:
            if look is None:
                self._seen.clear()
        if look is not None and self._inline:
            self._seen[look] = done
        return done

    def apart(self, deadline: float) -> Lane:
        """A lane of one's own, for who holds a transaction; it is closed by `give_back`, and with the session.

        Args:
            deadline: seconds that one piece of work in it may take.
        """
        self.require_open()
        self._apart.append(self._lane(_nothing, deadline))
        return self._apart[-1]

    async def give_back(self, lane: Lane) -> None:
        """Close a lane of one's own; one that is closed already stays so."""
        if lane in self._apart:
            self._apart.remove(lane)
            await lane.close(interrupt=True)

    def require_open(self) -> None:
        """Refuse where the file is not open."""
        if self._root is None:
            raise StoreUnavailable(
                f"{self._path} is not open now: a running backbone opens it again by itself; else open the store first"
            )

    async def _connected(self) -> duckdb.DuckDBPyConnection:
        """Connect in a thread of its own: what DuckDB starts there makes its files as that thread would."""
        thread = ThreadPoolExecutor(1, "duckdb", initializer=keep_to_oneself)
        try:
            return await in_thread(self._connect, executor=thread)
        finally:
            thread.shutdown(wait=False)

    async def _closed(self, root: duckdb.DuckDBPyConnection) -> None:
        if self._inline:
            root.close()
        else:
            await in_thread(lambda: close_behind(root))

    def _others(self, many: int) -> list[Lane]:
        return [self._lane(_nothing) for _ in range(many)]

    def _lane(self, broke: Callable[[], None], deadline: float | None = None) -> Lane:
        return Lane(
            self._another,
            self._path,
            deadline=self._deadline if deadline is None else deadline,
            inline=self._inline,
            broke=broke,
            headroom=self._headroom,
        )

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            if self._memory is not None:
                return self._memory.connect(self._config)
            if self._path != MEMORY:
                self._holder.take()
                make_ready(Path(self._path), self._config)
            return duckdb.connect(self._path, config={**self._config})
        except (OSError, duckdb.Error) as error:
            self._holder.let_go()
            raise not_opened(self._path, error) from error

    def _another(self) -> duckdb.DuckDBPyConnection:
        """One more connection to the database that is open."""
        root = self._root
        try:
            if root is not None:
                return root.cursor() if self._memory is None else self._memory.connect(self._config)
        except duckdb.Error as error:
            raise not_opened(self._path, error) from error
        raise StoreUnavailable(f"{self._path} was closed; open the store first")


def _nothing() -> None:
    """Only the writer has something to forget."""


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing.

    Raises:
        UnknownOutcome: the COMMIT failed, and it is not certain that nothing of it was written.
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
    except duckdb.TransactionException:
        raise  # it was taken back: DuckDB says so, and goes on; whatever it can't take back is fatal to it
    except duckdb.Error as error:
        raise UnknownOutcome(f"COMMIT failed: {first_line(error)}; look the chunk up before a retry") from error
