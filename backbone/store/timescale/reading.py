"""Read rows, and say what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.stored import one_chunk
from backbone.store.records import Coverage, Query, ReadResult
from backbone.store.sql import quoted
from backbone.store.timescale.columns import table_of
from backbone.store.timescale.newest import Newest
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.selecting import Selection, checked
from backbone.store.timescale.session import READ, Session
from backbone.store.timescale.values import moment, plain

__all__ = ["PAGE_ROWS", "Reading"]

PAGE_ROWS = 65_536
"""Rows of one answer: some megabytes, which the loop takes in within milliseconds."""

_FEW_ROWS = 8_192
"""So many are asked for by one statement where nobody knows how many there are; where there are more, for little."""


class Reading(Part):
    """Rows, and what is stored of them."""

    _newest: Newest

    @question
    async def read(self, session: Session, query: Query) -> ReadResult:
        """Rows in canonical order and the position they include, both of one moment."""
        selection = Selection(self._tables, checked(query))
        since = self._newest.since(query)
        found = await self._few(session, selection, since)
        if since is not None and (found is None or found.frame.num_rows < (query.limit or 0)):
            found = await self._few(session, selection, None)
        if found is None:
            found = await self._many(session, selection)
        self._newest.found(query, found.frame)
        return found

    async def _few(self, session: Session, selection: Selection, since: datetime | None) -> ReadResult | None:
        """By one statement, which sees one moment by itself; None: there are more rows than it may give."""
        limit = selection.query.limit
        size = _FEW_ROWS if limit is None or limit > PAGE_ROWS else limit
        newest, horizon, *answer = await session.row(selection.page_and_position(size, since), *selection.values)
        if answer[0] == size and size != limit:
            return None
        return await self.result_of(selection.query.dimension, selection.known, newest, horizon, answer)

    async def _many(self, session: Session, selection: Selection) -> ReadResult:
        """Page by page, in a transaction that sees one moment."""
        pages: list[pa.Table] = []
        async with session.transaction(READ):
            statement = selection.position()
            newest, horizon = await session.row(statement, *selection.values)
            after: Sequence[object] | None = None
            while True:
                statement = selection.page(after, PAGE_ROWS)
                answer = await session.row(statement, *selection.values)
                if answer[0] or not pages:
                    pages.append(await self._table(selection, answer))
                if answer[0] < PAGE_ROWS:
                    break
                after = _last_key(selection.query.dimension, pages[-1])
        return await self._framed(selection.query.dimension, newest, horizon, pages)

    async def _table(self, selection: Selection, answer: Sequence[Any]) -> pa.Table:
        return await self._workers.run(answer[0], table_of, selection.query.dimension, selection.known, tuple(answer))

    async def result_of(
        self, dimension: Dimension, known: dict[str, str], newest: int, horizon: int | None, answer: Sequence[Any]
    ) -> ReadResult:
        """What an answer to `packed` means, all of it."""
        page = await self._workers.run(answer[0], table_of, dimension, known, tuple(answer))
        return await self._framed(dimension, newest, horizon, [page])

    async def _framed(
        self, dimension: Dimension, newest: int, horizon: int | None, pages: list[pa.Table]
    ) -> ReadResult:
        """The frame, the newest position seen, and up to where nothing is missing.

        Changes of one symbol become visible in the order of their positions. Those of several need not: one of a
        smaller position may still be under way, but none below the horizon.
        """
        rows = 0 if len(pages) == 1 else sum(page.num_rows for page in pages)  # one is taken as it is
        frame = await self._workers.run(rows, _frame, dimension, pages)
        return ReadResult(frame, newest, None if horizon is None or newest < horizon else horizon - 1)

    @question
    async def coverage(
        self, session: Session, dimension: Dimension, as_of: datetime | None = None, *, symbols: Sequence[str] = ()
    ) -> list[Coverage]:
        """Rows, earliest and latest moment per symbol and interval."""
        interval = '"interval"' if dimension.has_interval else "NULL::text"
        condition, given = ["true"], list[object]()
        if as_of is not None:
            given.append(moment(as_of))
            condition.append(f"ts <= ${len(given)}")
        if symbols:
            given.append([plain("symbol", symbol) for symbol in symbols])
            condition.append(f"{quoted(dimension.partition_column)} = ANY(${len(given)}::text[])")
        found = await session.fetch(
            f"""
            SELECT {quoted(dimension.partition_column)}, {interval}, count(*), min(ts), max(ts)
            FROM {self._tables.rows(dimension)} WHERE {" AND ".join(condition)} GROUP BY 1, 2 ORDER BY 1, 2
            """,  # noqa: S608
            *given,
        )
        return [
            Coverage(dimension, symbol, interval, rows, earliest=earliest, latest=latest)
            for symbol, interval, rows, earliest, latest in found
        ]


def _frame(dimension: Dimension, pages: list[pa.Table]) -> Frame:
    if len(pages) == 1:
        return Frame.of_canonical(dimension, pages[0])
    table = pa.concat_tables(pages)
    columns = [one_chunk(each) for each in table.columns]
    return Frame.of_canonical(dimension, pa.Table.from_arrays(columns, schema=table.schema))


def _last_key(dimension: Dimension, page: pa.Table) -> list[object]:
    last = page.num_rows - 1
    return [page.column(name)[last].as_py() for name in dimension.key]
