"""How far the data of a symbol goes, and what is not known of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from backbone import Dimension, load_settings
from backbone.operations.gate.reach import Reach
from backbone.quality.freshness_rules import FreshnessRules
from backbone.store.records import Latest
from backbone.stream.last import Newest

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SETTINGS = load_settings(profile="embedded")
RULES = FreshnessRules(SETTINGS)


def kinds(reach: Reach) -> list[str]:
    return [each.kind for each in reach.reasons(RULES, SETTINGS.gate, NOW)]


def test_what_came_by_on_the_stream_says_nothing_until_the_store_has_said_how_far_rows_go() -> None:
    reach = Reach(Dimension.TRADES, "BTC-USD")
    reach.look_at(cast("Newest", SimpleNamespace(row=lambda *_: {"ts": NOW})))
    assert kinds(reach) == ["unknown"]
    reach.told([], 0.0)
    assert kinds(reach) == []


def test_of_several_intervals_that_counts_which_is_freshest() -> None:
    bars = Dimension.INTRADAY_BARS
    old, new = (
        Latest(bars, "BTC-USD", interval, NOW - back)
        for interval, back in (("1m", timedelta(days=9)), ("1h", timedelta(hours=1)))
    )
    reach = Reach(bars, "BTC-USD")
    reach.told([old], 0.0)
    assert kinds(reach) == ["stale"]
    reach.told([new], 1.0)
    assert kinds(reach) == []
