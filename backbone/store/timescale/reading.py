"""Read rows, and say what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.stored import one_chunk
from backbone.domain.values import python_of
from backbone.store.records import Coverage, Query, ReadResult
from backbone.store.sql import quoted
from backbone.store.timescale.columns import table_of
from backbone.store.timescale.copied import Rows
from backbone.store.timescale.few_rows import MOST, cells_of
from backbone.store.timescale.newest import Newest, Standing
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.selecting import Selection, checked
from backbone.store.timescale.session import READ, Session
from backbone.store.timescale.values import NotPlain, moment, plain

__all__ = ["BY_INDEX", "PAGE_ROWS", "Reading", "complete_at", "frame_of_pages"]

PAGE_ROWS = 262_144
"""Rows of one answer: some megabytes, which the loop takes in within milliseconds."""

BY_INDEX = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"
"""Page after page is a walk along an index. The planner would sort all that is left for each, if it may."""

_FEW_ROWS = 8_192
_FEW_EVENTS = 2_048
"""So many are asked for by one statement where nobody knows how many there are; where there are more, for little.

Bars come by the thousand, trades and quotes by the ten thousand.
"""


class Reading(Part):
    """Rows, and what is stored of them."""

    _newest: Newest

    @question
    async def read(self, session: Session, query: Query) -> ReadResult:
        """Rows in canonical order and the position they include, both of one moment."""
        found = await self._standing(session, query)
        if found is None:
            selection = Selection(self._tables, checked(query))
            since = self._newest.since(query)
            found = await self._few(session, selection, since)
            if since is not None and (found is None or found.frame.num_rows < (query.limit or 0)):
                found = await self._few(session, selection, None)
            if found is None:
                found = await self._many(session, selection)
        self._newest.found(query, found.frame)
        return found

    async def _standing(self, session: Session, query: Query) -> ReadResult | None:
        """By a statement of its own, where a question is asked often; None: it has none, or that found too little."""
        if not self._newest.is_asked_often(query):
            return None
        standing = self._newest.standing(query) or self._stated(query)
        if standing is None:
            return None
        newest, horizon, *answer = await session.row(standing.statement)
        if answer[0] < (query.limit or 0):
            return None
        return await self.result_of(query.dimension, standing.known, newest, horizon, answer)

    def _stated(self, query: Query) -> Standing | None:
        """Make such a statement; None: it is not known from where on to look, or a value has to be a parameter."""
        since, limit = self._newest.since(query), query.limit
        if since is None or limit is None or limit > PAGE_ROWS:
            return None
        selection = Selection(self._tables, checked(query), written_out=True)
        try:
            standing = Standing(selection.page_and_position(limit, since), selection.known, since)
        except NotPlain:
            return None
        self._newest.keep(query, standing)
        return standing

    async def _few(self, session: Session, selection: Selection, since: datetime | None) -> ReadResult | None:
        """By one statement, which sees one moment by itself; None: there are more rows than it may give."""
        limit = selection.query.limit
        few = _FEW_EVENTS if "sequence" in selection.query.dimension.key else _FEW_ROWS
        size = few if limit is None or limit > PAGE_ROWS else limit
        newest, horizon, *answer = await session.row(selection.page_and_position(size, since), *selection.values)
        if answer[0] == size and size != limit:
            return None
        return await self.result_of(selection.query.dimension, selection.known, newest, horizon, answer)

    async def _many(self, session: Session, selection: Selection) -> ReadResult:
        """Page by page, in a transaction that sees one moment."""
        async with session.transaction(READ, first=BY_INDEX):
            newest, horizon = await session.row(selection.position(), *selection.values)
            pages = await self.pages_of(session, selection)
        return await self._framed(selection.query.dimension, newest, horizon, pages)

    async def pages_of(self, session: Session, selection: Selection) -> list[pa.Table]:
        """All rows, for who sees one moment; one page at least."""
        pages: list[pa.Table] = []
        after: Sequence[object] | None = None
        while True:
            page, rows = await self._page(session, selection, after)
            pages += page if rows or not pages else []
            if rows < PAGE_ROWS:
                return pages
            after = _last_key(selection.query.dimension, pages[-1])

    async def _page(
        self, session: Session, selection: Selection, after: Sequence[object] | None
    ) -> tuple[list[pa.Table], int]:
        """The next rows, and how many they are; fewer than `PAGE_ROWS` are the last."""
        written_out = replace(selection, written_out=True)
        try:
            statement = written_out.plain_page(after, PAGE_ROWS)
        except NotPlain:
            statement = selection.page(after, PAGE_ROWS)
            answer = await session.row(statement, *selection.values)
            return [await self._table(selection, answer)], answer[0]
        dimension, known = selection.query.dimension, written_out.known
        pieces: list[bytes] = []
        await session.copy_out(statement, pieces)
        tables = await self._workers.run(PAGE_ROWS, Rows(dimension, known).tables, pieces)
        return tables, sum(table.num_rows for table in tables)

    async def _table(self, selection: Selection, answer: Sequence[Any]) -> pa.Table:
        return await self._workers.run(answer[0], table_of, selection.query.dimension, selection.known, tuple(answer))

    async def result_of(
        self, dimension: Dimension, known: dict[str, str], newest: int, horizon: int | None, answer: Sequence[Any]
    ) -> ReadResult:
        """What an answer to `packed` means, all of it."""
        complete = complete_at(newest, horizon)
        cells = cells_of(dimension, known, answer) if answer[0] <= MOST else None
        if cells is not None:
            return ReadResult(Frame.of_cells(dimension, cells), newest, complete)
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
        frame = await self._workers.run(rows, frame_of_pages, dimension, pages)
        return ReadResult(frame, newest, complete_at(newest, horizon))

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


def complete_at(newest: int, horizon: int | None) -> int | None:
    """Up to where nothing is missing; None: up to the newest."""
    return None if horizon is None or newest < horizon else horizon - 1


def frame_of_pages(dimension: Dimension, pages: list[pa.Table]) -> Frame:
    """The frame of pages in canonical order."""
    if len(pages) == 1:
        return Frame.of_canonical(dimension, pages[0])
    table = pa.concat_tables(pages)
    columns = [one_chunk(each) for each in table.columns]
    return Frame.of_canonical(dimension, pa.Table.from_arrays(columns, schema=table.schema))


def _last_key(dimension: Dimension, page: pa.Table) -> list[object]:
    last = page.num_rows - 1
    return [python_of(page.column(name).slice(last))[0] for name in dimension.key]
