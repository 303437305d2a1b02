"""What the settings want fetched, as a report: whether it runs, why not, and what belongs to it; never a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from backbone.domain.dimension import Dimension
from backbone.domain.report import Report, markdown_table
from backbone.ingest.market import NOTHING_KEEPS, planned_dimensions, reason_against
from backbone.quality.instruments import Instruments
from backbone.settings import Settings

__all__ = ["MarketReport", "market_report"]

_NOT_BUILT = "off: not built yet"
_KEYS = {"fred": "providers.fred.key"}
_WITHOUT = ("alpha_vantage", "news")
"""Providers of other systems that have no source here: none of their keys is read."""


class MarketReport(Report, frozen=True, kw_only=True):
    """What is wanted. Parts that are not built yet say "off".

    Attributes:
        should_run: whether it is fetched when it is asked for, and by schedule.
        reason: why not, or that nothing keeps it from running.
        dimensions: that are wanted.
        plan: by dimension, what is asked of whom.
        schedule, recovery, retention, spark_export, spark_stress, kafka_readiness: as set.
        backup, failover_drill, cross_region: not built yet.
        metadata: symbols, which keys are set and where they came from, calendars, what is stored, cache and stream.
    """

    title: ClassVar[str] = "Market plan"

    should_run: bool
    reason: str
    dimensions: tuple[Dimension, ...]
    plan: Mapping[str, Mapping[str, Any]]
    schedule: Mapping[str, Any]
    recovery: Mapping[str, Any]
    retention: Mapping[str, Any]
    spark_export: Mapping[str, Any]
    spark_stress: Mapping[str, Any]
    kafka_readiness: Mapping[str, Any]
    backup: str = _NOT_BUILT
    failover_drill: str = _NOT_BUILT
    cross_region: str = _NOT_BUILT
    metadata: Mapping[str, Any]

    def to_markdown(self) -> str:
        """The conclusion, then what is asked of whom."""
        parts = (
            *("schedule", "recovery", "retention", "kafka_readiness", "backup", "spark_export"),
            *("failover_drill", "spark_stress", "cross_region", "metadata"),
        )
        facts = [("should_run", self.should_run), ("reason", self.reason), *((n, getattr(self, n)) for n in parts)]
        plans = markdown_table(("dimension", "plan"), list(self.plan.items()))
        return f"{self.heading()}\n{plans}\n{markdown_table(('what', 'set'), facts)}"


def market_report(settings: Settings, stored: Mapping[Dimension, Sequence[str]] | None = None) -> MarketReport:
    """Put together what the settings say.

    Args:
        settings: all of them.
        stored: the symbols that are stored, by dimension; None: nobody looked.
    """
    reason = reason_against(settings)
    wanted = planned_dimensions(settings.market)
    telemetry, export = settings.telemetry, msgspec.to_builtins(settings.export)
    stress = export.pop("stress")
    retention = {each.value: msgspec.to_builtins(settings.retention.of(each)) for each in wanted}
    return MarketReport(
        should_run=not reason,
        reason=reason or NOTHING_KEEPS,
        dimensions=wanted,
        plan={dimension.value: _plan_of(settings, dimension) for dimension in wanted},
        schedule=msgspec.to_builtins(settings.schedule),
        recovery=msgspec.to_builtins(settings.recovery),
        retention=retention,
        spark_export=export,
        spark_stress=stress,
        kafka_readiness={"warn_lag": telemetry.warn_lag, "fail_lag": telemetry.fail_lag},
        metadata={**_metadata(settings, stored), "retention": retention},
        settings_hash=settings.hash,
    )


def _plan_of(settings: Settings, dimension: Dimension) -> dict[str, Any]:
    market = settings.market
    if dimension is Dimension.DAILY_BARS:
        return {"source": market.source, "symbols": list(market.symbols), "lookback_sessions": market.daily_lookback}
    if dimension is Dimension.INTRADAY_BARS:
        return {
            "source": market.source,
            "symbols": list(market.symbols),
            "interval": market.intraday_interval,
            "lookback_sessions": market.intraday_lookback,
        }
    if market.macro_events:
        return {"source": "inline", "provided_events": len(market.macro_events)}
    if market.macro_file is not None:
        return {"source": "file", "file": market.macro_file}
    if market.macro_start is not None:
        return {"source": market.macro_source, "start": market.macro_start, "end": market.macro_end}
    return {"source": market.macro_source, "lookback_days": market.macro_lookback}


def _metadata(settings: Settings, stored: Mapping[Dimension, Sequence[str]] | None) -> dict[str, Any]:
    market, cache, stream = settings.market, settings.cache, settings.stream
    instruments = Instruments(settings)
    return {
        "symbols": list(market.symbols),
        "api_keys": _api_keys(settings),
        "session_calendars": {name: instruments.of(name.upper()).calendar for name in market.symbols},
        "macro_calendars": list(market.macro_calendars),
        "symbol_inventory": {each.value: list(names) for each, names in (stored or {}).items()},
        "redis_cache_policy": {
            "backend": cache.backend,
            "ttl_seconds": cache.ttl,
            "max_keys": cache.capacity,
            "namespace": cache.namespace,
            "strategy": cache.strategy,
        },
        "kafka_topics": _topics(settings),
        "kafka_streaming_enabled": stream.backend == "kafka" and stream.consume,
        "record_runs": settings.ingest.record_runs,
        "backup": _NOT_BUILT,
    }


def _topics(settings: Settings) -> dict[str, str]:
    if settings.stream.backend != "kafka":
        return {}
    from backbone.stream.topics import Topics

    topics = Topics.of(settings.stream)
    return {each.value: name for each in Dimension if (name := topics.name(each)) is not None}


def _api_keys(settings: Settings) -> dict[str, dict[str, Any]]:
    """Which keys are set, and where each came from; never a key."""
    given = {"fred": settings.providers.fred.key is not None}
    found = {
        name: {"configured": given[name], "source": settings.origins.get(path, "default") if given[name] else None}
        for name, path in _KEYS.items()
    }
    return {**found, **{name: {"configured": False, "source": None} for name in _WITHOUT}}
