"""Retention: how a coverage is judged, and what is counted as covered."""

from datetime import UTC, datetime, timedelta

import pytest

from backbone import Dimension
from backbone.domain.status import Status
from backbone.retention.policy import Policy
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars

POLICY = Policy(Dimension.INTRADAY_BARS, target_days=30, minimum_days=7, cap_days=65)


@pytest.mark.parametrize(
    ("covered", "history", "status"),
    [
        (30, 30, "ok"),
        (64.9, 65, "ok"),
        (30, 65.1, "degraded"),
        (29.9, 30, "degraded"),
        (7, 10, "degraded"),
        (6.9, 10, "failed"),
        (6.9, 100, "failed"),
    ],
)
def test_a_coverage_is_judged_by_target_minimum_and_cap(covered: float, history: float, status: str) -> None:
    judged, message = POLICY.judge(covered, history)
    assert judged == status
    assert message


async def test_two_bars_a_month_apart_do_not_count_as_a_month_covered() -> None:
    async with embedded() as backbone:
        first = datetime(2018, 6, 4, tzinfo=UTC)
        await backbone.record(bars(1, start=first))
        await backbone.record(bars(1, start=first + timedelta(days=29)))
        report = await backbone.retention(as_of=first + timedelta(days=29, hours=1))
        (finding,) = report.findings
        assert finding.covered_sessions == 2
        assert finding.expected_sessions > 20
        assert finding.status is Status.FAILED


async def test_an_empty_store_has_nothing_to_judge() -> None:
    async with embedded() as backbone:
        report = await backbone.retention()
        assert report.findings == ()
        assert report.status is Status.UNKNOWN
        assert "no rows" in report.note


async def test_rows_after_the_moment_judged_do_not_count() -> None:
    async with embedded() as backbone:
        first = datetime(2018, 6, 4, tzinfo=UTC)
        await backbone.record(bars(48, start=first))
        (finding,) = (await backbone.retention(as_of=first + timedelta(hours=5))).findings
        assert finding.rows == 6
        assert (await backbone.fetch(BARS)).num_rows == 48
