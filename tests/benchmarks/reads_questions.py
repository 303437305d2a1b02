"""What is asked of every contestant, and how SQL says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from backbone.domain import Dimension
from backbone.store.records import Query
from backbone.store.sql import names
from tests.benchmarks.reads_data import day_of_trades, year_of_bars

NEWEST = 500


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: on the page.
        query: which rows.
        rounds: how often each contestant is asked.
        bars: make bars of this many minutes of the rows; 0: the rows themselves.
        cached: asked before, so that a cache may have the answer.
    """

    name: str
    query: Query
    rounds: int
    bars: int = 0
    cached: bool = False


def questions(quick: bool, as_of: datetime) -> list[Question]:
    """All of them; a few rounds where quick."""
    few, many = (3, 11) if quick else (11, 101)
    day, year = day_of_trades(), year_of_bars()
    symbol = Query(Dimension.TRADES, day.symbols)
    bars = Query(Dimension.INTRADAY_BARS, ("EURUSD",), "1h", limit=NEWEST)
    asked = [
        Question("newest row of a symbol", msgspec.structs.replace(symbol, limit=1), many),
        Question(f"newest {NEWEST} trades of a symbol", msgspec.structs.replace(symbol, limit=NEWEST), many),
        Question("a year of hourly bars", year, many),
        Question("a day of trades of a symbol", day, few),
        Question(f"newest {NEWEST} trades of all symbols", Query(Dimension.TRADES, limit=NEWEST), few),
        Question(
            "a day of trades, as of before 1 % of it was corrected", msgspec.structs.replace(day, as_of=as_of), few
        ),
        Question("bars per minute of a day of trades", day, few, bars=1),
    ]
    return [*asked, replace(Question(f"newest {NEWEST} bars, cached", bars, many), cached=True)]


def rows_sql(question: Question, table: str) -> str:
    """The rows of a question, in canonical order."""
    query = question.query
    columns = names(query.dimension.columns)
    chosen = f"SELECT {columns} FROM {table} WHERE {_where(query)}"  # noqa: S608
    if query.limit is not None:
        newest = ", ".join(f'"{name}" DESC' for name in ("ts", *(k for k in query.dimension.key if k != "ts")))
        chosen = f"SELECT {columns} FROM ({chosen} ORDER BY {newest} LIMIT {query.limit}) AS newest"  # noqa: S608
    return f"{chosen} ORDER BY {names(query.dimension.key)}"


def bars_sql(question: Question, table: str, first: str, last: str, bucket: str) -> str:
    """The bars of a question, by the functions that a server has for it."""
    return f"""
        SELECT {bucket}(INTERVAL '{question.bars} minutes', ts) AS ts, {first}(price, (ts, sequence)) AS open,
            max(price) AS high, min(price) AS low, {last}(price, (ts, sequence)) AS close, sum(size) AS volume
        FROM {table} WHERE {_where(question.query)} GROUP BY 1 ORDER BY 1
    """  # noqa: S608


def _where(query: Query) -> str:
    conditions = ["true", *(f"symbol = '{symbol}'" for symbol in query.symbols)]
    if query.interval is not None:
        conditions.append(f"\"interval\" = '{query.interval}'")
    if query.start is not None and query.end is not None:
        conditions += [f"ts >= TIMESTAMPTZ '{query.start}'", f"ts <= TIMESTAMPTZ '{query.end}'"]
    return " AND ".join(conditions)
