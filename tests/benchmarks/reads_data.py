"""Rows for the read benchmark: a day of real trades as the newest of millions, and twelve years of hourly bars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from backbone import samples
from backbone.domain import Dimension, Frame
from backbone.store.records import Query
from tests.benchmarks.store_data import BARS, TRADES, trades, trades_file

_ALL_TRADES = 2_800_000
_WEEK_US = 7 * 86_400_000_000
_BAR_COLUMNS = ["symbol", "interval", "ts", "open", "high", "low", "close", "volume"]


@cache
def hourly() -> pa.Table:
    """Hourly bars of EURUSD, 2007 to 2018; where the file is not beside that of the trades, the last 5,000 of them."""
    trades_at = trades_file()
    path = None if trades_at is None else trades_at.with_name("eurusd_1h.parquet")
    table = pq.read_table(path) if path is not None and path.exists() else pyarrow.csv.read_csv(samples.eurusd_1h())
    table = table.append_column("interval", pa.repeat(pa.scalar("1h"), table.num_rows))
    return Frame.from_arrow(BARS, table.select(_BAR_COLUMNS)).to_arrow()


@cache
def week() -> pa.Table:
    """The trades there are, in order of time."""
    return pa.concat_tables([frame.to_arrow() for frame in trades(_ALL_TRADES)])


def weeks(rows: int) -> Iterator[pa.Table]:
    """At least so many trades: the week there is, and before it the same again and again, oldest first."""
    for back in range(-(-rows // week().num_rows) - 1, -1, -1):
        column = week()["ts"]
        moved = pc.subtract(column.cast(pa.int64()), back * _WEEK_US).cast(column.type)
        yield week().set_column(week().column_names.index("ts"), "ts", moved)


def origin() -> str:
    """Where the trades are from, for the page."""
    return "real trades of four US shares" if trades_file() else "SYNTHETIC trades (no file of real ones was found)"


def year_of_bars() -> Query:
    """The newest year of hourly bars."""
    end = pc.max(hourly()["ts"]).as_py()
    return Query(BARS, ("EURUSD",), "1h", start=end - timedelta(days=365), end=end)


def day_of_trades() -> Query:
    """The newest day, of the symbol that has most trades on it."""
    midnight = pc.max(week()["ts"]).as_py().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    that_day = week().filter(pc.greater_equal(week()["ts"], pa.scalar(midnight)))
    counted = pc.value_counts(that_day["symbol"]).to_pylist()
    symbol = max(counted, key=lambda each: each["counts"])["values"]
    return Query(TRADES, (symbol,), start=midnight, end=midnight + timedelta(days=1) - datetime.resolution)


def corrected(query: Query) -> Frame:
    """The trades of a window, one price in a hundred another one."""
    where = pc.and_(
        pc.equal(week()["symbol"], query.symbols[0]),
        pc.and_(pc.greater_equal(week()["ts"], query.start), pc.less_equal(week()["ts"], query.end)),
    )
    rows = week().filter(where).combine_chunks()
    prices = rows["price"].to_numpy().copy()
    prices[::100] += 0.01
    at = rows.column_names.index("price")
    return Frame.from_arrow(TRADES, rows.set_column(at, "price", pa.array(prices)))


def by_symbol(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each symbol, in order of time."""
    for symbol in pc.unique(table["symbol"]).to_pylist():
        yield symbol, table.filter(pc.equal(table["symbol"], symbol))


def dimension_of(table: pa.Table) -> Dimension:
    """What the rows are."""
    return BARS if "interval" in table.column_names else TRADES
