"""Answers of providers in the shapes in which they were recorded, with the values that a test wants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

HOUR = 3600
START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)  # Monday, the open of New York
FIRST = int(START.timestamp())


def chart(
    symbol: str = "ACME", rows: int = 3, *, first: int = FIRST, step: int = HOUR, **changes: Any
) -> dict[str, Any]:
    """A chart of bars; `changes` replace columns, or fields of meta that begin with ``meta_``."""
    stamps = changes.pop("timestamp", [first + step * n for n in range(rows)])
    columns = {
        "open": [10.0 + n for n in range(rows)],
        "high": [11.0 + n for n in range(rows)],
        "low": [9.0 + n for n in range(rows)],
        "close": [10.5 + n for n in range(rows)],
        "volume": [100 * (n + 1) for n in range(rows)],
    }
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "firstTradeDate": 345479400,
        "regularMarketTime": first + step * rows + 86_400,
        "gmtoffset": -18000,
        "timezone": "EST",
        "exchangeTimezoneName": "America/New_York",
        "chartPreviousClose": 9.75,
        "priceHint": 2,
        "currentTradingPeriod": {
            name: {"timezone": "EST", "start": start, "end": end, "gmtoffset": -18000}
            for name, start, end in (("pre", 0, 1), ("regular", 1, 2), ("post", 2, 3))
        },
    }
    meta |= {name.removeprefix("meta_"): changes.pop(name) for name in list(changes) if name.startswith("meta_")}
    indicators: dict[str, Any] = {}
    if "adjclose" in changes:
        indicators["adjclose"] = [{"adjclose": changes.pop("adjclose")}]
    result: dict[str, Any] = {"meta": meta}
    if stamps is not None:
        result["timestamp"] = stamps
    if "events" in changes:
        result["events"] = changes.pop("events")
    indicators["quote"] = [columns | changes] if stamps is not None else [{}]
    result["indicators"] = indicators
    return {"chart": {"result": [result], "error": None}}


def refused(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


def path(symbol: str = "ACME") -> str:
    return f"/v8/finance/chart/{symbol}"


def observations(*rows: tuple[str, str, str], count: int | None = None, offset: int = 0) -> dict[str, Any]:
    """A series: date, value, and since when it is known."""
    listed = [
        {"realtime_start": since, "realtime_end": "9999-12-31", "date": date, "value": value}
        for date, value, since in rows
    ]
    return {
        "realtime_start": "1776-07-04", "realtime_end": "9999-12-31", "observation_start": "1600-01-01",
        "observation_end": "9999-12-31", "units": "lin", "output_type": 1, "file_type": "json",
        "order_by": "observation_date", "sort_order": "asc", "count": len(rows) if count is None else count,
        "offset": offset, "limit": 100000, "observations": listed,
    }  # fmt: skip


def release_dates(*rows: tuple[int, str, str], count: int | None = None, offset: int = 0) -> dict[str, Any]:
    """The calendar: number, name and date of releases."""
    listed = [
        {"release_id": number, "release_name": name, "release_last_updated": "2026-08-01 09:30:00-05", "date": date}
        for number, name, date in rows
    ]
    return {
        "realtime_start": "2024-01-01", "realtime_end": "2024-12-31", "order_by": "release_date", "sort_order": "asc",
        "count": len(rows) if count is None else count, "offset": offset, "limit": 1000, "release_dates": listed,
    }  # fmt: skip
