"""`backbone fetch`: rows from the store, for people or for another program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import note
from backbone.cli.options import COMMON, Common, Limit, Output, Symbols, newest, prepare, span, symbols_of

if TYPE_CHECKING:
    from backbone.domain.frame import Frame
    from backbone.facade.backbone import Backbone

__all__ = ["fetch"]

_SCREEN = 20
_NAMED = 3

Shape = Annotated[Literal["table", "csv", "json"] | None, Parameter(name="--format")]


def fetch(
    dimension: str = "intraday_bars",
    *,
    symbols: Symbols = (),
    interval: str | None = None,
    start: str | None = None,
    end: str | None = None,
    limit: Annotated[int | None, Limit] = None,
    how: Shape = None,
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Rows from the store in the order of time: a table on a terminal, CSV in a pipe.

    The store must not be in use by a running backbone. The CSV can be ingested again:
    a column whose texts a spreadsheet would run is escaped, says so in its name, and is read as it was.

    Args:
        dimension: daily_bars, intraday_bars, trades, quotes, order_book, macro_events.
        symbols: only these; comma-separated or repeated.
        interval: of the bars, such as 1h.
        start: from this moment on; a date alone is midnight UTC.
        end: up to this moment, itself included.
        limit: the newest so many, 0 is all; 20 on a terminal unless given, all in a pipe.
        how: table, csv, or json (columns as arrays).
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    first, last = span(start, end)
    rows = None if limit is None else newest(limit, 0, "0 for all, or a number of rows")
    settings = prepare(common)
    from backbone.cli.plans import dimension_of, interval_of
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.cli.show.output import page, write
    from backbone.cli.show.rows import csv_of, draw_table, json_of, marked_columns

    screen = how == "table" or (how is None and output is None and sys.stdout.isatty())
    wanted, of = dimension_of(dimension), interval_of(interval)
    names = symbols_of(symbols)
    many = (_SCREEN if screen else None) if rows is None else rows or None

    async def read(backbone: Backbone) -> Frame:
        return await backbone.fetch(wanted, symbols=names, interval=of, start=first, end=last, limit=many)

    frame = run(lambda: briefly(settings, read))
    if not common.quiet:
        _notes(frame, chosen=bool(names or of or first or last))
    if screen:
        page(lambda console: draw_table(console, frame), output, no_color=common.no_color)
    elif how == "json":
        write(json_of(frame), output)
    else:
        text = csv_of(frame)
        if not common.quiet:
            _note_escapes(marked_columns(text))
        write(text, output)
    return DONE


def _note_escapes(columns: list[str]) -> None:
    if columns:
        note(
            f"texts of {', '.join(columns)} are escaped, for a spreadsheet would run them or they can't be printed; "
            "backbone ingest reads them as they were, and --format json has them so"
        )


def _notes(frame: Frame, *, chosen: bool) -> None:
    from backbone.cli.show.text import one_line

    if not frame.num_rows and chosen:
        note("no rows match these symbols, this interval or these times; backbone retention lists what is stored")
    elif not frame.num_rows:
        note(f"no {frame.dimension} are stored; backbone ingest reads a file into the store")
    if frame.stale:
        note("the rows may be stale: the store did not answer, the cache did")
    if frame.partial:
        several = [f"{one_line(symbol)} {begin:%Y-%m-%dT%H:%M:%SZ}" for symbol, begin in frame.partial.items()]
        more = f" and {len(several) - _NAMED:,} more" if len(several) > _NAMED else ""
        note(f"not whole yet: {', '.join(several[:_NAMED])}{more}; what these bars are made of ends before they do")
