"""Files of data vendors and download pages."""

from __future__ import annotations

from typing import Final

from backbone.domain import Dimension
from backbone.sources.text.dialects import Dialect

__all__ = ["PROVIDERS"]

_DAILY: Final = (Dimension.DAILY_BARS,)
_TRADES: Final = (Dimension.TRADES,)
_QUOTES: Final = (Dimension.QUOTES,)
_WHOLE: Final = (r"-?\d+", "is a whole number of 1e-9; write the file with pretty_px, which has the decimal point")
_SIDES: Final = "names one of two venues, and a quote has one"
_PER: Final = "is the interval, which --interval says"
_OTHER_TIME: Final = "is another clock's time; sip_timestamp is read"
_EITHER: Final = "--time-format %m/%d/%Y or %d/%m/%Y"

PROVIDERS: Final = (
    Dialect(
        name="cryptodatadownload",
        title="CryptoDataDownload",
        header=("unix", "date", "symbol", "open", "high", "low", "close", "Volume *"),
        columns={"unix": "ts", "Volume *": "volume"},
        ignored={"date": "unix says the same", "Volume *": "counts the other currency"},
    ),
    Dialect(
        name="stooq",
        title="Stooq, bulk files",
        header=(
            "<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>", "<OPENINT>",
        ),
        columns={"<DATE>+<TIME>": "ts"},
        ignored={"<PER>": _PER},
        asks={"zone": "Stooq writes the time of Warsaw: --zone Europe/Warsaw"},
    ),
    Dialect(
        name="metastock",
        title="MetaStock text, as of Finam",
        header=("<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
        columns={"<DATE>+<TIME>": "ts"},
        ignored={"<PER>": _PER},
        asks={"zone": "the file does not say it"},
    ),
    Dialect(
        name="stooq-polish",
        title="Stooq, Polish page",
        dimensions=_DAILY,
        header=("Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie"),
        columns={
            "Data": "ts", "Otwarcie": "open", "Najwyzszy": "high", "Najnizszy": "low", "Zamkniecie": "close",
            "Wolumen": "volume",
        },
    ),
    Dialect(
        name="yahoo",
        title="Yahoo Finance",
        dimensions=_DAILY,
        header=("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
    ),
    Dialect(
        name="yahoo-page",
        title="Yahoo Finance, the table of the page",
        dimensions=_DAILY,
        header=("Date", "Open", "High", "Low", "Close Close price *", "Adj Close Adjusted *", "Volume"),
        columns={"Close Close price *": "close", "Adj Close Adjusted *": "adj_close"},
    ),
    Dialect(
        name="yfinance",
        title="yfinance",
        header=("Datetime", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
    ),
    Dialect(
        name="yfinance-history",
        title="yfinance, history of a ticker",
        header=("Open", "High", "Low", "Close", "Volume", "Dividends", "Stock Splits"),
        ignored={"Dividends": "are in the adjusted close", "Stock Splits": "are in all prices"},
    ),
    Dialect(
        name="yfinance-download",
        title="yfinance, download with a header of several lines",
        header=("Open", "High", "Low", "Close", "Volume"),
        labels=("Ticker",),
    ),
    Dialect(
        name="investing",
        title="Investing.com",
        dimensions=_DAILY,
        header=("Date", "Price", "Open", "High", "Low", "Vol.", "Change %"),
        columns={"Price": "close", "Vol.": "volume"},
        asks={"time_format": f"the page writes the order of day and month of its reader: {_EITHER}"},
    ),
    Dialect(
        name="polygon-aggregates",
        title="Polygon, flat files of bars",
        header=("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"),
        columns={"window_start": "ts"},
    ),
    Dialect(
        name="polygon-trades",
        title="Polygon, trades",
        dimensions=_TRADES,
        header=("conditions", "exchange", "id", "participant_timestamp", "price", "sequence_number", "sip_timestamp"),
        columns={"sip_timestamp": "ts", "sequence_number": "sequence"},
        ignored={
            "id": "is unique for one venue only; sequence_number is the sequence",
            "participant_timestamp": _OTHER_TIME, "trf_timestamp": _OTHER_TIME,
        },
    ),
    Dialect(
        name="polygon-quotes",
        title="Polygon, quotes",
        dimensions=_QUOTES,
        header=("ask_exchange", "ask_price", "ask_size", "bid_exchange", "bid_price", "bid_size", "sip_timestamp"),
        columns={"sip_timestamp": "ts", "sequence_number": "sequence"},
        ignored={
            "ask_exchange": _SIDES, "bid_exchange": _SIDES,
            "participant_timestamp": _OTHER_TIME, "trf_timestamp": _OTHER_TIME,
        },
    ),
    Dialect(
        name="polygon-rest",
        title="Polygon, aggregates of the interface",
        header=("v", "vw", "o", "c", "h", "l", "t", "n"),
        order="first",
        columns={"t": "ts"},
    ),
    Dialect(
        name="polygon-client",
        title="Polygon, aggregates of the Python client",
        header=("open", "high", "low", "close", "volume", "vwap", "timestamp", "transactions"),
        order="first",
    ),
    Dialect(
        name="alpaca-bars",
        title="Alpaca, bars",
        header=("timestamp", "open", "high", "low", "close", "volume", "trade_count", "vwap"),
    ),
    Dialect(
        name="alpaca-bars-rest",
        title="Alpaca, bars of the interface",
        header=("t", "o", "h", "l", "c", "v", "n", "vw"),
        order="first",
        columns={"t": "ts"},
    ),
    Dialect(
        name="alpaca-trades",
        title="Alpaca, trades",
        dimensions=_TRADES,
        header=("timestamp", "exchange", "price", "size", "conditions", "id", "tape"),
        columns={"id": "sequence"},
    ),
    Dialect(
        name="alpaca-trades-rest",
        title="Alpaca, trades of the interface",
        dimensions=_TRADES,
        header=("t", "x", "p", "s", "c", "i", "z"),
        order="first",
        columns={"t": "ts", "x": "venue", "p": "price", "s": "size", "c": "conditions", "i": "sequence"},
    ),
    Dialect(
        name="alpaca-quotes",
        title="Alpaca, quotes",
        dimensions=_QUOTES,
        header=("timestamp", "ask_exchange", "ask_price", "ask_size", "bid_exchange", "bid_price", "bid_size"),
        ignored={"ask_exchange": _SIDES, "bid_exchange": _SIDES},
    ),
    Dialect(
        name="databento-trades",
        title="Databento, trades",
        dimensions=_TRADES,
        header=("ts_event", "rtype", "publisher_id", "instrument_id", "action", "side", "price", "size", "sequence"),
        columns={"ts_event": "ts"},
        ignored={"ts_recv": "is when it was received; ts_event is when it happened"},
        refused={"price": _WHOLE},
    ),
    Dialect(
        name="databento-bars",
        title="Databento, bars",
        header=("ts_event", "rtype", "publisher_id", "instrument_id", "open", "high", "low", "close", "volume"),
        columns={"ts_event": "ts"},
        refused={"open": _WHOLE, "close": _WHOLE},
    ),
)  # fmt: skip
