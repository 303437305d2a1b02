"""What is told of a run and of retention, from their reports alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backbone import Dimension, Status
from backbone.ingest.messages import IngestEnded
from backbone.operations.telemetry.events import IngestHealth, IngestMetrics, IngestQuality, IngestTold, RetentionTold
from backbone.operations.telemetry.telling import Told, of_health, of_ingest, of_retention
from backbone.quality.report import QualityReport
from backbone.retention.messages import RetentionJudged
from backbone.retention.report import RetentionFinding, RetentionReport
from tests.backbone.operations.telemetry.kit import NOW, PLAN, ended, run

POOR = QualityReport(
    dimension=Dimension.QUOTES,
    calendar="fx",
    status=Status.FAILED,
    score=0.31,
    observed_rows=3,
    expected_rows=None,
    coverage_ratio=None,
    findings=(),
    messages=tuple(f"finding {n}" for n in range(50)),
)


def all_of(event: IngestEnded) -> list[Told]:
    """All that is told of a run without what the store says."""
    return [*of_ingest(event), of_health(event)]


def test_a_run_tells_its_counts_and_how_fresh_its_newest_row_is() -> None:
    told = {each.topic.name: each for each in all_of(ended(run()))}
    result = told["telemetry.ingest"].payload
    assert isinstance(result, IngestTold)
    assert (result.status, result.rows_read, result.inserted, result.freshness_s) == (Status.OK, 3, 3, 30.0)
    assert told["telemetry.ingest"].metadata["plan"]["symbols"] == ("EURUSD",)
    metrics = told["telemetry.ingest.metrics"].payload
    assert isinstance(metrics, IngestMetrics)
    assert (metrics.rows_taken, metrics.rows_per_s) == (3, 6.0)


def test_rows_of_the_future_are_fresh_and_not_of_negative_age() -> None:
    (told, *_) = of_ingest(ended(run(span_end=NOW + timedelta(days=3))))
    assert told.payload.freshness_s == 0.0


def test_a_run_of_ten_thousand_symbols_tells_the_first_ones_and_how_many_they_are() -> None:
    symbols = tuple(f"S{n:05}" for n in range(10_000))
    (told, *_) = of_ingest(ended(run(symbols=symbols)))
    assert (len(told.payload.symbols), told.payload.symbol_count) == (64, 10_000)


def test_a_refused_run_tells_why_and_nothing_that_was_not_observed() -> None:
    told = list(all_of(ended(code="input_missing", error="there is no file x.csv")))
    assert [each.topic.name for each in told] == ["telemetry.ingest", "telemetry.ingest.health"]
    result, health = told[0].payload, told[1].payload
    assert (result.status, result.error, result.rows_read) == (Status.FAILED, "there is no file x.csv", None)
    assert told[0].metadata["code"] == "input_missing"
    assert (health.status, health.why) == (Status.FAILED, ("there is no file x.csv",))


def test_health_is_ok_where_all_rows_went_in_and_says_the_worst_first_where_not() -> None:
    def health(**changes: object) -> IngestHealth:
        (found,) = (each.payload for each in all_of(ended(run(**changes))) if isinstance(each.payload, IngestHealth))
        return found

    assert (health().status, health().why) == (Status.OK, ())
    bad = health(quarantined=1, quality=POOR)
    assert bad.status is Status.FAILED
    assert bad.why[0].startswith("quality 0.3100: finding 0")
    assert bad.why[1] == "1 of 3 rows were kept aside"
    assert health(attempts=2).status is Status.DEGRADED
    assert health(inserted=0, rows_read=0).status is Status.FAILED


def test_quality_is_told_where_rows_were_judged_with_the_first_messages() -> None:
    (found,) = (each.payload for each in of_ingest(ended(run(quality=POOR))) if isinstance(each.payload, IngestQuality))
    assert (found.status, found.score, len(found.messages)) == (Status.FAILED, 0.31, 20)


def test_retention_tells_how_many_findings_there_are_and_the_worst_of_them() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    def finding(n: int, status: Status) -> RetentionFinding:
        return RetentionFinding(
            dimension=Dimension.QUOTES,
            symbol=f"S{n}",
            interval=None,
            status=status,
            message="",
            rows=1,
            earliest=moment,
            latest=moment,
            covered_sessions=1,
            expected_sessions=1,
            covered_days=1.0,
            beyond_cap=0,
        )

    findings = (*(finding(n, Status.FAILED) for n in range(30)), finding(30, Status.OK))
    report = RetentionReport(status=Status.FAILED, as_of=moment, applied=True, findings=findings, pruned={"seen": 2})
    told = of_retention(RetentionJudged(path="/b/retention", at=moment, report=report))
    assert isinstance(told.payload, RetentionTold)
    assert told.payload.found == {"failed": 30, "ok": 1}
    assert len(told.payload.worst) == 20
    assert told.payload.pruned == {"seen": 2}


def test_the_key_is_the_first_symbol_else_the_dimension() -> None:
    assert next(of_ingest(ended(run()))).key == "EURUSD"
    assert next(of_ingest(ended(run(symbols=())))).key == "quotes"
    assert next(of_ingest(ended(error="no"))).key == PLAN.symbols[0]
