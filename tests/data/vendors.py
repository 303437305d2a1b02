"""Tables of prices as files of vendors, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from backbone.domain import Dimension

__all__ = ["VENDORS", "Vendor"]

Column = Callable[[pa.Table], pa.ChunkedArray | pa.Array]


def of(name: str) -> Column:
    """A column as it is."""
    return lambda table: table.column(name)


def same(value: str) -> Column:
    """One value in all rows."""
    return lambda table: pa.repeat(value, table.num_rows)


def epoch(unit: str) -> Column:
    """Moments as numbers since 1970."""
    return lambda table: _whole(table, unit).cast(pa.int64())


def said(pattern: str, unit: str = "s") -> Column:
    """Moments as texts; seconds have the digits of the unit."""
    return lambda table: pc.strftime(_whole(table, unit), format=pattern)


def _whole(table: pa.Table, unit: str) -> pa.ChunkedArray:
    return table.column("ts").cast(pa.timestamp(unit, "UTC"), safe=False)


@dataclass(frozen=True)
class Vendor:
    """One vendor's files.

    Attributes:
        dimension: what their rows are.
        columns: by name, how each is made.
        delimiter: between fields.
        options: what has to be told when such a file is read.
    """

    dimension: Dimension
    columns: Mapping[str, Column]
    delimiter: str = ","
    options: Mapping[str, str] = field(default_factory=dict)

    def write(self, table: pa.Table, path: Path) -> Path:
        """A table as such a file."""
        made = pa.table({name: column(table) for name, column in self.columns.items()})
        options = pacsv.WriteOptions(delimiter=self.delimiter, quoting_style="none", quoting_header="none")
        pacsv.write_csv(made, path, write_options=options)
        return path


_BARS = {"Open": of("open"), "High": of("high"), "Low": of("low"), "Close": of("close")}
_SMALL = {name.lower(): column for name, column in _BARS.items()}
_NO = same("0")

VENDORS: Mapping[str, Vendor] = {
    "binance-klines": Vendor(
        Dimension.INTRADAY_BARS,
        {
            "open_time": epoch("ms"), **_SMALL, "volume": of("volume"), "close_time": epoch("ms"), "quote_volume": _NO,
            "count": _NO, "taker_buy_volume": _NO, "taker_buy_quote_volume": _NO, "ignore": _NO,
        },
    ),
    "dukascopy": Vendor(
        Dimension.INTRADAY_BARS, {"Gmt time": said("%d.%m.%Y %H:%M:%S", "ms"), **_BARS, "Volume": of("volume")}
    ),
    "metatrader5-bars": Vendor(
        Dimension.INTRADAY_BARS,
        {
            "<DATE>": said("%Y.%m.%d"), "<TIME>": said("%H:%M:%S"),
            **{f"<{name.upper()}>": column for name, column in _BARS.items()},
            "<TICKVOL>": of("volume"), "<VOL>": _NO, "<SPREAD>": _NO,
        },
        "\t",
        {"zone": "UTC"},
    ),
    "polygon-trades": Vendor(
        Dimension.TRADES,
        {
            "ticker": of("symbol"), "conditions": same(""), "correction": _NO, "exchange": of("venue"),
            "id": same("52"), "participant_timestamp": epoch("ns"), "price": of("price"),
            "sequence_number": of("sequence"), "sip_timestamp": epoch("ns"), "size": of("size"), "tape": same("1"),
            "trf_id": _NO, "trf_timestamp": _NO,
        },
    ),
    "alpaca-trades": Vendor(
        Dimension.TRADES,
        {
            "symbol": of("symbol"), "timestamp": said("%Y-%m-%d %H:%M:%S+00:00", "us"), "exchange": of("venue"),
            "price": of("price"), "size": of("size"), "conditions": same(""), "id": of("sequence"), "tape": same("A"),
        },
    ),
    "binance-trades": Vendor(
        Dimension.TRADES,
        {
            "id": of("sequence"), "price": of("price"), "qty": of("size"), "quote_qty": _NO, "time": epoch("us"),
            "is_buyer_maker": same("true"), "symbol": of("symbol"), "exchange": of("venue"),
        },
    ),
    "dukascopy-ticks": Vendor(
        Dimension.QUOTES,
        {
            "Gmt time": said("%d.%m.%Y %H:%M:%S", "ms"), "Ask": of("ask"), "Bid": of("bid"), "AskVolume": same(""),
            "BidVolume": same(""),
        },
    ),
    "metatrader5-ticks": Vendor(
        Dimension.QUOTES,
        {
            "<DATE>": said("%Y.%m.%d"), "<TIME>": said("%H:%M:%S", "ms"), "<BID>": of("bid"), "<ASK>": of("ask"),
            "<LAST>": same(""), "<VOLUME>": same(""), "<FLAGS>": same("6"),
        },
        "\t",
        {"zone": "UTC"},
    ),
    "dukascopy-node-ticks": Vendor(
        Dimension.QUOTES, {"timestamp": epoch("ms"), "askPrice": of("ask"), "bidPrice": of("bid")}
    ),
}  # fmt: skip
"""Three of bars, three of trades, three of quotes, by the names of their dialects."""
