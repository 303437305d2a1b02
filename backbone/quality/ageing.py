"""What the age of rows makes of their judgement: a score is at most what freshness leaves of it.

A series within its limit leaves 1, one that is late by as much again leaves 0, and in between the score falls evenly;
one of which can't be told how fresh it is leaves 0.75. Of several series the mean counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from backbone.domain.status import Status
from backbone.quality.checks import SEVERITIES, Finding
from backbone.quality.freshness import Freshness
from backbone.quality.report import QualityReport

__all__ = ["UNKNOWN", "left_by", "with_freshness"]

UNKNOWN = 0.75
"""What is left of a score where it can't be told how fresh a series is."""

_EXAMPLES = 5


def left_by(found: Freshness) -> float:
    """How high the score of a series may be: from 0 to 1."""
    if found.age_s is None or found.level is Status.UNKNOWN:
        return UNKNOWN
    return max(0.0, 1.0 - max(0.0, found.age_s - found.limit_s) / found.limit_s)


def with_freshness(
    report: QualityReport, freshness: Sequence[Freshness], *, warn_score: float, fail_score: float
) -> QualityReport:
    """The judgement on rows, given how fresh their series are; without any, it is what it was.

    Args:
        report: on the rows.
        freshness: of each series.
        warn_score: below it the status is degraded.
        fail_score: below it the status is failed.
    """
    if not freshness:
        return report
    left = sum(map(left_by, freshness)) / len(freshness)
    found = tuple(_findings(freshness))
    if left >= 1.0 and not found:
        return report
    score = min(report.score, left)
    status = Status.FAILED if score < fail_score else Status.DEGRADED if score < warn_score else Status.OK
    findings = sorted((*found, *report.findings), key=lambda each: (SEVERITIES.index(each.severity), -each.count))
    return msgspec.structs.replace(
        report,
        score=score,
        status=Status.worst([status, report.status]),
        findings=tuple(findings),
        messages=(*report.messages[:1], *(each.message for each in findings)),
    )


def _findings(freshness: Sequence[Freshness]) -> Iterator[Finding]:
    stale = [each for each in freshness if each.level in (Status.DEGRADED, Status.FAILED)]
    unknown = [each for each in freshness if each.level is Status.UNKNOWN]
    if stale:
        message = f"{len(stale):,} of {len(freshness):,} series are stale: {stale[0].symbol}: {stale[0].why}"
        yield Finding(code="stale", severity="warning", count=len(stale), message=message, examples=_named(stale))
    if unknown:
        text = f"how fresh {len(unknown):,} of {len(freshness):,} series are can't be told"
        message = f"{text}: {unknown[0].symbol}: {unknown[0].why}"
        named = _named(unknown)
        yield Finding(code="freshness_unknown", severity="warning", count=len(unknown), message=message, examples=named)


def _named(found: Sequence[Freshness]) -> tuple[str, ...]:
    return tuple(" ".join(filter(None, (each.symbol, each.interval))) for each in found[:_EXAMPLES])
