"""How fresh the rows of a run are, where that says something of its source: of who is asked for the newest there is."""

from __future__ import annotations

from datetime import datetime

from backbone.domain.clock import from_us
from backbone.domain.frame import Frame
from backbone.ingest.plan import IngestPlan
from backbone.quality.ageing import with_freshness
from backbone.quality.coverage import series
from backbone.quality.freshness_rules import FreshnessRules
from backbone.quality.instruments import Instruments
from backbone.quality.report import QualityReport
from backbone.settings import Settings
from backbone.sources.port import ProviderSource, Source

__all__ = ["Ageing"]


class Ageing:
    """Notes how far the series of a run go. A file is of any age, and so is what is asked for up to a past moment.

    Args:
        source: of the run.
        plan: of the run.
        now: when it begins.
        settings: limits and thresholds.
        instruments: the calendars.
    """

    def __init__(
        self, source: Source, plan: IngestPlan, now: datetime, settings: Settings, instruments: Instruments
    ) -> None:
        self.settings = settings
        self._rules = FreshnessRules(settings, instruments)
        self._plan = plan
        self._asks_for_the_newest = isinstance(source, ProviderSource) and (plan.end is None or plan.end >= now)
        self._newest: dict[tuple[str, str | None], datetime] = {}

    def saw(self, frame: Frame) -> None:
        """Rows came."""
        if not self._asks_for_the_newest or not frame.num_rows:
            return
        stamps = frame.column("ts")
        for one in series(frame):
            key = (one.symbol, one.interval or self._plan.interval)
            newest = from_us(int(stamps[one.last - 1].astype("int64")))
            self._newest[key] = max(newest, self._newest.get(key, newest))

    def judged(self, report: QualityReport, now: datetime) -> QualityReport:
        """The judgement on the rows of the run, given how old they are now."""
        found = [
            self._rules.of(self._plan.dimension, symbol, newest, now, interval)
            for (symbol, interval), newest in self._newest.items()
        ]
        chosen = self.settings.quality
        return with_freshness(report, found, warn_score=chosen.warn_score, fail_score=chosen.fail_score)
