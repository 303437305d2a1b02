"""What an event is about, told by its name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backbone.domain import Frame
from backbone.sources.macro import category_of, enriched, kind_of


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("US CPI m/m", "macro/inflation"),
        ("CPIAUCSL", "macro/inflation"),
        ("Consumer Price Index", "macro/inflation"),
        ("NFP", "macro/employment"),
        ("Nonfarm Payrolls", "macro/employment"),
        ("PAYEMS", "macro/employment"),
        ("FOMC Press Release", "macro/monetary_policy"),
        ("ECB rate decision", "macro/monetary_policy"),
        ("BoE minutes", "macro/monetary_policy"),
        ("BOJ", "macro/monetary_policy"),
        ("Q3 earnings", "corporate/earnings"),
        ("Dividend", "corporate/dividend"),
        ("ETF flows", "flows/rebalancing"),
        ("Index rebalance", "flows/rebalancing"),
        ("Garden show", None),
        ("", None),
    ],
)
def test_the_name_tells_the_category(name: str, category: str | None) -> None:
    assert category_of([name, name]) == [category, category]
    kind = kind_of(name)
    assert (kind is None) == (category is None)
    assert kind is None or kind.causal_links


def test_events_without_a_category_get_that_of_their_name_and_others_keep_theirs() -> None:
    rows = [
        {"calendar": "US", "event": event, "ts": datetime(2024, 3, 12, tzinfo=UTC), "category": category}
        for event, category in (("CPI", None), ("NFP", "own"), ("Garden show", None))
    ]
    found = enriched(Frame.from_records("macro", rows)).to_arrow().to_pylist()
    assert [row["category"] for row in found] == ["macro/inflation", None, "own"]
    assert enriched(Frame.empty("macro")).num_rows == 0
    with pytest.raises(ValueError, match="a frame of trades given; allowed are macro_events"):
        enriched(Frame.empty("trades"))
