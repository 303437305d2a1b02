"""Which rows of a source a plan wants, and why it does not want the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backbone.domain import Frame
from backbone.ingest.plan import IngestPlan

__all__ = ["chosen"]

_LISTED = 5


def chosen(frame: Frame, plan: IngestPlan) -> tuple[Frame, dict[str, int]]:
    """The rows that a plan wants, in their order, and how many were left out for which reason.

    A row that is left out for several reasons counts for the first of them.
    """
    left_out: dict[str, int] = {}
    for reason, limits in _limits(frame, plan):
        before = frame.num_rows
        frame = frame.select(**limits)
        if frame.num_rows < before:
            left_out[reason] = before - frame.num_rows
    return frame, left_out


def _limits(frame: Frame, plan: IngestPlan) -> Iterator[tuple[str, dict[str, Any]]]:
    if plan.symbols:
        named = {symbol.casefold() for symbol in plan.symbols}
        more = ", …" if len(plan.symbols) > _LISTED else ""
        reason = f"none of the symbols asked for: {', '.join(plan.symbols[:_LISTED])}{more}"
        yield reason, {"symbols": [symbol for symbol in frame.symbols if symbol.casefold() in named]}
    if plan.interval is not None:
        yield f"not of the interval asked for: {plan.interval}", {"interval": plan.interval}
    if plan.start is not None:
        yield f"before the start asked for: {plan.start.isoformat()}", {"start": plan.start}
    if plan.end is not None:
        yield f"behind the end asked for: {plan.end.isoformat()}", {"end": plan.end}
