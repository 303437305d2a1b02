"""Statements of people on a connection of their own, which is gone with them.

It shares memory, threads and configuration with the writer, so that no statement may come near a setting. What is left
to it of the memory is what DuckDB takes as a rule: only others are given more where that is too little. What does not
fit there goes to the disk, as far as a statement may.
"""

from __future__ import annotations

import re
from typing import Final

import anyio
import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from backbone.domain.dimension import Dimension
from backbone.store.duckdb.failures import first_line, lacks_memory
from backbone.store.duckdb.parsing import require_reading
from backbone.store.duckdb.part import Part
from backbone.store.duckdb.spilling import watched
from backbone.store.duckdb.sql import Connection, rows_table
from backbone.store.errors import StatementRefused, TooMuch
from backbone.store.sql import names
from backbone.store.statements import TABLES, Running, Statement, gathered, too_large, too_long

__all__ = ["Querying"]

_BATCH = 2048  # rows: as many as DuckDB makes at once
_UNTOLD: Final = re.compile(r"\b(BIT|BIGNUM|VARINT|VARIANT|UNION|UHUGEINT|GEOMETRY|TIME WITH TIME ZONE)\b")
"""Types that Arrow has no other form for than DuckDB's own bytes."""
_BEHIND: Final[dict[str, type[duckdb.Error]]] = {
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "IO Error": duckdb.IOException,
    "FATAL Error": duckdb.FatalException,
    "INTERNAL Error": duckdb.InternalException,
}
_SIZES: Final = {"varchar": "strlen({})", "list": "8 * len({})", "array": "8 * len({})", "map": "8 * cardinality({})"}
_MOST_HOURS: Final = 2_562_046  # nanoseconds of 64 bits
_TOO_LONG: Final = "an interval has more hours than Arrow can tell; cast it to text"
_TOO_LARGE: Final = "the answer is too large"
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
        gathers = require_reading(connection, statement)
        connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            return _bounded(connection, statement, gathers=gathers)
        finally:
            connection.execute("ROLLBACK")
    except duckdb.Error as error:
        raise _refusal(error, statement) from error


def _bounded(connection: Connection, statement: Statement, *, gathers: bool) -> pa.Table:
    with watched(connection, statement.max_temp_bytes) as spilling:
        try:
            return _read(connection, statement, gathers=gathers)
        except duckdb.InterruptException as error:
            if spilling.over:
                raise _spills(spilling.most, statement) from error
            raise


def _spills(most: int, statement: Statement) -> TooMuch:
    """The refusal of a statement that lays too much on the disk."""
    why = "" if most == statement.max_temp_bytes else ", half of what the disk had free"
    return TooMuch(
        f"the statement needs more than {most:,} bytes of temporary files{why}; narrow it, sort and join less, "
        "or allow more (sql.max_temp_bytes)"
    )


def _read(connection: Connection, statement: Statement, *, gathers: bool) -> pa.Table:
    relation = connection.sql(statement.text, params=list(statement.values))
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if _UNTOLD.search(str(kind)):
            raise StatementRefused(f"column {name} is of type {kind}, which Arrow does not have; cast it to text")
    if gathers and statement.limit is not None:
        relation = relation.limit(statement.limit)
    guards = [_guard(f"#{n}", kind, statement, gathers=gathers) for n, kind in enumerate(relation.types, 1)]
    if any(guards):
        told = [guard or f"#{n}" for n, guard in enumerate(guards, 1)]
        doubled = [name.replace('"', '""') for name in relation.columns]
        relation = relation.project(
            ", ".join(f'{value} AS "{name}"' for value, name in zip(told, doubled, strict=True))
        )
    try:
        with relation.to_arrow_reader(_BATCH) as reader:
            return gathered(reader.schema, reader, statement)
    except (OSError, pa.ArrowException) as error:
        raise _of_duckdb(error) from error


def _guard(column: str, kind: DuckDBPyType, statement: Statement, *, gathers: bool) -> str:
    """A column that fails rather than to lie or to grow without bound; "" where it can do neither.

    Arrow's form of an interval wraps around, and a value that was gathered out of many rows is copied for each row of
    the answer before anybody could count it.
    """
    if kind.id == "interval":
        return f"CASE WHEN abs(date_part('hour', {column})) > {_MOST_HOURS} THEN error('{_TOO_LONG}') ELSE {column} END"
    size = _SIZES.get(kind.id, "") if gathers else ""
    if not size:
        return ""
    total = f"sum({size.format(column)}) OVER (ROWS UNBOUNDED PRECEDING)"
    return f"CASE WHEN {total} > {statement.max_bytes} THEN error('{_TOO_LARGE}') ELSE {column} END"


def _of_duckdb(error: Exception) -> duckdb.Error:
    """The error behind the first rows, of which Arrow passes on no more than the text."""
    text = str(error)
    return _BEHIND.get(text.partition(":")[0], duckdb.InvalidInputException)(text)


def _refusal(error: duckdb.Error, statement: Statement) -> StatementRefused | TooMuch | duckdb.Error:
    """What an error means to who asks."""
    if isinstance(error, duckdb.InterruptException):
        return too_long(statement)
    if lacks_memory(error):
        return TooMuch("the statement needs more memory than DuckDB may use for it; narrow it, or sort and join less")
    if isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.IOException):
        return error
    if first_line(error).endswith(_TOO_LARGE):
        return too_large(statement)
    picture = _PICTURE.search(str(error))
    hint = "; ".join(line for line in str(error).splitlines()[1:] if line.startswith(_HINTS))
    where = f"; {hint}" if hint else ""
    if picture and not picture[2].startswith("..."):
        column = len(picture[3]) - len(f"LINE {picture[1]}: ") + 1
        where = f" at line {picture[1]}, column {column}"
    return StatementRefused(f"DuckDB refuses it: {first_line(error)}{where}")
