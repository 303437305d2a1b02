"""Equal questions have equal keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from backbone.cache.key import CacheKey, space
from backbone.domain.codec import VERSION
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


def test_databases_and_generations_do_not_meet_on_a_shared_server() -> None:
    spaces = {space("ours", database, generation) for database in ("db:5432/a", "db:5432/b") for generation in "12"}
    assert len(spaces) == 4
    assert all(each.startswith(f"ours:{{c{VERSION}:") for each in spaces)
    assert space("ours", "db:5432/a", "1") == "ours:{c2:0df3ac936d59a696}:1"


def test_a_release_with_another_codec_does_not_meet_bytes_that_it_can_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = space("ours", "db", "1")
    monkeypatch.setattr("backbone.cache.key.VERSION", VERSION + 1)
    assert space("ours", "db", "1") != now


@pytest.mark.parametrize(
    ("key", "concerned"),
    [
        (CacheKey(BARS, ("A", "B")), True),
        (CacheKey(BARS, ("B",)), False),
        (CacheKey(BARS), True),
        (CacheKey(Dimension.QUOTES, ("A",)), False),
        (CacheKey(Dimension.QUOTES), False),
        (CacheKey(Dimension.TRADES), False),
    ],
)
def test_a_window_is_concerned_by_changes_of_its_own_symbols(key: CacheKey, concerned: bool) -> None:
    assert key.concerns({BARS: {"A": 7, "C": 8}, Dimension.TRADES: {}}) is concerned
