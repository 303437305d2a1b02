"""`backbone sql`: a SELECT over what is stored, also while a backbone runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError, note
from backbone.cli.options import COMMON, Common, Limit, Output, newest, prepare
from backbone.cli.values import value_of

__all__ = ["sql"]

_SCREEN = 50
_STDIN_MOST = 64 * 1024

Shape = Annotated[
    Literal["table", "csv", "jsonl", "parquet", "arrow"] | None,
    Parameter(name="--format"),
]
Values = Annotated[list[str] | None, Parameter(name=("--param", "-p"), negative="", allow_leading_hyphen=True)]


def sql(
    statement: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    values: Values = None,
    limit: Annotated[int | None, Limit] = None,
    timeout: float | None = None,
    how: Shape = None,
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """A SELECT over what is stored: a table on a terminal, CSV in a pipe.

    It changes nothing, and works while a backbone runs with the same settings. The tables are
    daily_bars, intraday_bars, trades, quotes, order_book, macro_events. Words and functions are
    those of the store: DuckDB, or PostgreSQL.

    How many rows of which symbol:
    backbone sql "SELECT symbol, count(*), max(ts) FROM trades GROUP BY symbol"

    The newest ten bars:
    backbone sql "SELECT * FROM intraday_bars ORDER BY ts DESC" --limit 10

    Values for $1 and $2, bound by the database:
    backbone sql 'SELECT avg(price) FROM trades WHERE symbol = $1 AND ts >= $2' -p IBM -p 2024-01-02

    A statement from a file, into a file:
    backbone sql - --output spreads.parquet < spreads.sql

    Args:
        statement: one SELECT; - reads it from stdin.
        values: of $1, $2 …, once for each: a number, true, false, null or a list, as JSON has them, a date, a moment
            with its zone; all else is text, and '"7"' is the text 7.
        limit: the first so many rows, 0 is all; 50 on a terminal unless given, all in a pipe.
        timeout: seconds that it may take, at most sql.timeout.
        how: table, csv, jsonl (a line for each row), parquet, arrow (an IPC stream); as the name of --output ends.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    rows = None if limit is None else newest(limit, 0, "0 for all, or a number of rows")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout {timeout:g}: allowed are seconds above 0")
    given = [value_of(each) for each in values or ()]
    text = _stdin() if statement == "-" else statement
    settings = prepare(common)
    from backbone.cli.process.statements import answer_to
    from backbone.cli.show.answers import FORMS, draw

    how = how or _by_name(output)
    screen = how == "table" or (how is None and output is None and sys.stdout.isatty())
    many = (_SCREEN if screen else None) if rows is None else rows or None
    seconds = settings.sql.timeout if timeout is None else timeout
    table = answer_to(settings, common, text, given, seconds, None if many is None else many + 1)
    if many is not None and table.num_rows > many:
        table = table.slice(0, many)
        note(f"these are the first {many:,} rows, there are more; --limit 0 gives all")
    if screen:
        draw(table, output, no_color=common.no_color)
    else:
        FORMS[how or "csv"](table, output)
    return DONE


def _by_name(output: Path | None) -> Literal["csv", "jsonl", "parquet", "arrow"] | None:
    """What the name of a file says that it is."""
    ending = "" if output is None else output.suffix.lower()
    named: dict[str, Literal["csv", "jsonl", "parquet", "arrow"]] = {
        ".csv": "csv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".parquet": "parquet",
        ".arrow": "arrow",
        ".arrows": "arrow",
    }
    return named.get(ending)


def _stdin() -> str:
    """The statement that stands in stdin.

    Raises:
        UsageError: it is too long, or no text.
    """
    data = sys.stdin.buffer.read(_STDIN_MOST + 1)
    if len(data) > _STDIN_MOST:
        raise UsageError(f"stdin holds more than {_STDIN_MOST:,} bytes; give one statement")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"stdin is no UTF-8 text ({error.reason} at byte {error.start}); give it as that") from error
