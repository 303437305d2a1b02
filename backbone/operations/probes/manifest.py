"""The manifest as a report: the parts of a backbone, what they go by, and how each was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from backbone.domain.report import Report, markdown_table
from backbone.domain.status import Status
from backbone.operations.probes.connectivity import Probe
from backbone.stream.provisioned import Provisioned

__all__ = ["Connector", "ConnectorsReport", "Counted", "Topic"]


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    """One part.

    Attributes:
        name: "store", "cache", "stream", "ingest", "retention", "control".
        configured: whether the settings want it.
        supervised: whether an actor of it runs.
        metadata: facts from the settings and from its answer, without secrets.
        healthy: whether it does its work; None: nobody was asked.
        error: why it is not ok, None where it is.
        status: of its answer, or of its actors.
    """

    name: str
    configured: bool
    supervised: bool
    metadata: Mapping[str, str] = {}
    healthy: bool | None = None
    error: str | None = None
    status: Status = Status.UNKNOWN


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """The topic of a dimension.

    Attributes:
        dimension: what it carries.
        name: of the topic; None: the dimension is not published.
        asked: partitions that it is created with.
        partitions: that it has; None: it is not there, or nobody looked.
        replication: copies asked for.
        config: asked for.
    """

    dimension: str
    name: str | None
    asked: int | None = None
    partitions: int | None = None
    replication: int | None = None
    config: Mapping[str, str] = {}


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache counted under one namespace."""

    hits: int
    misses: int
    hit_rate: float | None
    keys: int


class ConnectorsReport(Report, frozen=True, kw_only=True):
    """The manifest, the probes behind it, and what the parts go by.

    Attributes:
        status: the worst of all probes.
        store, cache, stream: whether each does its work now; None: it was not asked.
        probes: a round trip through each part; none where they were left out.
        running: whether a running backbone was asked; if not, each part was asked from here.
        should_run: whether a backbone with these settings starts.
        reason: why, or why not.
        dimensions: that it carries.
        topics: of the stream, empty where it has none.
        schedule: what is done by itself, and how often.
        manifest: the parts.
        consumer: how readers of the stream go on, by default.
        caches: hits and misses by namespace, empty where nobody counted.
        retention: days that are kept of each dimension.
        recovery: what a restart can count on.
        configuration: which settings these are.
        kafka_topic_provisioning: what came of looking for topics; None: nobody asked for it.
    """

    title: ClassVar[str] = "Connectors"

    status: Status
    store: bool | None
    cache: bool | None
    stream: bool | None
    probes: tuple[Probe, ...]
    running: bool
    should_run: bool
    reason: str
    dimensions: tuple[str, ...]
    topics: tuple[Topic, ...] = ()
    schedule: Mapping[str, str] = {}
    manifest: tuple[Connector, ...] = ()
    consumer: Mapping[str, str] = {}
    caches: Mapping[str, Counted] = {}
    retention: Mapping[str, str] = {}
    recovery: Mapping[str, str] = {}
    configuration: Mapping[str, str] = {}
    kafka_topic_provisioning: Provisioned | None = None

    def to_markdown(self) -> str:
        """The conclusion, then each part of it as a table."""
        facts = [(name, getattr(self, name)) for name in ("status", "running", "should_run", "reason", "dimensions")]
        probes = [(p.name, p.status, p.backend, p.latency_ms, p.why, p.action) for p in self.probes]
        parts = [(c.name, c.configured, c.supervised, c.status, c.healthy, c.error, c.metadata) for c in self.manifest]
        topics = [(t.dimension, t.name, t.asked, t.partitions, t.replication, t.config) for t in self.topics]
        caches = [(name, c.hits, c.misses, c.hit_rate, c.keys) for name, c in self.caches.items()]
        sections: list[tuple[str, tuple[str, ...], Sequence[Sequence[object]]]] = [
            ("", ("what", "observed"), facts),
            ("Probes", ("part", "status", "backend", "latency ms", "why", "what you can do"), probes),
            ("Manifest", ("part", "configured", "supervised", "status", "healthy", "error", "metadata"), parts),
            ("Topics", ("dimension", "topic", "partitions asked", "partitions", "copies", "configuration"), topics),
            ("Cache", ("namespace", "hits", "misses", "hit rate", "keys"), caches),
        ]
        plain = ("schedule", "consumer", "retention", "recovery", "configuration")
        sections += [(name.capitalize(), ("what", "value"), [*getattr(self, name).items()]) for name in plain]
        if (made := self.kafka_topic_provisioning) is not None:
            rows = [(name, getattr(made, name)) for name in made.__struct_fields__]
            sections.append(("Topics on the brokers", ("what", "observed"), rows))
        pages = [
            (f"## {title}\n\n" if title else "") + markdown_table(headers, rows)
            for title, headers, rows in sections
            if rows
        ]
        return f"{self.heading()}\n" + "\n".join(pages)
