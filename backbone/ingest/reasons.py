"""Why rows of a run were not taken: a few distinct reasons for the one who asks, and how many rows each kind cost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from backbone.domain import Frame
from backbone.ingest.plan import IngestPlan

__all__ = ["Reasons"]

_KEPT: Final = 5
_MOST_KINDS: Final = 50
_REPEATED: Final = "another row with the same key came after it, and counts"
_UNTOLD: Final = "the source counts it, and gave neither the row nor a reason"
_OTHER: Final = "other reasons: backbone quarantine list has them"
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


class Reasons:
    """Collects what a run leaves out.

    Args:
        plan: whose symbols and times leave rows out.
    """

    def __init__(self, plan: IngestPlan) -> None:
        self._plan = plan
        self._bad: dict[str, None] = {}
        self._symbols: dict[str, None] = {}
        self._intervals: dict[str, None] = {}
        self._start: datetime | None = None
        self._end: datetime | None = None
        self._left_out = False
        self._kinds: Counter[str] = Counter()

    def bad(self, reasons: Iterable[str]) -> None:
        """Rows were kept aside."""
        for reason in reasons:
            if len(self._bad) < _KEPT:
                self._bad[reason] = None
            kind = _QUOTED.sub("…", reason)
            self._kinds[kind if kind in self._kinds or len(self._kinds) < _MOST_KINDS else _OTHER] += 1

    def left_out(self, filtered: Mapping[str, int], repeated: int, untold: int) -> None:
        """Good rows were not wanted, came again with their key, or were never given."""
        self._kinds.update(filtered)
        self._kinds.update({reason: rows for reason, rows in ((_REPEATED, repeated), (_UNTOLD, untold)) if rows})

    def counted(self) -> dict[str, int]:
        """How many rows were not taken for which reason, values in it left out, the most frequent first."""
        return dict(self._kinds.most_common())

    def saw(self, frame: Frame, wanted: Frame) -> None:
        """Of these rows the plan wants those; runs in a worker thread."""
        if wanted.num_rows or frame.start is None or frame.end is None:
            return
        self._left_out = True
        self._start = frame.start if self._start is None else min(frame.start, self._start)
        self._end = frame.end if self._end is None else max(frame.end, self._end)
        if len(self._symbols) <= _KEPT:
            self._symbols.update(dict.fromkeys(frame.symbols))
        if frame.dimension.has_interval:
            self._intervals.update(dict.fromkeys(frame.to_arrow().column("interval").unique().to_pylist()))

    def listed(self) -> tuple[str, ...]:
        """Reasons of bad rows, then why a part of the source was left out as a whole."""
        return (*self._bad, *([self._outside()] if self._left_out else []))

    def _outside(self) -> str:
        there = list(self._symbols)
        if self._plan.symbols and not {name.upper() for name in self._plan.symbols} & {name.upper() for name in there}:
            more = ", …" if len(there) > _KEPT else ""
            return f"the source has {', '.join(there[:_KEPT])}{more}; none of {', '.join(self._plan.symbols)}"
        if self._plan.interval and self._plan.interval not in self._intervals:
            return f"the source has {', '.join(self._intervals)}; none of {self._plan.interval}"
        span = f"{self._start:%Y-%m-%dT%H:%M:%SZ} to {self._end:%Y-%m-%dT%H:%M:%SZ}"
        return f"the source has rows from {span}; none within the times asked for"
