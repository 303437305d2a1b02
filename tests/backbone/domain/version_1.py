"""What a release before the Arrow codec wrote for six frames: payloads of its outbox, and the identities it gave."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from backbone.domain import Dimension, Frame

__all__ = ["META", "WRITTEN", "Written"]

DAY, SECOND = datetime(2024, 3, 1, tzinfo=UTC), timedelta(seconds=1)
META = {"revision": "7", "source": "vendor", "ingested_at": "1709251200000000"}


class Written(NamedTuple):
    """One of them.

    Attributes:
        rows: what was to be written.
        payload: the bytes.
        ingest_id: of source "vendor" and the rows.
        fingerprint: of the rows.
        event_id: of the payload.
    """

    rows: Frame
    payload: bytes
    ingest_id: str
    fingerprint: str
    event_id: str


def _macro(event: str, second: int, actual: float | None, **others: Any) -> dict[str, Any]:
    return {"calendar": "US", "event": event, "ts": DAY + second * SECOND, "currency": "USD", "actual": actual} | others


ROWS: dict[Dimension, list[dict[str, Any]]] = {
    Dimension.DAILY_BARS: [
        {"symbol": "AAPL", "ts": DAY + timedelta(days=n), "open": 1.5 + n, "high": 2.5 + n, "low": 1.0, "close": 2.0}
        | {"volume": None if n else 100.0, "adj_close": 1.9}
        for n in range(3)
    ],
    Dimension.INTRADAY_BARS: [
        {"symbol": "EURUSD", "interval": "1h", "ts": DAY + timedelta(hours=n), "open": 1.1, "high": 1.2, "low": 1.0}
        | {"close": 1.15 + n, "volume": 10.0 * n}
        for n in range(3)
    ],
    Dimension.TRADES: [
        {"symbol": "AAPL", "ts": DAY + n * SECOND, "sequence": n, "price": 10.0 + n, "venue": venue}
        for n, venue in enumerate(("X", "Bé", None))
    ],
    Dimension.QUOTES: [
        {"symbol": "EURUSD", "ts": DAY + n * SECOND, "sequence": 0, "bid": 1.1, "ask": 1.2, "ask_size": 5.0}
        | {"venue": "LMAX"}
        for n in range(2)
    ],
    Dimension.ORDER_BOOK: [
        {"symbol": "BTCUSD", "ts": DAY, "sequence": 7, "side": side, "level": level, "price": 100.0 + level}
        | {"size": 1.0}
        for side in ("ask", "bid")
        for level in range(2)
    ],
    Dimension.MACRO_EVENTS: [
        _macro("CPI", 0, 3.1, forecast=3.0, importance="high", category="inflation"),
        _macro("NFP", 1, None, forecast=200.0, previous=180.0),
    ],
}


def _written() -> dict[Dimension, Written]:
    kept = json.loads(Path(__file__).with_name("version_1.json").read_text())
    return {
        dimension: Written(
            Frame.from_records(dimension, rows),
            b64decode(kept[dimension]["payload"]),
            *(kept[dimension][name] for name in ("ingest_id", "fingerprint", "event_id")),
        )
        for dimension, rows in ROWS.items()
    }


WRITTEN = _written()
