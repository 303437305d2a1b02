"""What the tests of the facade share."""

from datetime import UTC, datetime
from pathlib import Path

from backbone import Dimension, Frame, IngestPlan
from backbone.domain.clock import interval_duration

SAMPLE = Path(__file__).parents[3] / "config" / "samples" / "eurusd_1h_tail.csv.gz"
BARS = Dimension.INTRADAY_BARS
START = datetime(2018, 6, 4, tzinfo=UTC)


def plan(path: Path = SAMPLE, **changes: object) -> IngestPlan:
    given: dict[str, object] = {"dimensions": [BARS], "interval": "1h", "path": path}
    return IngestPlan(**{**given, **changes})  # type: ignore[arg-type]


def bars(
    count: int = 3, *, close: float = 1.2, symbol: str = "EURUSD", start: datetime = START, interval: str = "1h"
) -> Frame:
    return Frame.from_records(
        BARS,
        [
            {
                "symbol": symbol,
                "interval": interval,
                "ts": start + number * interval_duration(interval),
                "open": close,
                "high": close + 0.01,
                "low": close - 0.01,
                "close": close,
                "volume": None,
            }
            for number in range(count)
        ],
    )


def write_csv(path: Path, frame: Frame) -> Path:
    rows = frame.to_arrow().to_pylist()
    lines = ["ts,symbol,open,high,low,close,volume"]
    lines += [f"{r['ts'].isoformat()},{r['symbol']},{r['open']},{r['high']},{r['low']},{r['close']}," for r in rows]
    path.write_text("\n".join(lines) + "\n")
    return path
