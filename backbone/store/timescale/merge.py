"""Merge the rows of a frame into the table of its dimension, by key; the locks of its symbols are held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.arrays import array_of, scalar_of
from backbone.domain.cleaning import constant_text
from backbone.domain.clock import from_us
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.store.merging import Indices, Merged, Truths, chosen
from backbone.store.payloads import Origin
from backbone.store.records import Outcome
from backbone.store.sql import ORIGIN, names, other_values, quoted, same_key
from backbone.store.timescale import few
from backbone.store.timescale.combined import Combined
from backbone.store.timescale.copying import Field, Rows, Stream, constant, int4
from backbone.store.timescale.session import Session
from backbone.store.timescale.tables import SQL_TYPES, Tables
from backbone.store.timescale.workers import Workers

__all__ = ["Merger"]

_LOOKS = 48
"""Keys of a chunk that are looked up before all its rows are taken for new. More would find nothing that matters: where
few keys are stored already, to copy until the server refuses one costs little."""


@dataclass(frozen=True, slots=True)
class Merger:
    """Writes what is not stored yet.

    Attributes:
        session: within a transaction.
        tables: where the rows go.
        origin: where they come from.
        workers: where columns are encoded and chosen.
    """

    session: Session
    tables: Tables
    origin: Origin
    workers: Workers

    async def seem_new(self, frame: Frame, fresh: Truths) -> bool:
        """Whether none of some keys is stored, out of the rows that are not proven to be fresh."""
        compared = np.flatnonzero(~fresh)
        looks = np.unique(compared[np.linspace(0, len(compared) - 1, _LOOKS).astype(np.int64)])
        keys = Frame.of_known(frame.dimension, frame.to_arrow().take(array_of(looks)))
        start, end = keys.span_us
        query = few.presence(self.tables, frame.dimension)
        return not await self.session.value(query, *few.keys_of(keys), from_us(start), from_us(end))

    async def insert(self, frame: Frame) -> Merged:
        """Write rows of which none is stored, or so it seems.

        Raises:
            asyncpg.UniqueViolationError: one is.
        """
        await self._insert(frame)
        return Merged.all_new(frame)

    async def merge(self, frame: Frame, fresh: Truths) -> Merged:
        """Write the rows.

        Args:
            frame: the rows.
            fresh: one truth per row: nothing was ever stored over its range, so it is inserted without a look.
        """
        compared = np.flatnonzero(~fresh)
        part = frame if len(compared) == frame.num_rows else await self._keep(frame, ~fresh)
        await self._stage(part, compared)
        missing, changed = await self._compare(part)
        merged = await self.workers.run(frame.num_rows, Merged.of, frame, fresh, missing, changed)
        if len(changed):
            await self._replace(frame.dimension, changed)
        new = merged.outcomes == Outcome.INSERTED
        if new.any():
            await self._insert(await self._keep(frame, new))
        return merged

    async def merge_few(self, ending: Combined, frame: Frame, fresh: Truths) -> Merged:
        """The same for few rows: what is to be written goes with the changes that end the transaction."""
        merged = Merged.all_new(frame) if fresh.all() else await self._compare_few(frame, fresh)
        written, origin, dimension = merged.written, self.origin, frame.dimension
        if not written.num_rows:
            return merged
        at = from_us(origin.since_us)
        values = few.values_of(written)
        if merged.changed:
            ending.add("retired", few.retirement(self.tables, dimension), *values, at)
        insertion = few.replacement if merged.changed else few.insertion
        origins = (origin.source, origin.ingest_id, origin.revision, at)
        ending.add("written", insertion(self.tables, dimension), *values, *origins)
        return merged

    async def _compare_few(self, frame: Frame, fresh: Truths) -> Merged:
        start, end = frame.span_us
        query = few.comparison(self.tables, frame.dimension)
        found = await self.session.row(query, *few.values_of(frame), from_us(start), from_us(end))
        missing, changed = (np.array(each or (), dtype=np.int64) for each in found)
        return Merged.of(frame, fresh, missing, changed)

    async def _keep(self, frame: Frame, keep: Truths) -> Frame:
        return await self.workers.run(frame.num_rows, chosen, frame, keep)

    async def _insert(self, frame: Frame) -> None:
        """COPY into the table itself. No key of these rows is there: that was proven, and the locks keep it true."""
        origin = self.origin
        at = scalar_of(origin.since_us, pa.timestamp("us", tz="UTC"))
        rows = Rows(
            (
                *_fields(frame),
                Field("source", constant(origin.source)),
                Field("ingest_id", constant(origin.ingest_id)),
                Field("revision", constant(origin.revision)),
                Field("ingested_at", pa.repeat(at, frame.num_rows)),
            ),
            frame.num_rows,
        )
        dimension = frame.dimension
        await self.session.copy_in(self.tables.schema, dimension.value, rows.columns, Stream(rows, self.workers))

    async def _stage(self, part: Frame, numbers: Indices) -> None:
        """Bring rows to the server, each with its number."""
        dimension = part.dimension
        stage = self.tables.stage(dimension)
        columns = ", ".join(f"{quoted(name)} {SQL_TYPES[dimension.kinds[name]]}" for name in dimension.columns)
        await self.session.script(
            f"CREATE TEMP TABLE IF NOT EXISTS {stage} (n integer, {columns}) ON COMMIT DELETE ROWS"
        )
        rows = Rows((Field("n", int4(numbers)), *_fields(part)), part.num_rows)
        await self.session.copy_in(None, stage, rows.columns, Stream(rows, self.workers))

    async def _compare(self, part: Frame) -> tuple[Indices, Indices]:
        """Have the server say which of the staged rows are missing, and which have other values."""
        start, end = part.span_us
        missing, changed = await self.session.row(
            _comparison(self.tables, part.dimension), from_us(start), from_us(end), list(part.symbols)
        )
        return _indices(missing), _indices(changed)

    async def _replace(self, dimension: Dimension, changed: Indices) -> None:
        """Keep the former versions of changed rows, then give them their new values."""
        at: datetime = from_us(self.origin.since_us)
        chosen = changed.tolist()
        await self.session.change(_retirement(self.tables, dimension), chosen, at)
        origin = self.origin
        values = (origin.source, origin.ingest_id, origin.revision, at)
        await self.session.change(_replacement(self.tables, dimension), chosen, *values)


def _fields(frame: Frame) -> list[Field]:
    table = frame.to_arrow()
    return [_field(name, table.column(name).chunk(0)) for name in frame.dimension.columns]


def _field(name: str, array: pa.Array) -> Field:
    """A column; one that is null throughout, or one text throughout, is the same field in all rows."""
    if array.null_count == len(array):
        return Field(name, constant(None))
    if pa.types.is_string(array.type):
        text = _only_text(array)
        if text is not None:
            return Field(name, constant(text))
    return Field(name, array)


def _only_text(array: pa.Array) -> str | None:
    text = constant_text(array)
    return None if text is None else text.decode()


def _indices(packed: bytes | None) -> Indices:
    """Row numbers from `int4send` of each, in one piece."""
    found: npt.NDArray[Any] = np.frombuffer(packed or b"", dtype=">i4")
    return found.astype(np.int64)


def _comparison(tables: Tables, dimension: Dimension) -> str:
    """Numbers of the staged rows that are not stored, and of those with other values, each in one piece."""
    return f"""
        SELECT string_agg(int4send(i.n), '') FILTER (WHERE s.ts IS NULL),
               string_agg(int4send(i.n), '') FILTER (WHERE s.ts IS NOT NULL)
        FROM {tables.stage(dimension)} i LEFT JOIN (
            SELECT {names(dimension.columns)} FROM {tables.rows(dimension)}
            WHERE ts BETWEEN $1 AND $2 AND {quoted(dimension.partition_column)} = ANY($3::text[])
        ) s ON {same_key(dimension, "i", "s")}
        WHERE s.ts IS NULL OR {other_values(dimension, "i", "s")}
    """  # noqa: S608


def _retirement(tables: Tables, dimension: Dimension) -> str:
    kept = names(dimension.columns + ORIGIN)
    return f"""
        INSERT INTO {tables.revisions(dimension)} ({kept}, replaced_at)
        SELECT {names(dimension.columns + ORIGIN, "s")}, $2
        FROM {tables.stage(dimension)} i JOIN {tables.rows(dimension)} s ON {same_key(dimension, "i", "s")}
        WHERE i.n = ANY($1::integer[])
    """  # noqa: S608


def _replacement(tables: Tables, dimension: Dimension) -> str:
    columns = dimension.columns + ORIGIN
    updates = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in dimension.values + ORIGIN)
    return f"""
        INSERT INTO {tables.rows(dimension)} ({names(columns)})
        SELECT {names(dimension.columns, "i")}, $2, $3, $4::bigint, $5
        FROM {tables.stage(dimension)} i WHERE i.n = ANY($1::integer[])
        ON CONFLICT ({names(dimension.key)}) DO UPDATE SET {updates}
    """  # noqa: S608
