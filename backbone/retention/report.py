"""What retention found and did, judged as of a given moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, cell, markdown_table
from backbone.domain.status import Status

__all__ = ["RetentionDrop", "RetentionFinding", "RetentionReport"]


class RetentionFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol (and interval) of one dimension.

    Attributes:
        covered_sessions: sessions of the calendar, within the target, that have rows; of `expected_sessions`.
        covered_days: the target's days times the share of sessions covered, at most the history's.
        beyond_cap: rows older than the cap.
    """

    dimension: Dimension
    symbol: str
    interval: str | None
    status: Status
    message: str
    rows: int
    earliest: datetime
    latest: datetime
    covered_sessions: int
    expected_sessions: int
    covered_days: float
    beyond_cap: int


class RetentionDrop(msgspec.Struct, frozen=True, kw_only=True):
    """What was dropped of one dimension, or, in a dry run, would be.

    Attributes:
        before: rows from before this moment; None: none.
        rows: how many they were.
        kept: why rows beyond the cap are kept all the same; "" where none are.
    """

    dimension: Dimension
    before: datetime | None
    rows: int
    kept: str = ""


class RetentionReport(Report, frozen=True, kw_only=True):
    """All findings, worst first, after what was dropped.

    Attributes:
        status: the worst of the findings; failed where a coverage could not be read; unknown where nothing is stored.
        as_of: the moment that they are judged at.
        applied: whether rows were dropped and pruned; else it was a dry run.
        drops: dimensions with rows beyond the cap.
        pruned: published outbox rows and quarantined rows deleted, or, in a dry run, to be deleted.
        note: what the findings do not say.
    """

    title: ClassVar[str] = "Retention"

    status: Status
    as_of: datetime
    applied: bool
    findings: tuple[RetentionFinding, ...]
    drops: tuple[RetentionDrop, ...] = ()
    pruned: Mapping[str, int] = {}
    note: str = ""

    def to_markdown(self) -> str:
        """Tables of findings and drops, worst first."""
        headers = ("dimension", "symbol", "interval", "status", "rows", "earliest", "latest", "message", "beyond cap")
        rows = [
            (f.dimension, f.symbol, f.interval or "", f.status, f.rows, f.earliest, f.latest, f.message, f.beyond_cap)
            for f in self.findings
        ]
        facts = f"- status: {self.status}\n- as of: {self.as_of.isoformat()}\n- applied: {self.applied}\n"
        if self.pruned:
            done = "pruned" if self.applied else "to be pruned"
            facts += f"- {done}: " + ", ".join(f"{what} {count}" for what, count in self.pruned.items()) + "\n"
        if self.note:
            facts += f"- note: {cell(self.note)}\n"
        text = f"{self.heading()}{facts}\n{markdown_table(headers, rows)}"
        if self.drops:
            done = "dropped" if self.applied else "to be dropped"
            drops = [(d.dimension, d.before or "", d.rows, d.kept) for d in self.drops]
            text += f"\n{markdown_table(('dimension', 'before', f'rows {done}', 'kept because'), drops)}"
        return text
