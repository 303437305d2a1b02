"""`backbone replay`: stored rows, sent to a topic of Kafka again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from backbone.cli.exits import DONE
from backbone.cli.options import COMMON, Common, Format, Limit, Output, Symbols, newest, prepare, span, symbols_of

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.ingest.messages import ReplayReport

__all__ = ["replay"]


def replay(
    dimension: str,
    *,
    symbols: Symbols = (),
    start: str | None = None,
    end: str | None = None,
    limit: Annotated[int | None, Limit] = None,
    topic: str | None = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Send stored rows to a topic of Kafka again: the rows themselves, in the order of time, marked as a replay.

    Killed, it goes on where it was when the same command is given again. Readers of backbone pass replays over.
    The store must not be an embedded one that a running backbone uses.

    Args:
        dimension: daily_bars, intraday_bars, trades, quotes, order_book, macro_events.
        symbols: only these; comma-separated or repeated.
        start: from this moment on; a date alone is midnight UTC.
        end: up to this moment, itself included.
        limit: the newest so many; all unless given.
        topic: where to send; the topic of the dimension unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    first, last = span(start, end)
    rows = None if limit is None else newest(limit, 1, "a number of rows")
    settings = prepare(common)
    from backbone.cli.plans import dimension_of
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.cli.show.output import show
    from backbone.facade.backbone import Backbone

    wanted, names = dimension_of(dimension), symbols_of(symbols)

    async def send(backbone: Backbone) -> ReplayReport:
        return await backbone.replay(wanted, symbols=names, start=first, end=last, limit=rows, topic=topic)

    report = run(lambda: briefly(settings, send))
    show(report, lambda console: _draw(console, report), how, output, no_color=common.no_color)
    return DONE


def _draw(console: Console, report: ReplayReport) -> None:
    from rich.text import Text

    from backbone.cli.show.page import heading
    from backbone.cli.show.text import one_line

    heading(console, "Replay", f"{report.dimension} to {one_line(report.topic)}")
    facts = [f"{report.rows:,} rows", f"{report.records:,} records", f"{len(report.symbols):,} symbols"]
    facts += [f"run {report.run}"] + (["went on where it was cut off"] if report.resumed else [])
    console.print(Text(f"  {' · '.join(facts)}"))
