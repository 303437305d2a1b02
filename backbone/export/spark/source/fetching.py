"""The rows of partitions, on executors: through ADBC where it is installed, else by COPY through asyncpg.

Both read page by page, in the order of the key, so that memory does not grow with a partition.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backbone.domain.arrays import scalar_of
from backbone.domain.schema import arrow_schema
from backbone.domain.values import python_of
from backbone.export.spark.source.connecting import READING_SECONDS, address_of, close, is_lost, joined, lost
from backbone.export.spark.source.where import Where, store_of
from backbone.settings.discretion import discreetly, silence
from backbone.store.snapshots import PART_ROWS, Part

__all__ = ["batches_of", "parts_of"]

_BATCH_BYTES = 4 << 20


def parts_of(where: Where) -> list[Part]:
    """The partitions that have rows.

    Raises:
        SnapshotLost: nobody holds the moment any more.
        StoreUnavailable: the server does not answer or refuses.
    """
    return asyncio.run(discreetly(lambda: _parts(where)))


async def _parts(where: Where) -> list[Part]:
    from backbone.store.sql import quoted
    from backbone.store.timescale.selecting import Selection
    from backbone.store.timescale.tables import Tables

    store, parts = store_of(where.profile, where.env_file), where.parts
    dimension = parts.dimension
    selection = Selection(Tables(store.schema_name), where.query(parts.part(None, None)))
    condition = selection.condition()
    if parts.symbols:
        selection.values.append(list(parts.symbols))
        condition += f" AND {quoted(dimension.partition_column)} = ANY(${len(selection.values)}::text[])"
    begin = "NULL::timestamp" if parts.period == "all" else f"date_trunc('{parts.period}', ts AT TIME ZONE 'UTC')"
    statement = f"""
        SELECT DISTINCT {quoted(dimension.partition_column)}, {begin} FROM {Tables(store.schema_name).rows(dimension)}
        WHERE {condition} ORDER BY 1, 2
    """  # noqa: S608
    connection = await joined(store, where.moment)
    try:
        found = await connection.fetch(statement, *selection.values)
    finally:
        await close(connection)
    return [parts.part(symbol, begin if begin is None else begin.replace(tzinfo=UTC)) for symbol, begin in found]


def batches_of(where: Where, part: Part) -> Iterator[pa.RecordBatch]:
    """The rows of a partition.

    Raises:
        SnapshotLost: nobody holds the moment any more.
        StoreUnavailable: the server does not answer or refuses.
    """
    plain = _statement(where, part)
    adbc = plain is not None and importlib.util.find_spec("adbc_driver_postgresql") is not None
    tables = _by_adbc(where, plain) if adbc and plain is not None else _by_copy(where, part)
    schema = pa.schema(
        [field.with_nullable(True) for field in arrow_schema(part.dimension)]
    )  # as Spark has all of its own
    for table in tables:
        yield from table.select(schema.names).cast(schema).combine_chunks().to_batches()


def _statement(where: Where, part: Part) -> str | None:
    """All rows of a partition as one statement without parameters; None: some value can't stand in one."""
    from backbone.store.sql import names
    from backbone.store.timescale.selecting import Selection
    from backbone.store.timescale.tables import Tables
    from backbone.store.timescale.values import NotPlain

    store, dimension = store_of(where.profile, where.env_file), part.dimension
    tables = Tables(store.schema_name)
    selection = Selection(tables, where.query(part), written_out=True)
    try:
        condition = selection.condition()
    except NotPlain:
        return None
    free = tuple(name for name in dimension.key if name != dimension.partition_column)
    columns, order = names(dimension.columns), names(free)
    return f"SELECT {columns} FROM {tables.rows(dimension)} WHERE {condition} ORDER BY {order}"  # noqa: S608


def _by_adbc(where: Where, statement: str) -> Iterator[pa.Table]:
    """COPY into Arrow by the driver, which is C."""
    from adbc_driver_postgresql import dbapi

    from backbone.store.timescale.session import READ

    store = store_of(where.profile, where.env_file)
    moment, address = where.moment.replace("'", "''"), address_of(store)
    try:
        with dbapi.connect(address.reveal()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION {READ}")
            cursor.execute(f"SET LOCAL statement_timeout = {round(1000 * READING_SECONDS)}")
            cursor.execute("SET LOCAL client_connection_check_interval = 2000")
            cursor.execute(f"SET TRANSACTION SNAPSHOT '{moment}'")
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(statement)
            for batch in cursor.fetch_record_batch():
                yield _plain(pa.Table.from_batches([batch]))
    except dbapi.Error as error:
        silence(error)
        if is_lost(error):
            raise lost() from None
        raise


def _plain(table: pa.Table) -> pa.Table:
    """The values of a frame, as COPY gives them: NaN stands for null, whoever put it there, and zero has no sign."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table.column(place)
            column = pc.add(pc.if_else(pc.is_nan(column), pa.NA, column), scalar_of(0.0))
            table = table.set_column(place, field, column)
    return table


def _by_copy(where: Where, part: Part) -> Iterator[pa.Table]:
    """COPY, decoded by numpy; or packed columns, where a value has to be a parameter."""
    with asyncio.Runner() as runner:
        store = store_of(where.profile, where.env_file)
        connection = runner.run(discreetly(lambda: joined(store, where.moment)))
        try:
            after: Sequence[object] | None = None
            while True:
                table = runner.run(_page(connection, where, part, store.schema_name, after))
                if table.num_rows:
                    yield table
                if table.num_rows < PART_ROWS:
                    return
                after = [python_of(table.column(name).slice(table.num_rows - 1))[0] for name in part.dimension.key]
        finally:
            runner.run(close(connection))


async def _page(connection: Any, where: Where, part: Part, schema: str, after: Sequence[object] | None) -> pa.Table:
    from backbone.store.timescale.columns import table_of
    from backbone.store.timescale.copied import Rows
    from backbone.store.timescale.selecting import Selection
    from backbone.store.timescale.tables import Tables
    from backbone.store.timescale.values import NotPlain

    selection = Selection(Tables(schema), where.query(part), written_out=True)
    try:
        statement = selection.plain_page(after, PART_ROWS)
    except NotPlain:
        selection = Selection(Tables(schema), where.query(part))
        statement = selection.page(after, PART_ROWS)
        return table_of(part.dimension, selection.known, tuple(await connection.fetchrow(statement, *selection.values)))
    pieces: list[bytes] = []

    async def take(piece: bytes) -> None:
        pieces.append(piece)

    await connection.copy_from_query(statement, output=take, format="binary")
    return pa.concat_tables(Rows(part.dimension, selection.known).tables(pieces))
