"""Files that trading terminals and brokers write."""

from __future__ import annotations

from typing import Final

from backbone.domain import Dimension
from backbone.sources.text.dialects import Dialect

__all__ = ["TERMINALS"]

_INTRADAY: Final = (Dimension.INTRADAY_BARS,)
_TRADES: Final = (Dimension.TRADES,)
_QUOTES: Final = (Dimension.QUOTES,)
_SERVER: Final = {"zone": "MetaTrader writes the time of the broker's server, often that of --zone Europe/Athens"}
_EST: Final = {"zone": "HistData writes Eastern time without daylight saving: --zone EST"}
_CHART: Final = {"zone": "the terminal writes the time zone of the chart"}
_REAL: Final = "is the volume of the exchange; <TICKVOL> became the volume"
_SPREAD: Final = "is the spread in points"

TERMINALS: Final = (
    Dialect(
        name="dukascopy",
        title="Dukascopy, bars",
        header=("Gmt time", "Open", "High", "Low", "Close"),
        columns={"Gmt time": "ts"},
        zone="UTC",
        day_first=True,
    ),
    Dialect(
        name="dukascopy-local",
        title="Dukascopy, bars in local time",
        header=("Local time", "Open", "High", "Low", "Close"),
        columns={"Local time": "ts"},
        day_first=True,
    ),
    Dialect(
        name="dukascopy-utc",
        title="Dukascopy, bars of the data export",
        header=("Time (UTC)", "Open", "High", "Low", "Close"),
        columns={"Time (UTC)": "ts"},
        zone="UTC",
    ),
    Dialect(
        name="dukascopy-eet",
        title="Dukascopy, bars in Eastern European time",
        header=("Time (EET)", "Open", "High", "Low", "Close"),
        columns={"Time (EET)": "ts"},
        zone="EET",
    ),
    Dialect(
        name="dukascopy-ticks",
        title="Dukascopy, ticks",
        dimensions=_QUOTES,
        header=("Gmt time", "Ask", "Bid", "AskVolume", "BidVolume"),
        columns={"Gmt time": "ts"},
        zone="UTC",
        day_first=True,
    ),
    Dialect(
        name="dukascopy-ticks-local",
        title="Dukascopy, ticks in local time",
        dimensions=_QUOTES,
        header=("Local time", "Ask", "Bid", "AskVolume", "BidVolume"),
        columns={"Local time": "ts"},
        day_first=True,
    ),
    Dialect(
        name="dukascopy-node-ticks",
        title="dukascopy-node, ticks",
        dimensions=_QUOTES,
        header=("timestamp", "askPrice", "bidPrice"),
        order="first",
    ),
    Dialect(
        name="histdata-bars",
        title="HistData, ASCII bars",
        dimensions=_INTRADAY,
        shapes=("yyyymmdd hhmmss", "number", "number", "number", "number", "whole"),
        columns={"1": "ts", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"},
        asks=_EST,
    ),
    Dialect(
        name="histdata-ticks",
        title="HistData, ASCII ticks",
        dimensions=_QUOTES,
        shapes=("yyyymmdd hhmmssfff", "number", "number", "whole"),
        columns={"1": "ts", "2": "bid", "3": "ask"},
        ignored={"4": "is 0 in every row"},
        asks=_EST,
    ),
    Dialect(
        name="metatrader-bars",
        title="MetaTrader 4, bars without a header",
        shapes=("yyyy.mm.dd", "hh:mm", "number", "number", "number", "number", "whole"),
        columns={"1+2": "ts", "3": "open", "4": "high", "5": "low", "6": "close", "7": "volume"},
        asks=_SERVER,
    ),
    Dialect(
        name="metatrader5-bars",
        title="MetaTrader 5, bars",
        header=("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>", "<SPREAD>"),
        columns={"<DATE>+<TIME>": "ts", "<DATE>": "ts", "<TICKVOL>": "volume"},
        ignored={"<VOL>": _REAL, "<SPREAD>": _SPREAD},
        asks=_SERVER,
    ),
    Dialect(
        name="metatrader5-bars-bare",
        title="MetaTrader 5, bars without a header",
        shapes=("yyyy.mm.dd", "hh:mm:ss", "number", "number", "number", "number", "whole", "whole", "whole"),
        columns={"1+2": "ts", "3": "open", "4": "high", "5": "low", "6": "close", "7": "volume"},
        ignored={"8": "is the volume of the exchange; field 7, of ticks, became the volume", "9": _SPREAD},
        asks=_SERVER,
    ),
    Dialect(
        name="metatrader5-chart",
        title="MetaTrader 5, bars saved from a chart",
        shapes=("yyyy.mm.dd hh:mm", "number", "number", "number", "number", "whole", "whole"),
        columns={"1": "ts", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"},
        ignored={"7": _SPREAD},
        asks=_SERVER,
    ),
    Dialect(
        name="metatrader5-ticks",
        title="MetaTrader 5, ticks",
        dimensions=_QUOTES,
        header=("<DATE>", "<TIME>", "<BID>", "<ASK>", "<LAST>", "<VOLUME>"),
        columns={"<DATE>+<TIME>": "ts"},
        ignored={"<FLAGS>": "says what has changed"},
        asks=_SERVER,
    ),
    Dialect(
        name="metatrader5-trades",
        title="MetaTrader 5, ticks as trades",
        dimensions=_TRADES,
        header=("<DATE>", "<TIME>", "<BID>", "<ASK>", "<LAST>", "<VOLUME>"),
        columns={"<DATE>+<TIME>": "ts", "<LAST>": "price", "<VOLUME>": "size"},
        ignored={"<FLAGS>": "says what has changed"},
        asks=_SERVER,
    ),
    Dialect(
        name="sierra-chart",
        title="Sierra Chart",
        header=("Date", "Time", "Open", "High", "Low", "Last", "Volume"),
        order="first",
        columns={"Date+Time": "ts", "Last": "close"},
        asks=_CHART,
    ),
    Dialect(
        name="tradingview",
        title="TradingView",
        header=("time", "open", "high", "low", "close"),
        order="first",
        asks=_CHART,
    ),
)
