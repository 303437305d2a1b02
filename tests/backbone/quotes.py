"""A quote as a feed hands it over: as a mapping, and as a Struct of its own."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

START = datetime(2024, 5, 6, 12, tzinfo=UTC)
QUOTE = {"symbol": "EURUSD", "ts": START, "bid": 1.1, "ask": 1.2}


class Quote(msgspec.Struct):
    """Not all columns, in an order of its own."""

    symbol: str
    ts: datetime
    bid: float | None = None
    ask: float | None = None
    venue: str | msgspec.UnsetType = msgspec.UNSET
