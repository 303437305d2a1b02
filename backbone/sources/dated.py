"""Times that are dates alone where a time of day is needed: it stands in another column, or the bars are daily."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from backbone.domain import Dimension
from backbone.domain.clock import INTERVALS, parse_interval

__all__ = ["needs_time_of_day", "refuse_shared_dates"]

_OF_A_MOMENT: Final = frozenset({Dimension.INTRADAY_BARS, Dimension.TRADES, Dimension.QUOTES, Dimension.ORDER_BOOK})
_DAY: Final = timedelta(days=1)


def needs_time_of_day(dimension: Dimension, interval: str | None) -> bool:
    """Whether rows mean nothing by their date alone: bars of a day or more do, and events of the calendar.

    Args:
        dimension: of the rows.
        interval: of all of them; None: they have none, or each its own.
    """
    length = timedelta() if interval is None else INTERVALS[parse_interval(interval)]
    return dimension in _OF_A_MOMENT and length is not None and length < _DAY


def refuse_shared_dates(rows: Iterable[tuple[str, ...]], dimension: Dimension) -> None:
    """Refuse dates that several rows of one series share: all of a day would lie on its midnight.

    Args:
        rows: for each the date and what else tells its series from others.
        dimension: what the rows are.

    Raises:
        ValueError: there are such; says what is needed.
    """
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        if row in seen:
            raise ValueError(
                f"times that are dates alone, of which several rows have {row[0]!r}, while {dimension} need the time "
                'of day; join the column that has it (--columns "Date+Hour=ts"), read daily bars as such (--dimension '
                "daily_bars), or say that midnight is meant (--time-format %Y-%m-%d)"
            )
        seen.add(row)
