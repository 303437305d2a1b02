"""The providers themselves, over the network: where LIVE_PROVIDERS names them, as in `LIVE_PROVIDERS=yahoo,fred`.

They may refuse at any time; then the word they give for it is what is looked at.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backbone.settings import load_settings
from backbone.sources.errors import SourceUnavailable
from backbone.sources.registry import open_source

ASKED = {each.strip() for each in os.environ.get("LIVE_PROVIDERS", "").split(",")}


def rows(kind: str, dimension: str, symbol: str, **more: Any) -> int:
    settings = load_settings(profile="embedded", env=os.environ)
    offered = {"symbols": [symbol], "start": datetime.now(UTC) - timedelta(days=30), "settings": settings}
    source = open_source(kind, offered, dimension=dimension, **more)
    try:
        return sum(chunk.frame.num_rows for chunk in source.chunks())
    except SourceUnavailable as error:
        pytest.skip(f"it refuses: {error}")


@pytest.mark.skipif("yahoo" not in ASKED, reason="LIVE_PROVIDERS does not name yahoo")
@pytest.mark.parametrize(("dimension", "interval"), [("daily_bars", None), ("intraday_bars", "1h")])
def test_yahoo_has_bars_of_the_last_month(dimension: str, interval: str | None) -> None:
    assert rows("yahoo", dimension, "EURUSD=X", interval=interval) > 10


@pytest.mark.skipif("fred" not in ASKED, reason="LIVE_PROVIDERS does not name fred")
@pytest.mark.parametrize("symbol", ["FRED", "DGS10"])
def test_fred_has_releases_and_values_of_the_last_month(symbol: str) -> None:
    assert rows("fred", "macro_events", symbol) > 10
