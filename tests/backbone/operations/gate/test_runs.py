"""What the newest run said of each symbol."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from backbone import Dimension, IngestPlan
from backbone.ingest.messages import IngestEnded
from backbone.operations.gate.runs import RunsSeen
from backbone.settings.sections.gate import GateSettings
from backbone.store.run_records import RunRow
from tests.backbone.operations.telemetry.kit import run
from tests.backbone.operations.telemetry.test_telling import POOR

QUOTES = Dimension.QUOTES
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def ended(done: Any = None, symbols: tuple[str, ...] = (), error: str = "") -> IngestEnded:
    plan = IngestPlan(dimensions=[QUOTES], symbols=symbols, path="quotes.csv")
    return IngestEnded(path="/test/ingest", at=NOW, run_id="run-1", plan=plan, run=done, error=error)


def seen(*events: IngestEnded) -> RunsSeen:
    runs = RunsSeen(GateSettings())
    for event in events:
        runs.ended(event)
    return runs


def kinds(runs: RunsSeen, symbol: str) -> list[str]:
    return [f"{each.kind} {each.level}" for each in runs.of(QUOTES, symbol)]


def test_the_newest_run_with_rows_of_a_symbol_counts() -> None:
    bad, good = ended(run(quality=POOR, symbols=("A", "B"))), ended(run(symbols=("B",)))
    fine = run(symbols=("B",)).quality
    assert fine is None or fine.status == "ok"

    assert kinds(seen(bad), "A") == kinds(seen(bad), "B") == ["quality blocked"]
    assert kinds(seen(bad), "C") == []
    assert kinds(seen(bad, good), "A") == ["quality blocked"]


def test_a_run_that_was_not_carried_out_counts_for_its_symbols_until_the_next_one() -> None:
    failed = ended(symbols=("A",), error="no file")

    assert kinds(seen(failed), "A") == ["run degraded"]
    assert kinds(seen(failed), "B") == []
    assert kinds(seen(failed, ended(run(symbols=()), symbols=("A",))), "A") == []
    everything = ended(error="no file")
    assert kinds(seen(everything), "A") == kinds(seen(everything), "B") == ["run degraded"]
    assert kinds(seen(everything, ended(run(symbols=("B",)))), "A") == []


def test_the_journal_tells_of_what_was_before_and_changes_nothing_that_is_known() -> None:
    judged = {"status": "failed", "score": 0.3, "messages": ["", "holes"]}
    rows = [
        row("newest", NOW, symbols=("A",), metadata={"quality": judged, "requested_symbols": ["A"]}),
        row("older", NOW - timedelta(days=1), symbols=("A", "B"), metadata={"quality": None}),
        row("oldest", NOW - timedelta(days=2), status="failed", metadata={"requested_symbols": ["C"]}, error="gone"),
        row("whole", NOW, dimension="operational_backbone", status="failed", error="all of it"),
    ]
    runs = RunsSeen(GateSettings())
    runs.journalled(rows)
    assert (kinds(runs, "A"), kinds(runs, "B"), kinds(runs, "C")) == (["quality blocked"], [], ["run degraded"])

    known = seen(ended(run(symbols=("A",)), symbols=("C",)))
    known.journalled(rows)
    assert kinds(known, "C") == []


def row(run_id: str, at: datetime, *, dimension: str = "quotes", status: str = "ok", **more: Any) -> RunRow:
    return RunRow(run_id=run_id, dimension=dimension, status=status, source="desk", executed_at=at, **more)  # type: ignore[arg-type]
