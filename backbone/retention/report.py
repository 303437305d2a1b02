"""What retention found, judged as of a given moment."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, markdown_table
from backbone.domain.status import Status

__all__ = ["RetentionFinding", "RetentionReport"]


class RetentionFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol (and interval) of one dimension.

    Attributes:
        covered_sessions: sessions of the calendar, within the target, that have rows; of `expected_sessions`.
        covered_days: the target's days times the share of sessions covered, at most the history's.
        beyond_cap: rows older than the cap: what enforcement would drop.
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


class RetentionReport(Report, frozen=True, kw_only=True):
    """All findings, worst first; `as_of` is the moment they are judged at, `applied` whether rows were dropped."""

    title: ClassVar[str] = "Retention"

    status: Status
    as_of: datetime
    applied: bool
    findings: tuple[RetentionFinding, ...]
    note: str = ""

    def to_markdown(self) -> str:
        """A table, worst first."""
        headers = ("dimension", "symbol", "interval", "status", "rows", "earliest", "latest", "message", "beyond cap")
        rows = [
            (f.dimension, f.symbol, f.interval or "", f.status, f.rows, f.earliest, f.latest, f.message, f.beyond_cap)
            for f in self.findings
        ]
        facts = f"- status: {self.status}\n- as of: {self.as_of.isoformat()}\n- applied: {self.applied}\n"
        return f"{self.heading()}{facts}\n{markdown_table(headers, rows)}"
