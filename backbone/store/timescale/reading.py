"""Read rows, and say what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.store.records import Coverage, Query, ReadResult
from backbone.store.sql import quoted
from backbone.store.timescale.columns import moments, table_of
from backbone.store.timescale.outbox import HORIZON
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.selecting import Selection, checked
from backbone.store.timescale.session import READ, Session
from backbone.store.timescale.values import moment

__all__ = ["PAGE_ROWS", "Reading"]

PAGE_ROWS = 65_536
"""Rows of one answer: some megabytes, which the loop takes in within milliseconds."""


class Reading(Part):
    """Rows, and what is stored of them."""

    @question
    async def read(self, session: Session, query: Query) -> ReadResult:
        """Rows in canonical order and the position they include, both of one moment."""
        selection, workers = Selection(self._tables, checked(query)), self._workers
        selection.page(None, 1)  # whatever is wrong with the query is said before anything is asked
        pages: list[pa.Table] = []
        async with session.transaction(READ):
            position, complete = await _position(session, query)
            after: Sequence[object] | None = None
            while True:
                statement = selection.page(after, PAGE_ROWS)
                answer = await session.row(statement, *selection.values)
                if answer[0] or not pages:
                    pages.append(
                        await workers.run(answer[0], table_of, query.dimension, selection.known, tuple(answer))
                    )
                if answer[0] < PAGE_ROWS:
                    break
                after = _last_key(query.dimension, pages[-1])
        rows = sum(page.num_rows for page in pages)
        frame = await workers.run(rows, _frame, query.dimension, pages)
        return ReadResult(frame, position, complete)

    @question
    async def coverage(self, session: Session, dimension: Dimension, as_of: datetime | None = None) -> list[Coverage]:
        """Rows, earliest and latest moment per symbol and interval."""
        interval = '"interval"' if dimension.has_interval else "NULL::text"
        until = "" if as_of is None else "WHERE ts <= $1"
        found = await session.fetch(
            f"""
            SELECT {quoted(dimension.partition_column)}, {interval}, count(*), min(ts), max(ts)
            FROM {self._tables.rows(dimension)} {until} GROUP BY 1, 2 ORDER BY 1, 2
            """,  # noqa: S608
            *([] if as_of is None else [moment(as_of)]),
        )
        return [
            Coverage(dimension, symbol, interval, rows, earliest=earliest, latest=latest)
            for symbol, interval, rows, earliest, latest in found
        ]

    @question
    async def stamps(
        self,
        session: Session,
        dimension: Dimension,
        symbol: str,
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> npt.NDArray[np.datetime64]:
        """Distinct moments, ascending."""
        selection = Selection(self._tables, checked(Query(dimension, (symbol,), interval, start, end)))
        statement = selection.moments()
        found: npt.NDArray[np.datetime64] = moments(await session.value(statement, *selection.values)).view(
            "datetime64[us]"
        )
        return found


def _frame(dimension: Dimension, pages: list[pa.Table]) -> Frame:
    return Frame.from_arrow(dimension, pa.concat_tables(pages))


def _last_key(dimension: Dimension, page: pa.Table) -> list[object]:
    last = page.num_rows - 1
    return [page.column(name)[last].as_py() for name in dimension.key]


async def _position(session: Session, query: Query) -> tuple[int, int | None]:
    """The newest position seen, and up to where nothing is missing.

    Changes of one symbol become visible in the order of their positions. Those of several need not: one of a smaller
    position may still be under way, but none below the horizon.
    """
    newest, horizon = await session.row(
        f"""
        SELECT coalesce(max(position), 0), {HORIZON} FROM telemetry.positions
        WHERE dimension = $1 AND ($2::text[] = '{{}}' OR symbol = ANY($2::text[]))
        """,  # noqa: S608
        query.dimension.value,
        list(query.symbols),
    )
    return newest, None if len(query.symbols) == 1 or newest < horizon else horizon - 1
