"""What is told of what happened: pure, from the events of the rooms to what their kinds of telemetry carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from backbone.domain.status import Status
from backbone.ingest.messages import IngestEnded
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.ingest.schedule_state import ScheduleState, judge, schedule_markdown
from backbone.operations.telemetry.events import (
    IngestHealth,
    IngestMetrics,
    IngestQuality,
    IngestTold,
    RetentionTold,
    SchedulerTold,
)
from backbone.operations.telemetry.topics import (
    INGEST,
    INGEST_HEALTH,
    INGEST_METRICS,
    INGEST_QUALITY,
    RETENTION,
    SCHEDULER,
    Topic,
)
from backbone.quality.health import DimensionHealth
from backbone.quality.report import QualityReport
from backbone.retention.messages import RetentionJudged

__all__ = ["Told", "of_health", "of_ingest", "of_retention", "of_schedule"]

_SYMBOLS, _MESSAGES, _FINDINGS = 64, 20, 20  # so many of each are told


class Told(NamedTuple):
    """One event to be: its kind, what it is about, what it says, and what it was asked for."""

    topic: Topic
    payload: Any
    key: str = ""
    metadata: Mapping[str, Any] = {}


def of_ingest(event: IngestEnded) -> Iterator[Told]:
    """A run that has ended: what it did, and, where it was not refused, its metrics and quality."""
    plan, run = event.plan, event.run
    key = next(iter(plan.symbols if run is None else run.symbols), plan.dimension.value)
    asked = {"plan": _asked(plan)} if run is None else {"plan": _asked(plan), "settings_hash": run.settings_hash}
    if run is None:
        refused = IngestTold(
            run_id=event.run_id,
            status=Status.FAILED,
            dimension=plan.dimension,
            source=plan.source,
            symbols=tuple(plan.symbols[:_SYMBOLS]),
            symbol_count=len(plan.symbols),
            error=event.error,
        )
        yield Told(INGEST, refused, key, {**asked, "code": event.code})
    else:
        yield Told(INGEST, _ingested(run, event.at), key, asked)
        yield Told(INGEST_METRICS, _metrics(run), key)
        if run.quality is not None:
            yield Told(INGEST_QUALITY, _quality(run.run_id, run.quality), key)


def of_health(event: IngestEnded, judged: DimensionHealth | None = None) -> Told:
    """Whether all is well with a run that has ended.

    Args:
        event: the end of a run.
        judged: whether it brought what was due; None: nobody knows what was, so that a run without rows has failed.
    """
    plan, run = event.plan, event.run
    key = next(iter(plan.symbols if run is None else run.symbols), plan.dimension.value)
    return Told(INGEST_HEALTH, _health(event, judged), key)


def _asked(plan: IngestPlan) -> dict[str, Any]:
    """The plan, as far as it is of bounded size."""
    return {
        "dimension": plan.dimension,
        "symbols": tuple(plan.symbols[:_SYMBOLS]),
        "interval": plan.interval,
        "source": plan.source,
        "start": plan.start,
        "end": plan.end,
    }


_COUNTS = (
    *("rows_read", "inserted", "changed", "unchanged", "quarantined", "filtered", "duplicates", "chunks"),
    *("position", "duration_s", "attempts", "reasons"),
)


def _ingested(run: IngestRun, at: datetime) -> IngestTold:
    return IngestTold(
        run_id=run.run_id,
        status=Status.OK,
        dimension=run.dimension,
        source=run.source,
        symbols=run.symbols[:_SYMBOLS],
        symbol_count=len(run.symbols),
        start=run.span_start,
        end=run.span_end,
        freshness_s=None if run.span_end is None else max((at - run.span_end).total_seconds(), 0.0),
        **{name: getattr(run, name) for name in _COUNTS},
    )


def _metrics(run: IngestRun) -> IngestMetrics:
    return IngestMetrics(
        run_id=run.run_id,
        dimension=run.dimension,
        rows_read=run.rows_read,
        rows_taken=run.taken,
        quarantined=run.quarantined,
        chunks=run.chunks,
        duration_s=run.duration_s,
        rows_per_s=run.rows_read / run.duration_s if run.duration_s > 0 else None,
    )


def _quality(run_id: str, found: QualityReport) -> IngestQuality:
    same = ("dimension", "calendar", "status", "score", "observed_rows", "expected_rows", "coverage_ratio")
    return IngestQuality(
        run_id=run_id,
        findings=len(found.findings),
        messages=found.messages[:_MESSAGES],
        **{name: getattr(found, name) for name in same},
    )


def _health(event: IngestEnded, judged: DimensionHealth | None) -> IngestHealth:
    run = event.run
    if run is None:
        found = [(Status.FAILED, event.error)]
    else:
        quality = run.quality
        checks = (
            (judged is None and not run.taken, Status.FAILED, run.nothing),
            (
                judged is not None and judged.status != Status.OK,
                Status.OK if judged is None else judged.status,
                "" if judged is None else judged.message,
            ),
            (
                quality is not None and quality.status != Status.OK,
                Status.OK if quality is None else quality.status,
                "" if quality is None else f"quality {quality.score:.4f}: {'; '.join(quality.messages[:3])}",
            ),
            (run.quarantined > 0, Status.DEGRADED, f"{run.quarantined:,} of {run.rows_read:,} rows were kept aside"),
            (run.attempts > 1, Status.DEGRADED, f"begun {run.attempts} times: its actor fell meanwhile"),
        )
        found = [(status, why) for true, status, why in checks if true]
    found.sort(key=lambda each: -each[0].severity)
    return IngestHealth(
        run_id=event.run_id,
        dimension=event.plan.dimension,
        source=event.plan.source if run is None else run.source,
        status=Status.worst([Status.OK, *(status for status, _ in found)]),
        why=tuple(why for _, why in found),
    )


def of_schedule(state: ScheduleState | None, now: datetime) -> Told:
    """How the schedule is now; None: it does not say."""
    status, why = judge(state, now)
    markdown = "" if state is None else schedule_markdown(state, status, why)
    return Told(SCHEDULER, SchedulerTold(status=status, why=why, state=state, markdown=markdown), "schedule")


def of_retention(event: RetentionJudged) -> Told:
    """Retention was judged, and perhaps enforced."""
    report = event.report
    bad = [finding for finding in report.findings if finding.status != Status.OK]
    told = RetentionTold(
        status=report.status,
        as_of=report.as_of,
        applied=report.applied,
        found=Counter(str(finding.status) for finding in report.findings),
        worst=tuple(bad[:_FINDINGS]),
        drops=report.drops,
        pruned=report.pruned,
        note=report.note,
        scheduled=event.scheduled,
    )
    return Told(RETENTION, told, "retention", {"settings_hash": report.settings_hash})
