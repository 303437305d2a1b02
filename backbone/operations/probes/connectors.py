"""What a backbone with these settings consists of, part by part, and how each was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.ingest.market import reason_against
from backbone.operations.probes.endpoints import endpoints
from backbone.operations.probes.manifest import Connector, ConnectorsReport, Counted, Topic
from backbone.settings.starting import obstacles
from backbone.stream.topics import Topics

if TYPE_CHECKING:
    from actors import RosterEntry, RosterSnapshot
    from backbone.cache.port import CacheMetrics
    from backbone.operations.probes.connectivity import ConnectivityReport, Probe
    from backbone.settings import Settings
    from backbone.stream.provisioned import Provisioned

__all__ = ["connectors"]


def connectors(
    settings: Settings,
    connectivity: ConnectivityReport | None,
    *,
    roster: RosterSnapshot | None = None,
    base: str = "",
    metrics: CacheMetrics | None = None,
    provisioned: Provisioned | None = None,
) -> ConnectorsReport:
    """Put together what the settings say and what was observed.

    Args:
        settings: of the backbone.
        connectivity: its probes; None: nobody was asked.
        roster: of the running one; None: none runs.
        base: path of the backbone in that roster.
        metrics: of its cache; None: nobody counted.
        provisioned: what came of looking for topics, where somebody did.
    """
    entries = {} if roster is None else {each.path.removeprefix(f"{base}/"): each for each in roster.entries}
    refused = [each.text for each in obstacles(settings)]
    probes = {} if connectivity is None else {each.name: each for each in connectivity.probes}
    healthy = {name: probe.healthy for name, probe in probes.items()}
    return ConnectorsReport(
        status=Status.UNKNOWN if connectivity is None else connectivity.status,
        store=healthy.get("store"),
        cache=healthy.get("cache"),
        stream=healthy.get("stream"),
        probes=tuple(probes.values()),
        running=roster is not None,
        should_run=not refused,
        reason="; ".join(refused) or "nothing in the settings keeps it from starting",
        dimensions=tuple(Dimension),
        topics=_topics(settings, entries, provisioned),
        schedule=_schedule(settings),
        manifest=_manifest(settings, probes, entries),
        consumer=_consumer(settings),
        caches={} if metrics is None else {metrics.namespace: _counted(metrics)},
        retention={dimension.value: _kept(settings, dimension) for dimension in Dimension},
        recovery=_recovery(settings),
        configuration={
            "profile": settings.profile,
            "tier": settings.tier or "none",
            "run_mode": settings.run_mode,
            "environment": settings.environment,
            "settings": settings.hash,
        },
        kafka_topic_provisioning=provisioned,
        settings_hash=settings.hash,
    )


def _counted(metrics: CacheMetrics) -> Counted:
    return Counted(hits=metrics.hits, misses=metrics.misses, hit_rate=metrics.hit_rate, keys=metrics.keys)


def _topics(
    settings: Settings, entries: Mapping[str, RosterEntry], provisioned: Provisioned | None
) -> tuple[Topic, ...]:
    if settings.stream.backend != "kafka":
        return ()
    topics = Topics.of(settings.stream)
    keeper = entries.get("stream/topics")
    found: Mapping[str, int] = ((keeper.detail if keeper is not None else None) or {}).get("partitions", {})
    if provisioned is not None:
        found = provisioned.partitions
    return tuple(_topic(topics, dimension, found) for dimension in Dimension)


def _topic(topics: Topics, dimension: Dimension, found: Mapping[str, int]) -> Topic:
    name = topics.name(dimension)
    if name is None:
        return Topic(dimension=dimension.value, name=None)
    return Topic(
        dimension=dimension.value,
        name=name,
        asked=topics.partitions(name),
        partitions=found.get(name),
        replication=topics.replication(name),
        config=dict(topics.config(name)),
    )


def _schedule(settings: Settings) -> Mapping[str, str]:
    retention = settings.retention
    every = f"every {retention.interval:g} s" if retention.interval else "never"
    return {
        "ingest": _ingest_schedule(settings),
        "upkeep": every,
        "retention": every if retention.enabled and settings.store.backend != "duckdb" else "never",
        "kill_switch": settings.kill_switch or "none",
    }


def _ingest_schedule(settings: Settings) -> str:
    chosen = settings.schedule
    if not chosen.enabled:
        return "never: schedule.enabled is false"
    reason = reason_against(settings)
    if reason:
        return f"never: {reason}"
    shut = ", not while every market is shut" if chosen.sessions else ""
    return f"every {chosen.interval:g} s, {chosen.jitter:g} s earlier or later{shut}"


def _kept(settings: Settings, dimension: Dimension) -> str:
    days = settings.retention.of(dimension)
    return f"target {days.target_days} days, at least {days.minimum}, dropped after {days.cap}"


def _consumer(settings: Settings) -> Mapping[str, str]:
    stream = settings.stream
    return {
        "consuming": "on" if stream.consume else "off",
        "begins": "with the next change, unless a subscriber says otherwise",
        "offsets": "in each update's resume token and in the store; no consumer group of Kafka's",
        "subscriptions": str(stream.subscriptions),
        "symbols": str(stream.subscription_symbols),
    }


def _recovery(settings: Settings) -> Mapping[str, str]:
    retention = settings.retention
    return {
        "outbox": f"{retention.outbox_hours} hours and {retention.outbox_bytes} bytes of published changes",
        "topics": "created when they are missing" if settings.stream.create_topics else "not created by themselves",
        "ingest": f"a run is begun again {settings.ingest.retries} times, and waits {settings.store.patience:g} s",
        "market": _tried_again(settings),
        "parts": f"restarted after {settings.supervision.backoff:g} s, then ever later up to "
        f"{settings.supervision.backoff_most:g} s",
    }


def _tried_again(settings: Settings) -> str:
    chosen = settings.recovery
    if not chosen.enabled:
        return "what a run missed is not tried again at once"
    times, back = chosen.max_attempts, chosen.lookback_multiplier
    return f"what a run missed is tried again {times} times, each {back:g} times as far back"


def _manifest(
    settings: Settings, probes: Mapping[str, Probe], entries: Mapping[str, RosterEntry]
) -> tuple[Connector, ...]:
    facts = _facts(settings)
    asked = [_asked(name, probes.get(name), facts[name], entries) for name in ("store", "cache", "stream")]
    configured = {"ingest": True, "retention": settings.retention.enabled, "control": settings.control.enabled}
    return (*asked, *(_seen(name, wanted, facts[name], entries) for name, wanted in configured.items()))


def _asked(name: str, probe: Probe | None, facts: Mapping[str, str], entries: Mapping[str, RosterEntry]) -> Connector:
    """A part that is probed, where it was."""
    configured, supervised = facts["backend"] != "off", name in entries
    if probe is None:
        return Connector(name=name, configured=configured, supervised=supervised, metadata=facts)
    return Connector(
        name=name,
        configured=configured,
        supervised=supervised,
        metadata={**facts, **probe.details},
        healthy=None if probe.status is Status.UNKNOWN else probe.healthy,
        error=probe.why or None,
        status=probe.status,
    )


def _seen(name: str, configured: bool, facts: Mapping[str, str], entries: Mapping[str, RosterEntry]) -> Connector:
    """A part without a server of its own: how its actor is, where one runs."""
    entry = entries.get(name)
    if entry is None:
        return Connector(name=name, configured=configured, supervised=False, metadata=facts)
    level = Status.parse(entry.health.level)
    running = entry.state in {"running", "degraded"}
    status = level if running else Status.FAILED
    return Connector(
        name=name,
        configured=configured,
        supervised=True,
        metadata=facts,
        healthy=status is not Status.FAILED,
        error=entry.health.why or (None if running else entry.last_error or f"it is in state {entry.state}"),
        status=status,
    )


def _facts(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    """What the settings say of each part."""
    places, cache, stream = endpoints(settings), settings.cache, settings.stream
    kafka = {
        "security_protocol": stream.effective_security_protocol,
        "client_id": stream.client_id,
        "acks": stream.acks,
        "compression": stream.compression,
        "create_topics": "on" if stream.create_topics else "off",
        "topics": str(len(Topics.of(stream).names)),
    }
    return {
        "store": {
            "backend": settings.store.backend,
            "endpoint": places["store"],
            "schema": settings.store.schema_name,
            "pool": f"{settings.store.pool_size} to {settings.store.pool_size + settings.store.max_overflow}",
        },
        "cache": {
            "backend": cache.backend,
            "endpoint": places["cache"],
            "namespace": cache.namespace,
            "ttl_s": "none" if cache.ttl is None else f"{cache.ttl:g}",
            "max_keys": "none" if cache.capacity is None else str(cache.capacity),
            "strategy": cache.strategy,
        },
        "stream": {
            "backend": stream.backend,
            "endpoint": places["stream"],
            **(kafka if stream.backend == "kafka" else {}),
        },
        "ingest": {"retries": str(settings.ingest.retries)},
        "retention": {"interval_s": f"{settings.retention.interval:g}"},
        "control": {"path": settings.control.path},
    }
