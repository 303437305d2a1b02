"""How fresh a symbol is by the settings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backbone import load_settings
from backbone.domain import Dimension
from backbone.quality.freshness_rules import FreshnessRules

FRIDAY, SUNDAY = datetime(2024, 1, 5, 21, 59, 59, tzinfo=UTC), datetime(2024, 1, 7, 22, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("symbol", "options", "level"),
    [
        ("EURUSD", {}, "degraded"),  # forex has been open for a minute
        ("EURUSD", {"quality.freshness.quotes": 120}, "ok"),
        ("EURUSD", {"quality.sessions": {"EURUSD": "us_equities"}}, "ok"),  # which opens on Monday only
        ("BTC-USD", {}, "failed"),
        ("ACME", {}, "unknown"),
    ],
)
def test_calendar_and_limit_are_those_of_the_settings(symbol: str, options: dict[str, object], level: str) -> None:
    rules = FreshnessRules(load_settings(profile="embedded", overrides=options))

    found = rules.of(Dimension.QUOTES, symbol, FRIDAY, SUNDAY)

    assert found.level == level, found.why
