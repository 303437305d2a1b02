"""One report for rows that were judged in parts, such as the chunks of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from backbone.domain import Status
from backbone.quality.anomalies import Anomaly, worst
from backbone.quality.checks import SEVERITIES, Finding
from backbone.quality.report import QualityReport

__all__ = ["merge", "with_kept_aside", "with_mended"]

_EXAMPLES = 5


def merge(reports: Sequence[QualityReport]) -> QualityReport:
    """The reports of consecutive parts of one dimension as one: scores weighted by rows, findings added up.

    Raises:
        ValueError: there is no report.
    """
    if not reports:
        raise ValueError("no quality report given; judge at least one part")
    if len(reports) == 1:
        return reports[0]
    findings = _added(reports)
    expected = [each.expected_rows for each in reports]
    return QualityReport(
        dimension=reports[0].dimension,
        calendar=", ".join(sorted({name for each in reports for name in each.calendar.split(", ")})),
        status=Status.worst(each.status for each in reports),
        score=_weighted([(each.score, each.observed_rows) for each in reports]) or 0.0,
        observed_rows=sum(each.observed_rows for each in reports),
        expected_rows=None if None in expected else sum(each for each in expected if each is not None),
        coverage_ratio=_weighted(
            [(each.coverage_ratio, each.observed_rows) for each in reports if each.coverage_ratio is not None]
        ),
        findings=findings,
        messages=(f"judged in {len(reports)} parts", *(finding.message for finding in findings)),
        anomalies=worst(_counted_on(reports)),
    )


def with_kept_aside(
    report: QualityReport, kept_aside: int, rows: int, *, warn_score: float, fail_score: float
) -> QualityReport:
    """The judgement on rows of which some were kept aside unjudged: the score falls by their share.

    Args:
        report: on the other rows.
        kept_aside: rows that could not be read, or that the store refused.
        rows: all of them.
        warn_score: below it the status is degraded.
        fail_score: below it the status is failed.
    """
    if not kept_aside:
        return report
    score = report.score * (1 - min(1.0, kept_aside / max(rows, kept_aside)))
    status = Status.FAILED if score < fail_score else Status.DEGRADED if score < warn_score else Status.OK
    finding = Finding(
        code="kept_aside",
        severity="warning",
        count=kept_aside,
        message=f"{kept_aside:,} of {max(rows, kept_aside):,} rows could not be taken: see the quarantine",
    )
    return msgspec.structs.replace(
        report,
        score=score,
        status=Status.worst((report.status, status)),
        findings=_ordered((*report.findings, finding)),
        messages=(*report.messages, finding.message),
    )


def with_mended(report: QualityReport, mended: Mapping[str, int]) -> QualityReport:
    """The judgement on rows of which some were mended before; the score is that of the mended rows.

    Args:
        report: on the rows as they went in.
        mended: how many rows each rule has mended.
    """
    found = [
        Finding(
            code=f"mended_{rule}",
            severity="info",
            count=rows,
            message=f"{rows:,} rows were mended by the rule {rule}: what was given is kept beside them",
        )
        for rule, rows in mended.items()
    ]
    return msgspec.structs.replace(
        report,
        findings=_ordered((*report.findings, *found)),
        messages=(*report.messages, *(finding.message for finding in found)),
    )


def _counted_on(reports: Sequence[QualityReport]) -> Iterator[Anomaly]:
    """The anomalies of all parts, each with the place of its row among the rows of all of them."""
    before = 0
    for report in reports:
        yield from (msgspec.structs.replace(each, index=each.index + before) for each in report.anomalies)
        before += report.observed_rows


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst and most frequent first."""
    return tuple(sorted(findings, key=lambda each: (SEVERITIES.index(each.severity), -each.count)))


def _weighted(parts: Sequence[tuple[float, int]]) -> float | None:
    weight = sum(rows for _, rows in parts)
    return sum(value * rows for value, rows in parts) / weight if weight else None


def _added(reports: Sequence[QualityReport]) -> tuple[Finding, ...]:
    """Findings of one code as one, worst and most frequent first."""
    found: dict[str, list[Finding]] = {}
    for report in reports:
        for finding in report.findings:
            found.setdefault(finding.code, []).append(finding)
    return _ordered(map(_as_one, found.values()))


def _as_one(findings: Sequence[Finding]) -> Finding:
    if len(findings) == 1:
        return findings[0]
    gravest = _ordered(findings)[0]
    count = sum(finding.count for finding in findings)
    return msgspec.structs.replace(
        gravest,
        count=count,
        message=f"{gravest.code.replace('_', ' ')}: {count:,} in all parts, such as: {gravest.message}",
        examples=tuple(dict.fromkeys(example for each in findings for example in each.examples))[:_EXAMPLES],
    )
