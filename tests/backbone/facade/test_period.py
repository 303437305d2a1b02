"""A window that ends now begins at a round moment: who asks again asks the same question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.facade.period import beginning
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, START, bars

NOW = datetime(2026, 3, 4, 10, 17, 23, 456_789, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("1s", datetime(2026, 3, 4, 10, 17, 22, tzinfo=UTC)),
        ("90m", datetime(2026, 3, 4, 8, 47, 23, tzinfo=UTC)),
        ("100m", datetime(2026, 3, 4, 8, 37, tzinfo=UTC)),
        ("24h", datetime(2026, 3, 3, 10, 17, tzinfo=UTC)),
        ("30d", datetime(2026, 2, 2, 10, tzinfo=UTC)),
        ("4w", datetime(2026, 2, 4, 10, tzinfo=UTC)),
        ("100d", datetime(2025, 11, 24, tzinfo=UTC)),
        ("1h30m", datetime(2026, 3, 4, 8, 47, 23, tzinfo=UTC)),
    ],
)
def test_it_begins_at_a_round_moment_no_later_than_asked_for(period: str, start: datetime) -> None:
    assert beginning(period, NOW) == start


def test_it_is_the_same_for_as_long_as_a_hundredth_of_it_or_more() -> None:
    asked = {beginning("30d", datetime(2026, 3, 4, 10, tzinfo=UTC) + timedelta(minutes=n)) for n in range(60)}
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("period", "error", "told"),
    [
        ("30", ValueError, "is not a duration"),
        ("10ms", ValueError, "a second or more"),
        ("3000000d", ValueError, "begins before the year 1"),
        (30, TypeError, "allowed is text, such as '30d'"),
    ],
)
def test_what_is_no_period_is_refused(period: object, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        beginning(period, NOW)


async def test_who_asks_again_for_a_period_is_answered_by_the_cache_until_rows_come() -> None:
    async with embedded() as backbone:
        now = backbone.system.clock.now()
        await backbone.record(bars(3, start=now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)))
        await backbone.record(bars(1, start=START))
        for _ in range(5):
            assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", period="1d")).num_rows == 3
        metrics = await backbone.cache_metrics(reset=True)
        assert (metrics.hits, metrics.keys) == (4, 1)
        await backbone.record(bars(1, start=now.replace(minute=0, second=0, microsecond=0), close=1.5))
        assert (await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h", period="1d")).num_rows == 4
        assert (await backbone.cache_metrics()).hits == 0


async def test_a_period_stands_beside_no_start_and_no_end() -> None:
    async with embedded() as backbone:
        for start, end in ((START, None), (None, START)):
            with pytest.raises(ValueError, match="given beside start or end"):
                await backbone.fetch(BARS, period="1d", start=start, end=end)
