"""Periods that end now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backbone.domain.periods import check_period, period_start

NOW = datetime(2024, 3, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("30d", "2024-03-01T12:30:00+00:00"),
        ("4W", "2024-03-03T12:30:00+00:00"),
        ("90m", "2024-03-31T11:00:00+00:00"),
        ("1mo", "2024-02-29T12:30:00+00:00"),
        ("6 mo", "2023-09-30T12:30:00+00:00"),
        ("13mo", "2023-02-28T12:30:00+00:00"),
        ("1y", "2023-03-31T12:30:00+00:00"),
        ("10y", "2014-03-31T12:30:00+00:00"),
        (" YTD ", "2024-01-01T00:00:00+00:00"),
        ("9999y", "0001-01-01T00:00:00+00:00"),
        ("900000d", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_a_period_begins_so_far_back(period: str, start: str) -> None:
    found = period_start(period, NOW)
    assert found is not None
    assert found.isoformat() == start


def test_all_there_is_has_no_beginning() -> None:
    assert period_start("Max", NOW) is None
    assert check_period("Max") == "max"
    assert check_period(None) is None


@pytest.mark.parametrize("wrong", ["", "soon", "0mo", "0d", "-1d", "1q", "10ms", "1.5mo"])
def test_what_is_no_period_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="period="):
        check_period(wrong)


@pytest.mark.parametrize("wrong", [30, 1.5, datetime(2024, 1, 1, tzinfo=UTC)])
def test_what_is_no_text_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="allowed is text, such as '30d', or None"):
        check_period(wrong)
