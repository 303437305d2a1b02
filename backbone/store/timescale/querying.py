"""Statements of people on a connection of their own, which is cut behind them.

The transaction only reads, and the one statement in it goes by the extended protocol, which takes no second one: none
can end the transaction, or make it one that writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import anyio
import asyncpg
import pyarrow as pa

from backbone.store.errors import StatementRefused, TooMuch, Unsupported
from backbone.store.statements import (
    Running,
    Statement,
    gathered,
    told_apart,
    too_large,
    too_long,
    too_many,
)
from backbone.store.timescale.answers import PLAIN, Column, column_of, decimals, number_of
from backbone.store.timescale.failures import BROKEN
from backbone.store.timescale.parsing import TOO_WIDE, Readable, readable
from backbone.store.timescale.part import Part
from backbone.store.timescale.session import READ

__all__ = ["Querying"]

_WIDE = 64 * 1024  # bytes of a row behind which they are fetched one by one
_STANDS: Final = """
    SELECT (SELECT array_agg(nspname::text) FROM pg_namespace), (
        SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'timescaledb'
    )
"""
_OUR_FAULT: Final = ("08", "53", "57P01", "57P02", "57P03", "58", "XX")
"""States that say something of the server, and nothing of the statement."""
_CANCEL_SECONDS = 1.0
_CLIENT_SECONDS = 1.0  # behind those of the server, whose answer says more


class Querying(Part):
    """Statements of SQL."""

    _running: Running

    async def run_statement(self, statement: Statement) -> pa.Table:
        """The answer, read through a cursor."""
        with self._running.work(statement.name):
            try:
                with anyio.fail_after(statement.seconds + 2 * _CLIENT_SECONDS):
                    return await self._run(statement)
            except TimeoutError as error:
                raise too_long(statement) from error
            except BROKEN as error:
                raise self._database.explained(error) from error

    async def stop_statement(self, name: str) -> None:
        """Have the server cancel it, and cut its connection, which the server looks for as well."""
        self._running.stop(name)

    async def _run(self, statement: Statement) -> pa.Table:
        connection = await self._database.apart(statement.seconds + _CLIENT_SECONDS)
        asked: Readable | None = None
        try:
            for kind in PLAIN:
                await connection.set_type_codec(
                    kind, schema="pg_catalog", encoder=partial(number_of, kind), decoder=tuple, format="tuple"
                )
            await connection.execute(f"BEGIN {READ}; {_bounds(statement)}")
            schemas, extension = await connection.fetchrow(_STANDS)
            asked = readable(statement, self._tables.schema, set(schemas), extension)
            await _become(connection, statement.role)
            return await self._answer(connection, asked, statement)
        except asyncpg.PostgresError as error:
            raise _refusal(error, asked, statement) from error
        except (asyncpg.InterfaceError, ValueError, TypeError, OverflowError) as error:
            if isinstance(error, StatementRefused) or connection.is_closed():
                raise
            why = str(error).split("\n", 1)[0]
            raise StatementRefused(f"the values do not fit the statement: {why}") from error
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_CANCEL_SECONDS, shield=True), suppress(*BROKEN):
                await connection.close()  # the server is told to cancel, and has done so when this is back
            raise
        finally:
            connection.terminate()

    async def _answer(self, connection: Any, asked: Readable, statement: Statement) -> pa.Table:
        prepared = await connection.prepare(asked.sql)
        given = prepared.get_attributes()
        columns = [
            column_of(name, each.type.name)
            for name, each in zip(told_apart([each.name for each in given]), given, strict=True)
        ]
        schema = pa.schema([(column.name, column.type) for column in columns])
        batches, rows, size = list[pa.RecordBatch](), 0, 0
        async for fetched in _pieces(prepared, statement, asked.at_once):
            batch = await self._workers.run(_weight(fetched), _batch, columns, schema, fetched)
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if statement.limit is not None and rows >= statement.limit:
                break
            if rows > statement.max_rows:
                raise too_many(statement)
            if size > statement.max_bytes:
                raise too_large(statement)
        return await self._workers.run(rows, _whole, columns, schema, batches, statement)


async def _become(connection: Any, role: str | None) -> None:
    """Take a role for the rest of the transaction.

    Raises:
        Unsupported: the server does not let us.
    """
    if role is None:
        return
    try:
        await connection.execute(f'SET LOCAL ROLE "{role}"')
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError) as error:
        raise Unsupported(
            f"sql.role={role}: {str(error).splitlines()[0]}; make that role, GRANT it to ours, or leave sql.role out"
        ) from error


async def _pieces(prepared: Any, statement: Statement, at_once: int) -> AsyncIterator[Sequence[Any]]:
    """The rows, fewer at a time the wider they are."""
    cursor = await prepared.cursor(*statement.values)
    many = 1
    while fetched := await cursor.fetch(many):
        yield fetched
        many = 1 if _weight(fetched) > _WIDE * len(fetched) else min(at_once, 8 * many)


def _weight(rows: Sequence[Any]) -> int:
    """How much work they are, about: values, and what is in them."""
    return sum(len(each) if isinstance(each, str | bytes | list) else 1 for row in rows for each in row)


def _batch(columns: Sequence[Column], schema: pa.Schema, rows: Sequence[Any]) -> pa.RecordBatch:
    arrays = [column.values([row[place] for row in rows]) for place, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _whole(
    columns: Sequence[Column], schema: pa.Schema, batches: Sequence[pa.RecordBatch], statement: Statement
) -> pa.Table:
    table = gathered(schema, batches, statement)
    for place, column in enumerate(columns):
        if column.kind == "numeric":
            table = table.set_column(place, column.name, decimals(column, table))
    return table


def _bounds(statement: Statement) -> str:
    """What holds for the transaction, whatever the role or the database are set to."""
    limit = max(1, round(1000 * statement.seconds))
    return "; ".join(
        f"SET LOCAL {name} = {value}"
        for name, value in {
            "statement_timeout": limit,
            "lock_timeout": min(limit, 5000),
            "idle_in_transaction_session_timeout": limit,
            "client_connection_check_interval": 1000,
            "standard_conforming_strings": "on",
            "work_mem": "'16MB'",
            "hash_mem_multiplier": 1,
            "max_parallel_workers_per_gather": 0,
        }.items()
    )


def _refusal(
    error: asyncpg.PostgresError, asked: Readable | None, statement: Statement
) -> StatementRefused | TooMuch | asyncpg.PostgresError:
    """What an error of the server means to who asks."""
    state = str(getattr(error, "sqlstate", None) or "")
    if state == "57014":
        return too_long(statement)
    if not state or state.startswith(_OUR_FAULT) or asked is None:
        return error
    if TOO_WIDE in str(error):
        return TooMuch(
            f"a row of the answer has more than {asked.widest:,} bytes; name fewer columns, or aggregate less"
        )
    position = getattr(error, "position", None)
    where = asked.place(int(position)) if position else ""
    hint = getattr(error, "hint", None)
    text = str(error).strip().split("\n", 1)[0]
    return StatementRefused(f"PostgreSQL refuses it: {text} (SQLSTATE {state}){where}{f'; {hint}' if hint else ''}")
