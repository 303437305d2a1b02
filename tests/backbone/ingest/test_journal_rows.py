"""Rows of the journal of runs are of bounded size, however many symbols are asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backbone.domain import Dimension, Status
from backbone.ingest.journal import row_of_failure, row_of_fall, row_of_nothing
from backbone.ingest.market_report import DimensionRun, MarketRun
from backbone.ingest.plan import IngestPlan
from backbone.settings.sections.market import MarketSettings
from backbone.store.run_records import RunRow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SYMBOLS = tuple(f"S{n:05}" for n in range(10_000))
MARKET = MarketSettings(symbols=SYMBOLS)
PLAN = IngestPlan(dimensions=[Dimension.TRADES], symbols=SYMBOLS, source="csv", path="a.csv")


def nothing(*dimensions: DimensionRun) -> RunRow:
    run = MarketRun(
        run_id="r",
        status=Status.FAILED,
        should_run=True,
        reason="",
        trigger="schedule",
        started_at=NOON,
        duration_s=1.0,
        dimensions=dimensions,
    )
    return row_of_nothing(run, MARKET, NOON)


ROWS = {
    "a market run of which nothing went in": nothing(
        DimensionRun(dimension=Dimension.TRADES, status=Status.FAILED, source="csv", requested=SYMBOLS)
    ),
    "one that came to no dimension": nothing(),
    "one that fell": row_of_fall(NOON, MARKET, NOON, "it fell"),
    "an ingest that failed": row_of_failure(
        "r",
        PLAN,
        "no file",
        NOON,
        1,
        {},
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_the_symbols_that_were_asked_for_are_told_by_the_first_of_them(row: RunRow) -> None:
    assert row.metadata["requested_symbols"] == list(SYMBOLS[:64])
