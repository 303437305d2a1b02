"""What is told: one class of events, and what each kind carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from actors import Event
from backbone.domain.dimension import Dimension
from backbone.domain.status import Status
from backbone.ingest.schedule_state import ScheduleState
from backbone.retention.report import RetentionDrop, RetentionFinding
from backbone.stream.records import PartitionLag

__all__ = [
    "Component",
    "GateTold",
    "IngestHealth",
    "IngestMetrics",
    "IngestQuality",
    "IngestTold",
    "KafkaLag",
    "KafkaReadiness",
    "RetentionTold",
    "SchedulerTold",
    "Telemetry",
]


class Telemetry(Event, frozen=True, kw_only=True):
    """One thing that a backbone tells of itself; `path` is who says it, `at` when, in UTC.

    Attributes:
        type: name of its kind; `backbone.operations.telemetry.topics` lists them.
        payload: what it says, of the class that the kind has.
        key: what it is about, such as a symbol: events of one key stay in order on their topic.
        metadata: what it was asked for.
    """

    type: str
    payload: Any
    key: str = ""
    metadata: Mapping[str, Any] = {}


class IngestTold(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. The report of the run has more; here everything is of bounded size.

    Attributes:
        status: "ok", or "failed" with `error`; the numbers are then unknown.
        symbols: the first 64 of `symbol_count`.
        position: newest outbox position of the run; 0: nothing changed.
        freshness_s: seconds from the newest row to the end of the run; 0 of rows to come.
    """

    run_id: str
    status: Status
    dimension: Dimension
    source: str
    rows_read: int | None = None
    inserted: int | None = None
    changed: int | None = None
    unchanged: int | None = None
    quarantined: int | None = None
    filtered: int | None = None
    duplicates: int | None = None
    chunks: int | None = None
    position: int | None = None
    symbols: tuple[str, ...] = ()
    symbol_count: int = 0
    start: datetime | None = None
    end: datetime | None = None
    duration_s: float | None = None
    freshness_s: float | None = None
    attempts: int | None = None
    reasons: tuple[str, ...] = ()
    error: str = ""


class IngestHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all is well with a run: failed where it was refused or took nothing; why, worst first."""

    run_id: str
    dimension: Dimension
    source: str
    status: Status
    why: tuple[str, ...]


class IngestMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and pace of a run; rows per second are of the rows read."""

    run_id: str
    dimension: Dimension
    rows_read: int
    rows_taken: int
    quarantined: int
    chunks: int
    duration_s: float
    rows_per_s: float | None


class IngestQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on the rows of a run; see `backbone.quality.report`. The first 20 messages."""

    run_id: str
    dimension: Dimension
    calendar: str
    status: Status
    score: float
    observed_rows: int
    expected_rows: int | None
    coverage_ratio: float | None
    findings: int
    messages: tuple[str, ...]


class RetentionTold(msgspec.Struct, frozen=True, kw_only=True):
    """What retention found and did: how many findings of each status, and the 20 worst that are not ok.

    By schedule it drops and prunes, and judges nothing.
    """

    status: Status
    as_of: datetime
    applied: bool
    found: Mapping[str, int]
    worst: tuple[RetentionFinding, ...]
    drops: tuple[RetentionDrop, ...]
    pruned: Mapping[str, int]
    note: str
    scheduled: bool = False


class SchedulerTold(msgspec.Struct, frozen=True, kw_only=True):
    """How the schedule is: after each of its runs, where it pauses, stops or goes on, and at each interval.

    Attributes:
        status: off without a schedule; degraded where a run failed, is overdue or never was, or the schedule waits;
            failed where it has stopped, or does not say how it is.
        why: in a sentence; "" where all is well.
        state: its counts and times; None: it does not say.
        markdown: the same as a table.
    """

    status: Status
    why: str
    state: ScheduleState | None
    markdown: str


class KafkaLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far the subscriptions of this process are behind, in records: of each partition the last of them."""

    partitions: tuple[PartitionLag, ...]
    total_lag: int
    max_lag: int
    topic_lag: Mapping[str, int]
    recorded_at: datetime


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a readiness, and why it is not ok."""

    name: str
    status: Status
    why: str = ""


class KafkaReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether Kafka does its work: the worst of its components."""

    status: Status
    components: tuple[Component, ...]


class GateTold(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols whose gate has changed in the same way at the same moment.

    Attributes:
        dimension: of the data.
        symbols: the first 64 of `symbol_count`.
        level: ok, degraded or blocked.
        before: the level that it was; None: they were not judged before.
        reasons: of the first of them, worst first.
        as_of: when that was found.
    """

    dimension: Dimension
    symbols: tuple[str, ...]
    symbol_count: int
    level: str
    before: str | None
    reasons: tuple[str, ...]
    as_of: datetime
