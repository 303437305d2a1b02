"""One moment of the store, read piece by piece: what is asked of it, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import msgspec

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.values import python_of
from backbone.store.records import Query

__all__ = ["PART_ROWS", "PageSums", "Part", "PartFacts", "PartPage", "Parts", "Period", "Snapshot", "key_behind"]

PART_ROWS = 65_536
"""Rows of one page of a part, at most."""

Period = Literal["day", "month", "year", "all"]
"""How much time one part spans, in UTC."""

_MICROSECOND = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)


class Snapshot(msgspec.Struct, frozen=True):
    """One moment, which stands still until it is closed.

    Attributes:
        name: by which it is asked for.
        position: the newest outbox position that it includes.
        drops: how often rows had been dropped by then.
        generation: which database this is, and of a server in which of its lives.
        readers: so many parts may be read at once.
        level: entries of the ledger beyond it may be of later; those up to it are not.
    """

    name: str
    position: int
    drops: int
    generation: str
    readers: int
    level: int = 0


class Part(msgspec.Struct, frozen=True):
    """Rows of one dimension that go together.

    Attributes:
        dimension: of the rows.
        symbol: of all of them (or the calendar); None: of whichever.
        start: first moment, inclusive; None is open.
        end: last moment, inclusive; None is open.
    """

    dimension: Dimension
    symbol: str | None
    start: datetime | None
    end: datetime | None

    @property
    def query(self) -> Query:
        """The same rows, as a query."""
        return Query(self.dimension, () if self.symbol is None else (self.symbol,), start=self.start, end=self.end)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are not the same in all rows."""
        same = None if self.symbol is None else self.dimension.partition_column
        return tuple(name for name in self.dimension.columns if name != same)


class Parts(msgspec.Struct, frozen=True):
    """Which rows, and into which parts they are cut.

    Attributes:
        dimension: of the rows.
        symbols: symbols (or calendars), empty is all.
        start: first moment, inclusive; None is open.
        end: last moment, inclusive; None is open.
        period: the time that a part spans.
        by_symbol: whether each symbol has parts of its own.
    """

    dimension: Dimension
    symbols: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    period: Period = "day"
    by_symbol: bool = True

    def __post_init__(self) -> None:
        """Refuse what no store could make sense of.

        Raises:
            TypeError, ValueError: says what was given, and what is allowed.
        """
        if self.period not in get_args(Period):
            raise ValueError(f"period={self.period!r} given; allowed: {', '.join(get_args(Period))}")
        arguments.flag("by_symbol", self.by_symbol)
        _ = self.query

    @property
    def query(self) -> Query:
        """All the rows, as a query."""
        return Query(self.dimension, self.symbols, start=self.start, end=self.end)

    def part(self, symbol: str | None, begin: datetime | None) -> Part:
        """The part of a period that begins then, within the bounds of all."""
        if begin is None:
            return Part(self.dimension, symbol, self.start, self.end)
        start, end = begin, _last_of(self.period, begin)
        start = start if self.start is None else max(start, self.start)
        return Part(self.dimension, symbol, start, end if self.end is None else min(end, self.end))


class PartFacts(msgspec.Struct, frozen=True):
    """A part that has rows.

    Attributes:
        part: which.
        rows: how many it has.
        earliest: moment of its first row.
        latest: moment of its last row.
        version: another text as soon as a row of it was written, changed or deleted: their number, the newest and the
            sum of their revisions, and where a restored database would give these anew, a hash of their values.
    """

    part: Part
    rows: int
    earliest: datetime
    latest: datetime
    version: str


class PartPage(msgspec.Struct, frozen=True):
    """Some rows of a part in canonical order, and whether there are more behind them."""

    frame: Frame
    more: bool


class PageSums(msgspec.Struct, frozen=True):
    """How many rows a page has, and a hash of each of its part's columns; see `Store.sum_part`."""

    rows: int
    hashes: Mapping[str, bytes]


def key_behind(frame: Frame) -> tuple[object, ...]:
    """The key of the last row, behind which the next page begins."""
    table, last = frame.to_arrow(), frame.num_rows - 1
    return tuple(python_of(table.column(name).slice(last))[0] for name in frame.dimension.key)


def _last_of(period: Period, begin: datetime) -> datetime:
    """The last moment of the period that begins then."""
    if period == "day":
        return _LAST if begin.date() == _LAST.date() else begin + timedelta(days=1) - _MICROSECOND
    year, month = (begin.year + begin.month // 12, begin.month % 12 + 1) if period == "month" else (begin.year + 1, 1)
    return _LAST if year > _LAST.year else begin.replace(year=year, month=month) - _MICROSECOND
