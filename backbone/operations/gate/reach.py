"""How far the data of each symbol goes that somebody asked about, and what that says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from backbone.domain.dimension import Dimension
from backbone.domain.ipc import CodecError
from backbone.domain.status import Status
from backbone.operations.gate.verdict import Reason, of_freshness, reason
from backbone.quality.freshness import Freshness
from backbone.quality.freshness_rules import FreshnessRules
from backbone.settings.sections.gate import GateSettings
from backbone.store.records import Latest
from backbone.stream.last import Newest

__all__ = ["Reach"]

_FIRST_PAUSE = 0.5  # seconds until the store is asked again how far stale rows go, doubled each time


class Reach:
    """One symbol of one dimension. Of its intervals that counts which is freshest.

    Args:
        dimension: of the rows.
        asked: the symbol, as it was asked for.

    Attributes:
        asked: as given.
        symbol: as it is stored.
        newest: moment of the newest row that is known, by interval.
        fresh: how fresh its rows were when that was looked at last; None: it was not.
    """

    __slots__ = ("_asked_at", "_changed", "_past", "_pause", "asked", "dimension", "fresh", "newest", "symbol")

    def __init__(self, dimension: Dimension, asked: str) -> None:
        self.dimension = dimension
        self.asked = self.symbol = asked
        self.newest: dict[str | None, datetime] = {}
        self.fresh: Freshness | None = None
        self._changed = False
        self._asked_at: float | None = None
        self._pause = 0.0
        self._past: Mapping[str, object] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the store has said how far its rows go."""
        return self._asked_at is not None

    def is_due(self, time: float, now: datetime, eager: float, refresh: float) -> bool:
        """Whether the store is to be asked: soon, and then ever less often, where rows are stale; else now and then."""
        if self._asked_at is None:
            return True
        pause = max(eager, min(self._pause, refresh)) if self.is_doubtful(now) else refresh
        return time - self._asked_at >= pause

    def told(self, found: Iterable[Latest], time: float) -> None:
        """What the store has; what is known to be newer stays."""
        self._asked_at = time
        before = dict(self.newest)
        for each in found:
            self._note(each.interval, each.ts)
        self._pause = 0.0 if self.newest != before else 2 * self._pause or _FIRST_PAUSE

    def is_doubtful(self, then: datetime) -> bool:
        """Whether it is not fresh, or may be so no more at a moment."""
        found = self.fresh
        return found is None or found.level is not Status.OK or found.stale_at is None or then > found.stale_at

    def reasons(self, rules: FreshnessRules, settings: GateSettings, now: datetime) -> list[Reason]:
        """What its age says."""
        if self._asked_at is None:
            return reason(settings.unknown, "unknown", "the store has not said yet how far its rows go")
        if self.fresh is None or self._changed or (self.fresh.level is Status.OK and self.is_doubtful(now)):
            self.fresh, self._changed = self._freshest(rules, now), False
        return of_freshness(self.fresh, settings)

    def spell(self, symbol: str) -> None:
        """By this name it is stored; what is known of another one does not count."""
        if symbol != self.symbol:
            self.symbol, self.fresh = symbol, None
            self.newest.clear()

    def judge_anew(self) -> None:
        """What is known of its calendar may be otherwise by now."""
        self._changed = True

    def seen(self, newest: Newest) -> Mapping[str, object] | None:
        """What came by on the stream; None: nothing, or nothing that can be read, which its reader says."""
        try:
            return newest.row(self.dimension, self.symbol)
        except CodecError:
            return None

    def pass_over(self, row: Mapping[str, object] | None) -> None:
        """This row came by of a database that was set back since: it says nothing, until another one comes."""
        self._past = row

    def look_at(self, newest: Newest) -> None:
        """Take note of what came by on the stream."""
        row = self.seen(newest)
        if row is not None and row is not self._past:
            self._take(row)

    def _take(self, row: Mapping[str, object]) -> None:
        ts, interval = row["ts"], row.get("interval")
        if isinstance(ts, datetime):
            self._note(None if interval is None else str(interval), ts)

    def _note(self, interval: str | None, ts: datetime) -> None:
        if (before := self.newest.get(interval)) is None or before < ts:
            self.newest[interval], self._changed = ts, True

    def _freshest(self, rules: FreshnessRules, now: datetime) -> Freshness:
        found = [rules.of(self.dimension, self.symbol, ts, now, interval) for interval, ts in self.newest.items()]
        if not found:
            return rules.of(self.dimension, self.symbol, None, now)
        return min(found, key=lambda each: (each.level.severity, -_number(each.stale_at)))


def _number(moment: datetime | None) -> float:
    return float("inf") if moment is None else moment.timestamp()
