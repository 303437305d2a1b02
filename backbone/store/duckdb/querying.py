"""Statements of people on a connection of their own, which is gone with them.

It shares memory, threads and configuration with the writer, so that no statement may come near a setting. What is left
to it of the memory is what DuckDB takes as a rule: only others are given more where that is too little.
"""

from __future__ import annotations

import re
from typing import Final

import anyio
import duckdb
import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.failures import first_line, lacks_memory
from backbone.store.duckdb.parsing import require_reading
from backbone.store.duckdb.part import Part
from backbone.store.duckdb.sql import Connection, rows_table
from backbone.store.errors import StatementRefused, TooMuch
from backbone.store.sql import names
from backbone.store.statements import TABLES, Running, Statement, gathered, too_long

__all__ = ["Querying"]

_BATCH = 2048  # rows: as many as DuckDB makes at once
_UNTOLD: Final = re.compile(r"\b(BIT|BIGNUM|VARINT|VARIANT|UNION|UHUGEINT|GEOMETRY|TIME WITH TIME ZONE)\b")
"""Types that Arrow has no other form for than DuckDB's own bytes."""
_HINTS = ("Candidate", "Did you mean")
_PICTURE: Final = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)


class Querying(Part):
    """Statements of SQL."""

    _running: Running

    async def run_statement(self, statement: Statement) -> pa.Table:
        """The answer, read in a transaction that can't write."""
        with self._running.work(statement.name):
            lane = self._session.apart(statement.seconds)
            try:
                return await lane.run(lambda connection: _answer(connection, statement))
            finally:
                with anyio.CancelScope(shield=True):  # it interrupts what is at work, and waits for that
                    await self._session.give_back(lane)

    async def stop_statement(self, name: str) -> None:
        """Interrupt it."""
        self._running.stop(name)


def _answer(connection: Connection, statement: Statement) -> pa.Table:
    try:
        connection.execute("SET TimeZone = 'UTC'")
        for dimension in Dimension:
            columns = names(TABLES[dimension.value])
            connection.execute(f"CREATE TEMP VIEW {dimension.value} AS SELECT {columns} FROM {rows_table(dimension)}")  # noqa: S608
        require_reading(connection, statement)
        connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            return _read(connection, statement)
        finally:
            connection.execute("ROLLBACK")
    except duckdb.Error as error:
        raise _refusal(error, statement) from error


def _read(connection: Connection, statement: Statement) -> pa.Table:
    relation = connection.sql(statement.text, params=list(statement.values))
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if _UNTOLD.search(str(kind)):
            raise StatementRefused(f"column {name} is of type {kind}, which Arrow does not have; cast it to text")
    with relation.to_arrow_reader(_BATCH) as reader:
        return gathered(reader.schema, reader, statement)


def _refusal(error: duckdb.Error, statement: Statement) -> StatementRefused | TooMuch | duckdb.Error:
    """What an error means to who asks."""
    if isinstance(error, duckdb.InterruptException):
        return too_long(statement)
    if lacks_memory(error):
        return TooMuch("the statement needs more memory than DuckDB may use for it; narrow it, or sort and join less")
    if isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.IOException):
        return error
    picture = _PICTURE.search(str(error))
    hint = "; ".join(line for line in str(error).splitlines()[1:] if line.startswith(_HINTS))
    where = f"; {hint}" if hint else ""
    if picture and not picture[2].startswith("..."):
        column = len(picture[3]) - len(f"LINE {picture[1]}: ") + 1
        where = f" at line {picture[1]}, column {column}"
    return StatementRefused(f"DuckDB refuses it: {first_line(error)}{where}")
