"""Files that exchanges give out: crypto venues, NSE and CBOE."""

from __future__ import annotations

from typing import Final

from backbone.domain import Dimension
from backbone.sources.text.dialects import Dialect

__all__ = ["EXCHANGES"]

_DAILY: Final = (Dimension.DAILY_BARS,)
_TRADES: Final = (Dimension.TRADES,)
_QUOTES: Final = (Dimension.QUOTES,)
_OTHER_CURRENCY: Final = "counts the other currency"
_MAKER: Final = "says who was the maker"

EXCHANGES: Final = (
    Dialect(
        name="binance-klines",
        title="Binance, klines",
        header=("open_time", "open", "high", "low", "close", "volume", "close_time"),
        columns={"open_time": "ts"},
        ignored={"close_time": "is the end of the bar", "quote_*": _OTHER_CURRENCY, "ignore": "means nothing"},
    ),
    Dialect(
        name="binance-klines-bare",
        title="Binance, klines without a header",
        shapes=(
            "epoch ms or us", "number", "number", "number", "number", "number",
            "epoch ms or us", "number", "whole", "number", "number", "number",
        ),
        columns={"1": "ts", "2": "open", "3": "high", "4": "low", "5": "close", "6": "volume"},
        ignored={
            "7": "is the end of the bar", "8": _OTHER_CURRENCY, "9": "counts the trades",
            "10": "is what takers bought", "11": _OTHER_CURRENCY, "12": "means nothing",
        },
    ),
    Dialect(
        name="binance-trades",
        title="Binance, trades",
        dimensions=_TRADES,
        header=("id", "price", "qty", "quote_qty", "time", "is_buyer_maker"),
        columns={"time": "ts", "qty": "size", "id": "sequence"},
        ignored={"quote_qty": _OTHER_CURRENCY, "is_buyer_maker": _MAKER},
    ),
    Dialect(
        name="binance-trades-rest",
        title="Binance, trades of the interface",
        dimensions=_TRADES,
        header=("id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"),
        columns={"time": "ts", "qty": "size", "id": "sequence"},
        ignored={"quoteQty": _OTHER_CURRENCY, "isBuyerMaker": _MAKER},
    ),
    Dialect(
        name="binance-agg-trades",
        title="Binance, aggTrades",
        dimensions=_TRADES,
        header=("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time"),
        columns={"transact_time": "ts", "quantity": "size", "agg_trade_id": "sequence"},
        ignored={"is_buyer_maker": _MAKER},
    ),
    Dialect(
        name="binance-agg-trades-rest",
        title="Binance, aggTrades of the interface",
        dimensions=_TRADES,
        header=("a", "p", "q", "f", "l", "T", "m"),
        order="first",
        columns={"T": "ts", "p": "price", "q": "size", "a": "sequence"},
        ignored={"f": "is the first trade", "l": "is the last trade", "m": _MAKER},
    ),
    Dialect(
        name="binance-book-ticker",
        title="Binance, bookTicker",
        dimensions=_QUOTES,
        header=("update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time"),
        columns={
            "transaction_time": "ts", "update_id": "sequence", "best_bid_price": "bid", "best_bid_qty": "bid_size",
            "best_ask_price": "ask", "best_ask_qty": "ask_size",
        },
        ignored={"event_time": "is when it was sent"},
    ),
    Dialect(
        name="kraken-ohlcvt",
        title="Kraken, OHLCVT",
        header=("timestamp", "open", "high", "low", "close", "volume", "trades"),
        order="first",
    ),
    Dialect(
        name="kraken-ohlc",
        title="Kraken, OHLC of the interface",
        header=("time", "open", "high", "low", "close", "vwap", "volume", "count"),
        order="first",
    ),
    Dialect(
        name="kraken-trades",
        title="Kraken, trades",
        dimensions=_TRADES,
        header=("price", "volume", "time", "side", "ordertype", "misc"),
        columns={"time": "ts", "volume": "size", "trade_id": "sequence"},
    ),
    Dialect(
        name="bitstamp-bars",
        title="Bitstamp, bars",
        header=("Timestamp", "Open", "High", "Low", "Close", "Volume_(BTC)", "Volume_(Currency)", "Weighted_Price"),
        columns={"Volume_(BTC)": "volume"},
        ignored={"Volume_(Currency)": _OTHER_CURRENCY},
    ),
    Dialect(
        name="bitstamp-trades",
        title="Bitstamp, transactions",
        dimensions=_TRADES,
        header=("date", "tid", "amount", "type", "price"),
        columns={"date": "ts", "tid": "sequence", "amount": "size"},
        ignored={"type": "is 0 for a buy and 1 for a sale"},
    ),
    Dialect(
        name="coinbase-candles",
        title="Coinbase, candles",
        header=("time", "low", "high", "open", "close", "volume"),
        order="first",
    ),
    Dialect(
        name="coinbase-candles-advanced",
        title="Coinbase, candles of Advanced Trade",
        header=("start", "low", "high", "open", "close", "volume"),
        columns={"start": "ts"},
    ),
    Dialect(
        name="coinbase-trades",
        title="Coinbase, trades",
        dimensions=_TRADES,
        header=("time", "trade_id", "price", "size", "side"),
        columns={"time": "ts", "trade_id": "sequence", "product_id": "symbol"},
    ),
    Dialect(
        name="nse-bhavcopy",
        title="NSE, bhavcopy",
        dimensions=_DAILY,
        header=("SYMBOL", "SERIES", "OPEN", "HIGH", "LOW", "CLOSE", "PREVCLOSE", "TOTTRDQTY", "TIMESTAMP"),
        columns={"TIMESTAMP": "ts", "TOTTRDQTY": "volume"},
        ignored={"LAST": "close is the one of the day", "TOTTRDVAL": "counts rupees"},
    ),
    Dialect(
        name="nse-bhavcopy-full",
        title="NSE, full bhavcopy",
        dimensions=_DAILY,
        header=("SYMBOL", "SERIES", "DATE1", "PREV_CLOSE", "OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE", "CLOSE_PRICE"),
        columns={"DATE1": "ts", "TTL_TRD_QNTY": "volume"},
        ignored={"LAST_PRICE": "close is the one of the day", "TURNOVER_LACS": "counts rupees"},
    ),
    Dialect(
        name="nse-udiff",
        title="NSE, bhavcopy since 2024",
        dimensions=_DAILY,
        header=("TradDt", "TckrSymb", "SctySrs", "OpnPric", "HghPric", "LwPric", "ClsPric", "TtlTradgVol"),
        columns={
            "TradDt": "ts", "TckrSymb": "symbol", "OpnPric": "open", "HghPric": "high", "LwPric": "low",
            "ClsPric": "close", "TtlTradgVol": "volume",
        },
        ignored={"LastPric": "close is the one of the day", "TtlTrfVal": "counts rupees"},
    ),
    Dialect(
        name="nasdaq",
        title="Nasdaq, history of a stock",
        dimensions=_DAILY,
        header=("Date", "Close/Last", "Volume", "Open", "High", "Low"),
        order="first",
        columns={"Close/Last": "close"},
        asks={"time_format": "Nasdaq writes month/day/year: --time-format %m/%d/%Y"},
    ),
    Dialect(
        name="cboe-index",
        title="CBOE, index history",
        dimensions=_DAILY,
        header=("DATE", "OPEN", "HIGH", "LOW", "CLOSE"),
        order="exact",
        asks={"time_format": "CBOE writes month/day/year: --time-format %m/%d/%Y"},
    ),
    Dialect(
        name="cboe-futures",
        title="CBOE, futures history",
        dimensions=_DAILY,
        header=("Trade Date", "Futures", "Open", "High", "Low", "Close", "Settle", "Total Volume"),
        columns={"Trade Date": "ts", "Futures": "symbol", "Total Volume": "volume"},
        ignored={"Settle": "close is the last price"},
    ),
)  # fmt: skip
