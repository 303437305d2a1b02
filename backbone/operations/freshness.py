"""How fresh all data is, as of one moment: the newest row of each symbol against the sessions of its market."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, markdown_table
from backbone.domain.status import Status
from backbone.quality.feeds import FeedAnomaly, feed_anomalies
from backbone.quality.freshness import Freshness
from backbone.quality.freshness_rules import FreshnessRules
from backbone.store.records import Latest

__all__ = ["FreshnessReport", "judge"]


class FreshnessReport(Report, frozen=True, kw_only=True):
    """How fresh each symbol and interval is, worst first.

    Attributes:
        status: the worst of the findings; unknown where nothing is stored.
        as_of: the moment that they are judged at.
        findings: see `backbone.quality.freshness`.
        anomalies: of feeds, worst first; see `backbone.quality.feeds`.
    """

    title: ClassVar[str] = "Freshness"

    status: Status
    as_of: datetime
    findings: tuple[Freshness, ...]
    anomalies: tuple[FeedAnomaly, ...] = ()

    def to_markdown(self) -> str:
        """A table of the findings, worst first."""
        headers = ("dimension", "symbol", "interval", "status", "newest", "due", "age s", "limit s", "why")
        rows = [
            (f.dimension, f.symbol, f.interval or "", f.level, f.newest, f.due, f.age_s, f.limit_s, f.why)
            for f in self.findings
        ]
        facts = f"- status: {self.status}\n- as of: {self.as_of.isoformat()}\n"
        text = f"{self.heading()}{facts}\n{markdown_table(headers, rows)}"
        if self.anomalies:
            wrong = [(a.code, a.severity, a.dimension, a.symbol, a.interval or "", a.message) for a in self.anomalies]
            text += f"\n{markdown_table(('anomaly', 'severity', 'dimension', 'symbol', 'interval', 'message'), wrong)}"
        return text


def judge(
    stored: Iterable[Latest],
    wanted: Iterable[tuple[Dimension, str]],
    rules: FreshnessRules,
    as_of: datetime,
    settings_hash: str,
) -> FreshnessReport:
    """Judge what is stored, and what is asked for and is not there.

    Args:
        stored: how far rows go; of dimensions with intervals, of each by itself.
        wanted: dimensions and symbols that should be there.
        rules: calendars and limits.
        as_of: the moment that they are judged at.
        settings_hash: of the settings.
    """
    rows = list(stored)
    there = {(each.dimension, each.symbol) for each in rows}
    series: list[tuple[Dimension, str, datetime | None, str | None]]
    series = [(each.dimension, each.symbol, each.ts, each.interval) for each in rows]
    series += [(dimension, symbol, None, None) for dimension, symbol in wanted if (dimension, symbol) not in there]
    found = [rules.of(dimension, symbol, ts, as_of, interval) for dimension, symbol, ts, interval in series]
    found.sort(key=lambda each: (-each.level.severity, each.dimension, each.symbol, each.interval or ""))
    feeds = ((rules.of_feed(of, symbol, ts, as_of, interval), None if ts else 0) for of, symbol, ts, interval in series)
    wrong = [anomaly for feed, count in feeds for anomaly in feed_anomalies(feed, count)]
    wrong.sort(key=lambda each: (each.severity != "critical", each.dimension, each.symbol, each.interval or ""))
    newest = [each.newest for each in found if each.newest is not None]
    return FreshnessReport(
        status=Status.worst(each.level for each in found),
        as_of=as_of,
        findings=tuple(found),
        anomalies=tuple(wrong),
        settings_hash=settings_hash,
        span_start=min(newest, default=None),
        span_end=max(newest, default=None),
    )
