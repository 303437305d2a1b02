"""Equal questions have equal keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from backbone.cache.key import CacheKey
from backbone.domain.dimension import Dimension

BARS = Dimension.INTRADAY_BARS


def test_order_and_repetition_of_symbols_do_not_matter() -> None:
    assert CacheKey.of(BARS, ["B", "A", "B"]) == CacheKey.of(BARS, ["A", "B"])


def test_the_same_moment_in_another_zone_is_the_same_key() -> None:
    start = datetime(2024, 1, 2, tzinfo=UTC)
    elsewhere = start.astimezone(timezone(timedelta(hours=5)))
    assert CacheKey.of(BARS, start=start) == CacheKey.of(BARS, start=elsewhere)


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        CacheKey.of(BARS, start=datetime(2024, 1, 2))  # noqa: DTZ001


def test_the_text_is_the_same_in_every_process() -> None:
    key = CacheKey.of(BARS, ["EURUSD"], interval="1h", limit=500)
    assert key.text == "intraday_bars:1403412bf54facf5a2339078b4a815a7"
    assert key.name("backbone:cache") == f"backbone:cache:{key.text}"


@pytest.mark.parametrize("symbols", [["A,B"], ["A", "B"], ["A", ",B"], ["A|B"], ['A","B']])
def test_symbols_with_separators_in_them_do_not_collide(symbols: list[str]) -> None:
    others = [["A,B"], ["A", "B"], ["A", ",B"], ["A|B"], ['A","B'], []]
    texts = [CacheKey.of(BARS, other).text for other in others if other != symbols]
    assert CacheKey.of(BARS, symbols).text not in texts
