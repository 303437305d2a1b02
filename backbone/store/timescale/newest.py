"""Where the newest rows were last found: a bound by which the server passes over everything older.

To find the newest 500 trades, the planner looks at every chunk there is before the first row is read. With a moment
from which on 500 were found before it looks at the newest chunk alone. The bound changes no answer: where there are not
enough rows after it, the question is put again without.

What is asked again and again, the newest bar of a symbol above all, becomes a statement of its own, without parameters:
the server plans it once. Planning takes most of the time of such a question otherwise. Only a few are, for each holds
a plan on each connection.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from backbone.domain.frame import Frame
from backbone.store.records import Query

__all__ = ["Newest", "Standing"]

_MOST_QUERIES = 1024
_MOST_SYMBOLS = 16
_MOST_STANDING = 32
_OFTEN = 3
_BEHIND = timedelta(days=1)
"""A bound so far behind the rows that are found may have the server look at more than one chunk."""


class Standing(NamedTuple):
    """A statement for one question, with everything in it; the columns of which it knows the one text; its bound."""

    statement: str
    known: dict[str, str]
    since: datetime


class Newest:
    """The earliest moments of the last answers to questions for the newest rows, a bounded number of them."""

    def __init__(self) -> None:
        self._since: dict[Query, datetime] = {}
        self._asked: OrderedDict[Query, int] = OrderedDict()
        self._standing: dict[Query, Standing] = {}

    def since(self, query: Query) -> datetime | None:
        """The moment from which on there were enough rows; None: nobody knows."""
        return self._since.get(query)

    def standing(self, query: Query) -> Standing | None:
        """The statement that was kept for a question."""
        return self._standing.get(query)

    def is_asked_often(self, query: Query) -> bool:
        """Take note that it is asked; says whether a statement of its own is worth while."""
        if query.limit is None or len(query.symbols) != 1:
            return False
        times = self._asked[query] = self._asked.get(query, 0) + 1
        self._asked.move_to_end(query)
        if len(self._asked) > _MOST_STANDING:
            self._standing.pop(self._asked.popitem(last=False)[0], None)
        return times >= _OFTEN

    def keep(self, query: Query, standing: Standing) -> None:
        """Keep a statement for a question that is asked often."""
        self._standing[query] = standing

    def found(self, query: Query, frame: Frame) -> None:
        """Remember an answer."""
        if query.limit is None or len(query.symbols) > _MOST_SYMBOLS:
            return
        self._since.pop(query, None)  # what was asked last stands last
        if frame.num_rows < max(1, query.limit):
            self._standing.pop(query, None)
            return
        earliest = frame.start
        if earliest is None:
            return
        standing = self._standing.get(query)
        if standing is not None and earliest - standing.since > _BEHIND:
            del self._standing[query]
        self._since[query] = earliest
        if len(self._since) > _MOST_QUERIES:
            del self._since[next(iter(self._since))]
