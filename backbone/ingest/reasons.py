"""Why rows of a run were not taken: a few distinct reasons, for the one who asks why nothing came."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backbone.domain import Frame
from backbone.ingest.plan import IngestPlan

__all__ = ["Reasons"]

_KEPT = 5


class Reasons:
    """Collects what a run leaves out.

    Args:
        plan: whose symbols and times leave rows out.
    """

    def __init__(self, plan: IngestPlan) -> None:
        self._plan = plan
        self._bad: dict[str, None] = {}
        self._symbols: dict[str, None] = {}
        self._start: datetime | None = None
        self._end: datetime | None = None
        self._left_out = False

    def bad(self, reasons: Iterable[str]) -> None:
        """Rows were kept aside."""
        for reason in reasons:
            if len(self._bad) >= _KEPT:
                return
            self._bad[reason] = None

    def saw(self, frame: Frame, wanted: Frame) -> None:
        """Of these rows the plan wants those; runs in a worker thread."""
        if wanted.num_rows or frame.start is None or frame.end is None:
            return
        self._left_out = True
        self._start = frame.start if self._start is None else min(frame.start, self._start)
        self._end = frame.end if self._end is None else max(frame.end, self._end)
        if len(self._symbols) <= _KEPT:
            self._symbols.update(dict.fromkeys(frame.symbols))

    def listed(self) -> tuple[str, ...]:
        """Reasons of bad rows, then why a part of the source was left out as a whole."""
        return (*self._bad, *([self._outside()] if self._left_out else []))

    def _outside(self) -> str:
        there = list(self._symbols)
        if self._plan.symbols and not {name.upper() for name in self._plan.symbols} & {name.upper() for name in there}:
            more = ", …" if len(there) > _KEPT else ""
            return f"the source has {', '.join(there[:_KEPT])}{more}; none of {', '.join(self._plan.symbols)}"
        span = f"{self._start:%Y-%m-%dT%H:%M:%SZ} to {self._end:%Y-%m-%dT%H:%M:%SZ}"
        return f"the source has rows from {span}; none within the times asked for"
