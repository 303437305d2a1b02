"""Looks at cache, stream and schedule: what is told of them at each interval."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from actors import ChildNotFound, Reject
from backbone.cache.health import judge
from backbone.cache.messages import ReadCacheMetrics
from backbone.cache.port import CacheMetrics
from backbone.calls import Calls
from backbone.domain.status import Status
from backbone.ingest.messages import IngestEnded
from backbone.ingest.schedule_messages import ReadSchedule
from backbone.ingest.schedule_state import ScheduleState
from backbone.operations.telemetry.events import Component, KafkaLag
from backbone.operations.telemetry.judging import kafka_lag, kafka_readiness, lag_component
from backbone.operations.telemetry.telling import Told, of_schedule
from backbone.operations.telemetry.topics import CACHE, CACHE_HEALTH, KAFKA_LAG, KAFKA_READINESS
from backbone.quality.freshness_rules import FreshnessRules
from backbone.quality.health import DimensionHealth, dimension_health
from backbone.settings import Settings
from backbone.settings.backends import TIERS
from backbone.store.messages import ReadLatest
from backbone.stream.child import CONSUMER, TOPICS
from backbone.stream.messages import ProbeStream, ReadLag

__all__ = ["Looks"]

_TIMEOUT = 5.0
_RELAY = "stream/relay"
_SCHEDULER = "scheduler"


class Looks:
    """Asks the parts of a backbone.

    Args:
        calls: where they are.
        settings: what is expected of them, and what is told.
    """

    def __init__(self, calls: Calls, settings: Settings) -> None:
        self._calls = calls
        self._rules = FreshnessRules(settings)
        self.settings = settings

    async def all(self, at: datetime) -> list[Told]:
        """What is to be told of cache, schedule and stream."""
        told = [*await self._cache(), *await self._schedule(at)]
        if self.settings.stream.backend == "kafka":
            told += await self._kafka(at)
        return told

    async def health_of(self, event: IngestEnded, at: datetime) -> DimensionHealth | None:
        """Whether a run brought what was due, by what is stored now; None: it was not to, or nobody says.

        Args:
            event: the end of a run.
            at: the moment it is judged at.
        """
        run, plan = event.run, event.plan
        names = () if run is None else tuple(dict.fromkeys((*plan.symbols, *run.symbols)))
        if run is None or plan.path is not None or (plan.end is not None and plan.end < at) or not names:
            return None
        try:
            await self._rules.instruments.load(names, judging=True)
            stored = await self._calls.ask("store", ReadLatest(plan.dimension, names), _TIMEOUT)
        except Reject:
            return None
        wanted = [each for each in stored if plan.interval is None or each.interval in (None, plan.interval)]
        found = [self._rules.of(plan.dimension, each.symbol, each.ts, at, each.interval) for each in wanted]
        absent = {each.upper() for each in names} - {each.symbol.upper() for each in wanted}
        found += [self._rules.of(plan.dimension, name, None, at) for name in names if name.upper() in absent]
        return dimension_health(
            plan.dimension, rows=run.taken, expected=plan.symbols, observed=run.symbols, freshness=found
        )

    async def _cache(self) -> list[Told]:
        metrics: CacheMetrics | None = None
        with suppress(Reject):  # which says what is told of a cache without counters
            metrics = await self._calls.ask("cache", ReadCacheMetrics(), _TIMEOUT)
        cache = self.settings.cache
        expected = bool(cache.required) or "cache" in TIERS.get(self.settings.tier or "", ())
        told = [Told(CACHE_HEALTH, judge(metrics, expected=expected), cache.backend)]
        return told if metrics is None else [Told(CACHE, metrics, metrics.namespace), *told]

    async def _schedule(self, at: datetime) -> list[Told]:
        """How the schedule is, where there is one: that it is late, it can't tell by itself."""
        if not self.settings.schedule.enabled:
            return []
        state: ScheduleState | None = None
        with suppress(Reject):
            state = await self._calls.ask(_SCHEDULER, ReadSchedule(), _TIMEOUT)
        return [of_schedule(state, at)]

    async def _kafka(self, at: datetime) -> list[Told]:
        lag = await self._lag(at)
        components = [await self._connection(), self._said("topics", TOPICS), self._said("publishers", _RELAY)]
        components.append(lag_component(None if lag is None else lag.total_lag, self.settings.telemetry))
        told = [Told(KAFKA_READINESS, kafka_readiness(components), "kafka")]
        return told if lag is None else [Told(KAFKA_LAG, lag, "kafka"), *told]

    async def _lag(self, at: datetime) -> KafkaLag | None:
        """How far subscriptions are behind; None: there are none, or Kafka does not say."""
        if not self.settings.stream.consume:
            return None
        try:
            partitions = await self._calls.ask(CONSUMER, ReadLag(), _TIMEOUT)
        except Reject:  # which the connection's own line says
            return None
        return kafka_lag(partitions, at) if partitions else None

    async def _connection(self) -> Component:
        try:
            answer = await self._calls.ask(_RELAY, ProbeStream(), _TIMEOUT)
        except Reject as reject:
            return Component(name="connection", status=Status.FAILED, why=reject.text)
        status = Status.OK if answer.healthy else Status.FAILED
        return Component(name="connection", status=status, why=answer.degraded_reason or "")

    def _said(self, name: str, path: str) -> Component:
        """How the actor at a path is, as it says itself."""
        try:
            health = self._calls.ref(path).health
        except ChildNotFound:
            return Component(name=name, status=Status.FAILED, why=f"{path} is being restarted")
        return Component(name=name, status=Status.parse(health.level), why=health.why)
