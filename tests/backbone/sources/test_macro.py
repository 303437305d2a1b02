"""What an event is about, told by its name."""

from __future__ import annotations

import pytest

from backbone.sources.macro import category_of, kind_of


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
