"""Small files in each dialect, and what their first row says."""

from __future__ import annotations

from dataclasses import dataclass, field

from backbone.domain import Dimension

__all__ = ["FILES", "File"]

BARS, DAILY = Dimension.INTRADAY_BARS, Dimension.DAILY_BARS
TRADES, QUOTES = Dimension.TRADES, Dimension.QUOTES


@dataclass(frozen=True)
class File:
    """A file.

    Attributes:
        dialect: it is in.
        text: of it.
        first: some columns of its first row, ``ts`` as ISO-8601.
        dimension: what its rows are.
        options: that have to be told.
        rows: how many it has.
        ignored: some of the columns that are not read.
    """

    dialect: str
    text: str
    first: dict[str, object]
    dimension: Dimension = BARS
    options: dict[str, object] = field(default_factory=dict)
    rows: int = 2
    ignored: tuple[str, ...] = ()


def bar(ts: str, *prices: float) -> dict[str, object]:
    """The expected values of a bar: open, high, low, close, volume."""
    return {"ts": ts, **dict(zip(("open", "high", "low", "close", "volume"), prices, strict=False))}


FILES = (
    File(
        "binance-klines",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"
        "1735682400000,95001.10,95120.00,94950.50,95080.00,120.5,1735685999999,11456000.1,15095,60.2,5720000.2,0\n"
        "1735686000000,95080.00,95200.00,95010.00,95150.20,98.1,1735689599999,9330000.0,13953,50.1,4760000.0,0\n",
        bar("2024-12-31T22:00Z", 95001.1, 95120, 94950.5, 95080, 120.5),
        ignored=("close_time", "quote_volume", "count", "ignore"),
    ),
    File(
        "binance-klines",
        "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,Ignore\n"
        "1735682400000,1,3,0.5,2,7,1735685999999,14,5,0\n"
        "1735689600000000,1,3,0.5,2,7,1735693199999999,14,5,0\n",
        bar("2024-12-31T22:00Z", 1, 3, 0.5, 2, 7),
        ignored=("Close time", "Quote asset volume", "Number of trades"),
    ),
    File(
        "binance-klines-bare",
        "1735682400000,95001.10,95120.00,94950.50,95080.00,120.5,1735685999999,11456000.1,15095,60.2,5720000.2,0\n"
        "1735689600000000,95150.20,95300.00,95100.00,95220.00,77.7,1735693199999999,7400000.0,9001,40.0,3800000.0,0\n",
        bar("2024-12-31T22:00Z", 95001.1, 95120, 94950.5, 95080, 120.5),
        ignored=("7", "8", "9", "10", "11", "12"),
    ),
    File(
        "binance-klines-bare",
        "1735689600000000,95150.20,95300.00,95100.00,95220.00,77.7,1735693199999999,7400000.0,9001,40.0,3800000.0,0\n",
        bar("2025-01-01T00:00Z", 95150.2, 95300, 95100, 95220, 77.7),
        rows=1,
    ),
    File(
        "binance-trades",
        "id,price,qty,quote_qty,time,is_buyer_maker\n"
        "173525189,11343.67,0.467,5297.49,1596240000519,true\n"
        "173525190,11343.67,1.428,16198.76,1596240000519,false\n",
        {"ts": "2020-08-01T00:00:00.519Z", "sequence": 173525189, "price": 11343.67, "size": 0.467},
        TRADES,
        ignored=("quote_qty", "is_buyer_maker"),
    ),
    File(
        "binance-trades-rest",
        "id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch\n28457,4.00000100,12,48.000012,1499865549590,true,true\n",
        {"ts": "2017-07-12T13:19:09.590Z", "sequence": 28457, "price": 4.000001, "size": 12},
        TRADES,
        rows=1,
        ignored=("quoteQty", "isBestMatch"),
    ),
    File(
        "binance-agg-trades",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
        "26129,0.01633102,4.70443515,27781,27781,1498793709153,true\n",
        {"ts": "2017-06-30T03:35:09.153Z", "sequence": 26129, "price": 0.01633102, "size": 4.70443515},
        TRADES,
        rows=1,
        ignored=("first_trade_id", "last_trade_id"),
    ),
    File(
        "binance-agg-trades-rest",
        "a,p,q,f,l,T,m,M\n26129,0.01633102,4.70443515,27781,27781,1498793709153,True,True\n",
        {"ts": "2017-06-30T03:35:09.153Z", "sequence": 26129, "price": 0.01633102, "size": 4.70443515},
        TRADES,
        rows=1,
        ignored=("f", "l", "m", "M"),
    ),
    File(
        "binance-book-ticker",
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
        "8,23.1,4,23.2,5,1684108800015,1684108800020\n",
        {"ts": "2023-05-15T00:00:00.015Z", "sequence": 8, "bid": 23.1, "bid_size": 4, "ask": 23.2, "ask_size": 5},
        QUOTES,
        rows=1,
        ignored=("event_time",),
    ),
    File(
        "kraken-ohlcvt",
        "timestamp,open,high,low,close,volume,trades\n1709906400,68000.1,68100,67900,68050.5,12.5,340\n",
        bar("2024-03-08T14:00Z", 68000.1, 68100, 67900, 68050.5, 12.5),
        rows=1,
        ignored=("trades",),
    ),
    File(
        "kraken-ohlc",
        "time,open,high,low,close,vwap,volume,count\n1709906400,68000.1,68100,67900,68050.5,68010,12.5,340\n",
        bar("2024-03-08T14:00Z", 68000.1, 68100, 67900, 68050.5, 12.5),
        rows=1,
        ignored=("vwap", "count"),
    ),
    File(
        "kraken-trades",
        "price,volume,time,side,ordertype,misc,trade_id\n8552.90000,0.03190270,1559347203.7998,s,m,,81\n",
        {"ts": "2019-06-01T00:00:03.799800Z", "price": 8552.9, "size": 0.0319027, "sequence": 81},
        TRADES,
        rows=1,
        ignored=("side", "ordertype", "misc"),
    ),
    File(
        "bitstamp-bars",
        "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price\n"
        "1325317920,4.39,4.4,4.38,4.39,0.45558087,2.0000000193,4.39\n"
        "1325317980,NaN,NaN,NaN,NaN,NaN,NaN,NaN\n",
        bar("2011-12-31T07:52Z", 4.39, 4.4, 4.38, 4.39, 0.45558087),
        rows=1,
        ignored=("Volume_(Currency)", "Weighted_Price"),
    ),
    File(
        "bitstamp-trades",
        "date,tid,amount,type,price\n1709906401,327890011,0.0125,0,68010.5\n",
        {"ts": "2024-03-08T14:00:01Z", "sequence": 327890011, "price": 68010.5, "size": 0.0125},
        TRADES,
        rows=1,
        ignored=("type",),
    ),
    File(
        "coinbase-candles",
        "time,low,high,open,close,volume\n1709906400,67900,68100,68000.1,68050.5,12.5\n",
        bar("2024-03-08T14:00Z", 68000.1, 68100, 67900, 68050.5, 12.5),
        rows=1,
    ),
    File(
        "coinbase-candles-advanced",
        "start,low,high,open,close,volume\n1709906400,67900,68100,68000.1,68050.5,12.5\n",
        bar("2024-03-08T14:00Z", 68000.1, 68100, 67900, 68050.5, 12.5),
        rows=1,
    ),
    File(
        "coinbase-trades",
        "time,trade_id,price,size,side\n2024-03-08T14:00:00.123456Z,74,68010.5,0.0125,buy\n",
        {"ts": "2024-03-08T14:00:00.123456Z", "sequence": 74, "price": 68010.5, "size": 0.0125},
        TRADES,
        rows=1,
        ignored=("side",),
    ),
    File(
        "nse-bhavcopy",
        "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,\n"
        "ACME,EQ,10.5,10.8,10.4,10.7,10.7,10.4,1200300,12843210,07-MAR-2024,4123,XX0000000001,\n",
        bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300),
        DAILY,
        rows=1,
        ignored=("SERIES", "LAST", "TOTTRDVAL", "column 14"),
    ),
    File(
        "nse-bhavcopy-full",
        "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE,"
        " TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER\n"
        "ACME, EQ, 07-Mar-2024, 10.4, 10.5, 10.8, 10.4, 10.7, 10.7, 10.6, 1200300, 128.43, 4123, 500, 41.66\n",
        bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300),
        DAILY,
        rows=1,
        ignored=("LAST_PRICE", "TURNOVER_LACS", "DELIV_PER"),
    ),
    File(
        "nse-udiff",
        "TradDt,BizDt,Sgmt,Src,FinInstrmTp,ISIN,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,"
        "TtlTradgVol,TtlTrfVal\n"
        "2024-07-08,2024-07-08,CM,NSE,STK,XX0000000001,ACME,EQ,10.5,10.8,10.4,10.7,10.7,10.4,1200300,12843210\n",
        bar("2024-07-08T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300),
        DAILY,
        rows=1,
        ignored=("BizDt", "LastPric", "TtlTrfVal"),
    ),
    File(
        "nasdaq",
        "Date,Close/Last,Volume,Open,High,Low\n03/07/2024,$10.70,1200300,$10.50,$10.80,$10.40\n",
        bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300),
        DAILY,
        {"time_format": "%m/%d/%Y"},
        rows=1,
    ),
    File(
        "cboe-index",
        "Disclaimer: for information only, no warranty\n\nDATE,OPEN,HIGH,LOW,CLOSE\n"
        "03/07/2024,14.40,14.90,14.10,14.44\n",
        {**bar("2024-03-07T00:00Z", 14.4, 14.9, 14.1, 14.44), "volume": None},
        DAILY,
        {"time_format": "%m/%d/%Y"},
        rows=1,
    ),
    File(
        "cboe-futures",
        "Trade Date,Futures,Open,High,Low,Close,Settle,Change,Total Volume,EFP,Open Interest\n"
        "2024-03-07,H (Mar 2024),14.5,15.0,14.4,14.8,14.85,0.2,81234,0,120345\n",
        {**bar("2024-03-07T00:00Z", 14.5, 15, 14.4, 14.8, 81234), "symbol": "H (Mar 2024)"},
        DAILY,
        rows=1,
        ignored=("Settle", "Change", "EFP", "Open Interest"),
    ),
    File(
        "dukascopy",
        "Gmt time,Open,High,Low,Close,Volume\n"
        "08.03.2024 19:00:00.000,1.09381,1.09412,1.09355,1.09377,4211.55\n"
        "08.03.2024 20:00:00.000,1.09377,1.09401,1.09342,1.09390,3120.2\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 4211.55),
    ),
    File(
        "dukascopy-local",
        "Local time,Open,High,Low,Close,Volume\n"
        "08.03.2024 20:00:00.000 GMT+0100,1.09381,1.09412,1.09355,1.09377,4211.55\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 4211.55),
        rows=1,
    ),
    File(
        "dukascopy-utc",
        "Time (UTC),Open,High,Low,Close,Volume\n2024.03.08 19:00:00,1.09381,1.09412,1.09355,1.09377,4211.55\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 4211.55),
        rows=1,
    ),
    File(
        "dukascopy-eet",
        "Time (EET),Open,High,Low,Close,Volume \n2024.03.08 21:00:00,1.09381,1.09412,1.09355,1.09377,4211.55\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 4211.55),
        rows=1,
    ),
    File(
        "dukascopy-ticks",
        "Gmt time,Ask,Bid,AskVolume,BidVolume\n08.03.2024 19:00:00.123,1.09383,1.09381,0.75,1.5\n",
        {"ts": "2024-03-08T19:00:00.123Z", "ask": 1.09383, "bid": 1.09381, "ask_size": 0.75, "bid_size": 1.5},
        QUOTES,
        rows=1,
    ),
    File(
        "dukascopy-ticks-local",
        "Local time,Ask,Bid,AskVolume,BidVolume\n08.03.2024 20:00:00.123 GMT+0100,1.09383,1.09381,0.75,1.5\n",
        {"ts": "2024-03-08T19:00:00.123Z", "ask": 1.09383, "bid": 1.09381, "ask_size": 0.75, "bid_size": 1.5},
        QUOTES,
        rows=1,
    ),
    File(
        "dukascopy-node-ticks",
        "timestamp,askPrice,bidPrice,askVolume,bidVolume\n1709924400123,1.09383,1.09381,0.75,1.5\n",
        {"ts": "2024-03-08T19:00:00.123Z", "ask": 1.09383, "bid": 1.09381, "ask_size": 0.75, "bid_size": 1.5},
        QUOTES,
        rows=1,
    ),
    File(
        "histdata-bars",
        "20240308 165700;1.093810;1.093850;1.093800;1.093840;0\n"
        "20240308 165800;1.093840;1.093860;1.093790;1.093800;0\n",
        bar("2024-03-08T21:57Z", 1.09381, 1.09385, 1.0938, 1.09384, 0),
        options={"zone": "EST"},
    ),
    File(
        "histdata-ticks",
        "20240308 165700123,1.093810,1.093830,0\n20240308 165700456,1.093820,1.093840,0\n",
        {"ts": "2024-03-08T21:57:00.123Z", "bid": 1.09381, "ask": 1.09383},
        QUOTES,
        {"zone": "EST"},
        ignored=("4",),
    ),
    File(
        "metatrader-bars",
        "2024.03.08,22:57,1.09381,1.09385,1.09380,1.09384,31\n2024.03.08,22:58,1.09384,1.09386,1.09379,1.09380,27\n",
        bar("2024-03-08T20:57Z", 1.09381, 1.09385, 1.0938, 1.09384, 31),
        options={"zone": "Europe/Athens"},
    ),
    File(
        "metatrader-bars",
        "2024.03.07,00:00,1.09381,1.09385,1.09380,1.09384,31\n",
        bar("2024-03-07T00:00Z", 1.09381, 1.09385, 1.0938, 1.09384, 31),
        DAILY,
        rows=1,
    ),
    File(
        "metatrader5-bars",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.03.08\t21:00:00\t1.09381\t1.09412\t1.09355\t1.09377\t1874\t0\t3\n"
        "2024.03.08\t22:00:00\t1.09377\t1.09401\t1.09342\t1.09390\t1523\t0\t3\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 1874),
        options={"zone": "Europe/Athens"},
        ignored=("<VOL>", "<SPREAD>"),
    ),
    File(
        "metatrader5-bars",
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.03.07\t1.08981\t1.09495\t1.08671\t1.09479\t61874\t0\t3\n",
        bar("2024-03-07T00:00Z", 1.08981, 1.09495, 1.08671, 1.09479, 61874),
        DAILY,
        rows=1,
    ),
    File(
        "metatrader5-bars-bare",
        "2024.03.08\t21:00:00\t1.09381\t1.09412\t1.09355\t1.09377\t1874\t0\t3\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 1874),
        options={"zone": "Europe/Athens"},
        rows=1,
        ignored=("8", "9"),
    ),
    File(
        "metatrader5-chart",
        "2024.03.08 21:00,1.09381,1.09412,1.09355,1.09377,1874,3\n",
        bar("2024-03-08T19:00Z", 1.09381, 1.09412, 1.09355, 1.09377, 1874),
        options={"zone": "Europe/Athens"},
        rows=1,
        ignored=("7",),
    ),
    File(
        "metatrader5-ticks",
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
        "2024.03.08\t21:00:00.123\t1.09381\t1.09383\t\t\t6\n"
        "2024.03.08\t21:00:00.456\t1.09382\t\t\t\t2\n",
        {"ts": "2024-03-08T19:00:00.123Z", "bid": 1.09381, "ask": 1.09383},
        QUOTES,
        {"zone": "Europe/Athens"},
        ignored=("<LAST>", "<VOLUME>", "<FLAGS>"),
    ),
    File(
        "metatrader5-trades",
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
        "2024.03.08\t21:00:00.123\t\t\t5151.75\t3\t24\n",
        {"ts": "2024-03-08T19:00:00.123Z", "price": 5151.75, "size": 3},
        TRADES,
        {"zone": "Europe/Athens"},
        rows=1,
        ignored=("<BID>", "<ASK>"),
    ),
    File(
        "sierra-chart",
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n"
        "2024/3/8, 09:30:00.000000, 5150.25, 5152.00, 5149.50, 5151.75, 2100, 800, 1000, 1100\n",
        bar("2024-03-08T14:30Z", 5150.25, 5152, 5149.5, 5151.75, 2100),
        options={"zone": "America/New_York"},
        rows=1,
        ignored=("NumberOfTrades", "BidVolume", "AskVolume"),
    ),
    File(
        "tradingview",
        "time,open,high,low,close,Volume,Volume MA\n2024-03-08T09:30:00-05:00,10.7,10.8,10.6,10.75,1000,950\n",
        bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000),
        rows=1,
        ignored=("Volume MA",),
    ),
    File(
        "tradingview",
        "time,open,high,low,close\n1709906400,10.7,10.8,10.6,10.75\n",
        bar("2024-03-08T14:00Z", 10.7, 10.8, 10.6, 10.75),
        rows=1,
    ),
    File(
        "cryptodatadownload",
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n"
        "1709928000000,2024-03-08 20:00:00,BTC/USD,68300.1,68500,68200,68410.5,12.5,855131\n"
        "1709924400000,2024-03-08 19:00:00,BTC/USD,68100.0,68350,68050,68300.1,10.2,696661\n",
        {**bar("2024-03-08T20:00Z", 68300.1, 68500, 68200, 68410.5, 12.5), "symbol": "BTC/USD"},
        ignored=("date", "Volume USD"),
    ),
    File(
        "cryptodatadownload",
        "Unix,Date,Symbol,Open,High,Low,Close,Volume ETH,Volume USDT,tradecount\n"
        "1709928000000,2024-03-08 20:00:00,ETHUSDT,3900,3950,3890,3940,120.5,470000,812\n",
        bar("2024-03-08T20:00Z", 3900, 3950, 3890, 3940, 120.5),
        rows=1,
        ignored=("Date", "Volume USDT", "tradecount"),
    ),
    File(
        "stooq",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "ACME.US,D,20240307,000000,10.5,10.8,10.4,10.7,1200300,0\n",
        {**bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300), "symbol": "ACME.US"},
        DAILY,
        rows=1,
        ignored=("<PER>", "<OPENINT>"),
    ),
    File(
        "stooq",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "ACME.US,60,20240307,160000,10.5,10.8,10.4,10.7,1200300,0\n",
        bar("2024-03-07T15:00Z", 10.5, 10.8, 10.4, 10.7, 1200300),
        options={"zone": "Europe/Warsaw"},
        rows=1,
    ),
    File(
        "metastock",
        "<TICKER>;<PER>;<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>\n"
        "ACME;5;20240307;100500;10.5;10.8;10.4;10.7;1200\n",
        bar("2024-03-07T07:05Z", 10.5, 10.8, 10.4, 10.7, 1200),
        options={"zone": "Europe/Moscow"},
        rows=1,
        ignored=("<PER>",),
    ),
    File(
        "stooq-polish",
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen\n2024-03-07,10.5,10.8,10.4,10.7,1200300\n",
        bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300),
        DAILY,
        rows=1,
    ),
    File(
        "yahoo",
        "Date,Open,High,Low,Close*,Adj Close**,Volume\n2024-03-07,10.5,10.8,10.4,10.7,10.65,1200300\n",
        {**bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300), "adj_close": 10.65},
        DAILY,
        rows=1,
    ),
    File(
        "yahoo-page",
        "Date\tOpen\tHigh\tLow\tClose Close price adjusted for splits.\t"
        "Adj Close Adjusted close price adjusted for splits and dividend and/or capital gain distributions.\tVolume\n"
        "Mar 7, 2024\t10.50\t10.80\t10.40\t10.70\t10.65\t1,200,300\n",
        {**bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300), "adj_close": 10.65},
        DAILY,
        rows=1,
    ),
    File(
        "yfinance",
        "Datetime,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-03-08 09:30:00-05:00,10.7,10.8,10.6,10.75,10.75,100000\n"
        "2024-03-11 09:30:00-04:00,10.9,11.0,10.8,10.95,10.95,110000\n",
        bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 100000),
        ignored=("Adj Close",),
    ),
    File(
        "yfinance-history",
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-03-08 00:00:00-05:00,10.7,11.0,10.6,10.9,900100,0.0,0.0\n",
        bar("2024-03-08T00:00Z", 10.7, 11, 10.6, 10.9, 900100),
        DAILY,
        rows=1,
        ignored=("Dividends", "Stock Splits"),
    ),
    File(
        "yfinance-download",
        "Price,Close,High,Low,Open,Volume\nTicker,ACME,ACME,ACME,ACME,ACME\nDate,,,,,\n"
        "2024-03-07,10.7,10.8,10.4,10.5,1200300\n2024-03-08,10.9,11.0,10.6,10.7,900100\n",
        {**bar("2024-03-07T00:00Z", 10.5, 10.8, 10.4, 10.7, 1200300), "symbol": "ACME"},
        DAILY,
    ),
    File(
        "yfinance-download",
        "Ticker,ACME,ACME,ACME,ACME,ACME\nPrice,Open,High,Low,Close,Volume\nDatetime,,,,,\n"
        "2024-03-08 14:30:00+00:00,10.5,10.8,10.4,10.7,1200300\n",
        {**bar("2024-03-08T14:30Z", 10.5, 10.8, 10.4, 10.7, 1200300), "symbol": "ACME"},
        rows=1,
    ),
    File(
        "investing",
        '\ufeff"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"03/08/2024","1.0938","1.0947","1.0981","1.0920","1.23M","-0.10%"\n'
        '"03/07/2024","1.0947","1.0898","1.0950","1.0867","980.5K","0.45%"\n',
        bar("2024-03-08T00:00Z", 1.0947, 1.0981, 1.092, 1.0938, 1230000),
        DAILY,
        {"time_format": "%m/%d/%Y"},
        ignored=("Change %",),
    ),
    File(
        "polygon-aggregates",
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "ACME,1000,10.7,10.75,10.8,10.6,1709908200000000000,12\n",
        {**bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000), "symbol": "ACME"},
        rows=1,
        ignored=("transactions",),
    ),
    File(
        "polygon-trades",
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,"
        "trf_id,trf_timestamp\n"
        'ACME,"12,37",0,11,52983525035312,1712306654208705000,142.99,3807,1712306654208740000,5,1,0,0\n'
        "ACME,12,0,11,52983525035314,1712306654429439000,143,3809,1712306654429468000,187,1,0,0\n",
        {
            "ts": "2024-04-05T08:44:14.208740Z", "sequence": 3807, "price": 142.99, "size": 5, "venue": "11",
            "conditions": "12,37",
        },
        TRADES,
        ignored=("id", "participant_timestamp", "tape"),
    ),
    File(
        "polygon-quotes",
        "Ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,participant_timestamp,"
        "sequence_number,sip_timestamp,tape\n"
        "ACME,11,143.05,2,12,142.99,3,1,1712306654208705000,41,1712306654208740000,1\n",
        {
            "ts": "2024-04-05T08:44:14.208740Z", "sequence": 41, "bid": 142.99, "bid_size": 3, "ask": 143.05,
            "ask_size": 2,
        },
        QUOTES,
        rows=1,
        ignored=("ask_exchange", "bid_exchange"),
    ),
    File(
        "polygon-rest",
        "v,vw,o,c,h,l,t,n\n1000,10.71,10.7,10.75,10.8,10.6,1709908200000,12\n",
        bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000),
        rows=1,
        ignored=("vw", "n"),
    ),
    File(
        "polygon-client",
        "open,high,low,close,volume,vwap,timestamp,transactions,otc\n10.7,10.8,10.6,10.75,1000,10.71,1709908200000,12,\n",
        bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000),
        rows=1,
        ignored=("vwap", "transactions", "otc"),
    ),
    File(
        "alpaca-bars",
        "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n"
        "ACME,2024-03-08 14:30:00+00:00,10.7,10.8,10.6,10.75,1000,12,10.71\n",
        bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000),
        rows=1,
        ignored=("trade_count", "vwap"),
    ),
    File(
        "alpaca-bars-rest",
        "t,o,h,l,c,v,n,vw\n2024-03-08T14:30:00Z,10.7,10.8,10.6,10.75,1000,12,10.71\n",
        bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000),
        rows=1,
        ignored=("n", "vw"),
    ),
    File(
        "alpaca-trades",
        "symbol,timestamp,exchange,price,size,conditions,id,tape\n"
        "ACME,2024-03-08 15:00:00.123456+00:00,V,10.7,100,@,52983525,C\n",
        {
            "ts": "2024-03-08T15:00:00.123456Z", "sequence": 52983525, "price": 10.7, "size": 100, "venue": "V",
            "conditions": "@",
        },
        TRADES,
        rows=1,
        ignored=("tape",),
    ),
    File(
        "alpaca-trades-rest",
        "t,x,p,s,c,i,z\n2024-03-08T15:00:00.123456Z,V,10.7,100,@,52983525,C\n",
        {
            "ts": "2024-03-08T15:00:00.123456Z", "sequence": 52983525, "price": 10.7, "size": 100, "venue": "V",
            "conditions": "@",
        },
        TRADES,
        rows=1,
        ignored=("z",),
    ),
    File(
        "alpaca-quotes",
        "symbol,timestamp,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,tape\n"
        "ACME,2024-03-08 15:00:00.123456+00:00,V,10.8,1,Q,10.7,2,R,C\n",
        {"ts": "2024-03-08T15:00:00.123456Z", "bid": 10.7, "bid_size": 2, "ask": 10.8, "ask_size": 1},
        QUOTES,
        rows=1,
        ignored=("ask_exchange", "bid_exchange", "conditions"),
    ),
    File(
        "databento-trades",
        "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol\n"
        "2023-09-29T13:52:15.228370000Z,2023-09-29T13:52:15.227854000Z,0,19,6675,T,N,0,0.259900000,8,130,206360,187764,"
        "ACME\n",
        {"ts": "2023-09-29T13:52:15.227854Z", "sequence": 187764, "price": 0.2599, "size": 8, "symbol": "ACME"},
        TRADES,
        rows=1,
        ignored=("ts_recv", "action", "side"),
    ),
    File(
        "databento-bars",
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "1709908200000000000,33,1,5482,10.700000000,10.800000000,10.600000000,10.750000000,1000,ACME\n",
        {**bar("2024-03-08T14:30Z", 10.7, 10.8, 10.6, 10.75, 1000), "symbol": "ACME"},
        rows=1,
        ignored=("rtype", "publisher_id"),
    ),
)  # fmt: skip
