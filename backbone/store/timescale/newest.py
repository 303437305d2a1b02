"""Where the newest rows were last found: a bound by which the server passes over everything older.

To find the newest 500 trades, the planner looks at every chunk there is before the first row is read. With a moment
from which on 500 were found before it looks at the newest chunk alone. The bound changes no answer: where there are not
enough rows after it, the question is put again without.
"""

from __future__ import annotations

from datetime import datetime

from backbone.domain.frame import Frame
from backbone.store.records import Query

__all__ = ["Newest"]

_MOST_QUERIES = 1024
_MOST_SYMBOLS = 16


class Newest:
    """The earliest moments of the last answers to questions for the newest rows, a bounded number of them."""

    def __init__(self) -> None:
        self._since: dict[Query, datetime] = {}

    def since(self, query: Query) -> datetime | None:
        """The moment from which on there were enough rows; None: nobody knows."""
        return self._since.get(query)

    def found(self, query: Query, frame: Frame) -> None:
        """Remember an answer."""
        self._since.pop(query, None)  # what was asked last stands last
        if query.limit is None or len(query.symbols) > _MOST_SYMBOLS or frame.num_rows < max(1, query.limit):
            return
        earliest = frame.start
        if earliest is not None:
            self._since[query] = earliest
        if len(self._since) > _MOST_QUERIES:
            del self._since[next(iter(self._since))]
