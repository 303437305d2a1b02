"""`backbone ingest`: read a file, or the rows of a provider, into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backbone.cli.exits import DONE, FAILED, INPUT
from backbone.cli.failures import note, say
from backbone.cli.options import AS_SHOWN, COMMON, Common, Format, Output, Symbols, Written, prepare, symbols_of

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.facade.backbone import Backbone
    from backbone.ingest.plan import IngestPlan, IngestRun

__all__ = ["ingest"]


def ingest(
    path: Path | None = None,
    /,
    *,
    dimension: str | None = None,
    symbols: Symbols = (),
    interval: str | None = None,
    source: str | None = None,
    zone: str | None = None,
    start: str | None = None,
    end: str | None = None,
    period: str | None = None,
    written: Written = AS_SHOWN,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Read a file, or the rows of a provider, into the store; what is there already is counted as unchanged.

    Bad rows are kept aside. The same again does no harm, and after an interruption it goes on. Exits 4 where a provider
    can't be reached or refuses, 5 where not one row was taken.

    Args:
        path: the file to read; a provider has none.
        dimension: what the rows are: daily_bars, intraday_bars, trades, quotes, order_book, macro_events; unless given,
            intraday_bars, but daily_bars of a provider with --interval 1d, and macro_events of fred.
        symbols: only these; comma-separated or repeated.
        interval: of the bars that do not say theirs, such as 1h; of the others only these.
        source: kind of the file, csv or parquet, whose name tells unless given; or a provider: yahoo, fred, multi.
        zone: IANA zone of times that carry none.
        start: only rows from this moment on; a date alone is midnight UTC.
        end: only rows up to this moment, itself included.
        period: of a provider, instead of start and end: how far back from now, such as 30d, 6mo, ytd or max; without
            any of the three it goes on from what is stored.
        written: how the file is written, where it does not show it.
        how: how the report is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.plans import plan_of, refuse_what_is_not_asked
    from backbone.cli.process.opening import observed, place_of
    from backbone.cli.process.running import run
    from backbone.cli.show.output import show
    from backbone.cli.show.text import one_line

    plan = plan_of(
        path,
        dimension,
        symbols=symbols_of(symbols),
        interval=interval,
        source=source,
        zone=zone,
        start=start,
        end=end,
        period=period,
        written=written,
    )
    refuse_what_is_not_asked(plan, settings)
    done, validation = run(
        lambda: observed(settings, lambda backbone: _ingest(backbone, plan, common), place_of(settings))
    )
    show(done, lambda console: _draw(console, done), how, output, no_color=common.no_color)
    if done.quarantined and not common.quiet:
        note(f"bad rows kept aside: {done.quarantined}; backbone quarantine list shows them")
    if done.nothing:
        say(f"error: {one_line(done.nothing)}")
        return INPUT
    return DONE if validation.succeeded else FAILED


async def _ingest(backbone: Backbone, plan: IngestPlan, common: Common) -> IngestRun:
    from backbone.cli.show.progress import following

    with following(backbone, "ingest", quiet=common.quiet, no_color=common.no_color):
        return await backbone.ingest(plan)


def _draw(console: Console, done: IngestRun) -> None:
    from backbone.cli.show.columns import draw_columns
    from backbone.cli.show.page import draw_quality, heading, numbers
    from backbone.cli.show.text import count, one_line, seconds

    names = ("rows_read", "quarantined", "filtered", "duplicates", "inserted", "changed", "unchanged")
    heading(console, "Ingest", f"{done.dimension} · {one_line(done.source)} · {seconds(done.duration_s)}")
    console.print()
    console.print(numbers("Rows", [(name.removeprefix("rows_"), count(getattr(done, name))) for name in names]))
    if done.left_out:
        console.print(numbers("Not taken", [(one_line(why), count(rows)) for why, rows in done.left_out.items()]))
    if done.mended:
        console.print(numbers("Mended", [(rule, count(rows)) for rule, rows in done.mended.items()]))
    draw_columns(console, done)
    draw_quality(console, done.quality)
