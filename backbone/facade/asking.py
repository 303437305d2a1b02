"""SQL that only reads, as a backbone is asked for it, by its own process and through the control socket."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import anyio
import msgspec

from actors import ActorError, Request
from backbone.calls import Calls
from backbone.control.values import Packed, unpacked
from backbone.domain import arguments
from backbone.domain.threads import in_thread
from backbone.settings import Settings
from backbone.store.errors import StoreBusy
from backbone.store.query_messages import RunStatement, StopStatement
from backbone.store.statements import Statement, too_long

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Asking", "Turns", "statement_answers"]

R = TypeVar("R")

_MARGIN = 5.0  # seconds that the store has for saying that a statement took too long
_LONGEST_TIMEOUT = 86_400.0


class Turns:
    """So many statements at once; so many more wait, and further ones are refused.

    Args:
        at_once: at work.
        waiting: for their turn.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = anyio.Semaphore(at_once, fast_acquire=True)
        self._most = at_once + waiting
        self._at_once, self._present = at_once, 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it.

        Raises:
            StoreBusy: too many wait already.
        """
        if self._present >= self._most:
            raise StoreBusy(
                f"{self._at_once} statements of SQL are at work and {self._most - self._at_once} wait; try again in a "
                "moment, or allow more (sql.at_once, sql.waiting)"
            )
        self._present += 1
        try:
            async with self._places:
                yield
        finally:
            self._present -= 1


class Asking:
    """The verb of a backbone that answers SQL."""

    if TYPE_CHECKING:
        settings: Settings
        _calls: Calls
        _turns: Turns

        async def _ask(self, name: str, request: Request[R], timeout: float = 60.0) -> R: ...

    async def sql(
        self,
        query: str,
        *parameters: Any,
        timeout_s: float | None = None,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """The answer to a SELECT over `daily_bars`, `intraday_bars`, `trades`, `quotes`, `order_book`, `macro_events`.

        It reads one moment of the store, also while others write, and changes nothing. A caller that is cancelled
        stops it.

        Args:
            query: one SELECT, in the words of the store: DuckDB's or PostgreSQL's.
            parameters: the values of $1, $2 …; they are bound, never written into the statement.
            timeout_s: seconds that it may take, its wait for a turn included; None: `sql.timeout`.
            max_rows: of the answer; None: `sql.max_rows`.
            max_bytes: of the answer; None: `sql.max_bytes`.
            limit: give the first so many rows, whatever follows; None: all, or a refusal.

        Returns:
            An Arrow table. A second column of one name has a number behind it.

        Raises:
            TypeError, ValueError: an argument is wrong.
            StatementRefused: it is no SELECT, reads or calls something else, or the database refuses it.
            TooMuch: it takes more than it may.
            StoreBusy: too many statements wait already.
            StoreUnavailable: the store is down.
        """
        limits = self.settings.sql
        seconds = limits.timeout if timeout_s is None else arguments.seconds("timeout_s", timeout_s)
        if not 0 < seconds <= _LONGEST_TIMEOUT:
            raise ValueError(f"timeout_s={seconds:g} given; allowed are seconds above 0, a day at most")
        statement = Statement(
            name=secrets.token_hex(8),
            text=query,
            values=parameters,
            seconds=seconds,
            max_rows=limits.max_rows if max_rows is None else max_rows,
            max_bytes=limits.max_bytes if max_bytes is None else max_bytes,
            max_temp_bytes=limits.max_temp_bytes,
            limit=limit,
            role=limits.role,
        )
        until = anyio.current_time() + seconds
        with anyio.move_on_after(seconds) as waiting:
            async with self._turns.turn():
                waiting.deadline = float("inf")
                left = until - anyio.current_time()
                return await self._run(msgspec.structs.replace(statement, seconds=max(0.001, left), allowed=seconds))
        raise too_long(statement)

    async def _run(self, statement: Statement) -> pa.Table:
        """Have the store answer; where nobody waits for it any more, it is told so."""
        done = False
        try:
            table = await self._ask("store", RunStatement(statement), statement.seconds + _MARGIN)
            done = True
            return table
        finally:
            if not done:
                with suppress(ActorError), anyio.move_on_after(1.0, shield=True):
                    await self._calls.ref("store").ask(StopStatement(statement.name), 1.0)


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    query: str
    parameters: Packed = []
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    max_rows: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None


def statement_answers(backbone: Asking) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
    """What the control socket answers in bytes, a statement by an Arrow stream; it gives no more than is set."""

    async def sql(arguments: Mapping[str, Any]) -> bytes:
        wanted, limits = msgspec.convert(dict(arguments), _Wanted), backbone.settings.sql
        table = await backbone.sql(
            wanted.query,
            *unpacked(wanted.parameters),
            timeout_s=min(wanted.timeout_s or limits.timeout, limits.timeout),
            max_rows=min(wanted.max_rows or limits.max_rows, limits.max_rows),
            max_bytes=min(wanted.max_bytes or limits.max_bytes, limits.max_bytes),
            limit=wanted.limit,
        )
        return await in_thread(lambda: _stream(table))

    return {"sql": sql}


def _stream(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
