"""`backbone why`: how a row came to be as it is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Output, moment, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.domain.dimension import Dimension
    from backbone.facade.why_report import WhyReport, WhyRow, WhyVersion
    from backbone.settings import Settings

__all__ = ["why"]

_VERSIONS = 20


def why(
    symbol: str,
    ts: str,
    /,
    *,
    dimension: str | None = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """How the rows of a symbol at a moment came to be: source, run, versions, change, cache, repairs, bad rows near by.

    A running backbone is asked for it; where none runs, one is opened for it.

    Args:
        symbol: or calendar, whatever its case.
        ts: the moment, with a zone, such as 2026-01-05T14:30:00Z; a date alone is midnight UTC. Of bars any moment of
            theirs.
        dimension: daily_bars, intraday_bars, trades, quotes, order_book, macro_events; all that have something there.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    at = moment("TS", ts)
    if at is None or not symbol.strip():
        raise UsageError("'' given for SYMBOL; name the symbol")
    settings = prepare(common)
    from backbone.cli.plans import dimension_of
    from backbone.cli.show.output import show

    of = None if dimension is None else dimension_of(dimension)
    report = _asked(settings, common, symbol, at, of)
    show(report, lambda console: _draw(console, report), how, output, no_color=common.no_color)
    return DONE


def _asked(settings: Settings, common: Common, symbol: str, at: datetime, of: Dimension | None) -> WhyReport:
    from backbone.cli.process.either import done_by_either
    from backbone.facade.why_report import WhyReport

    given = {"symbol": symbol, "ts": at.isoformat(), "dimension": None if of is None else of.value}
    return done_by_either(
        settings, common, "why", given, WhyReport, lambda backbone: backbone.why(symbol, at, dimension=of)
    )


def _draw(console: Console, report: WhyReport) -> None:
    from backbone.cli.show.page import heading

    heading(console, "Why", f"{report.symbol} at {report.ts:%Y-%m-%d %H:%M:%S.%f} UTC".replace(".000000", ""))
    if not report.found:
        console.print(f"  nothing is stored of it in {', '.join(report.searched)}")
    for row in report.found:
        _draw_row(console, row)


def _draw_row(console: Console, row: WhyRow) -> None:
    from rich.text import Text

    from backbone.cli.show.page import heading
    from backbone.cli.show.text import one_line

    heading(console, one_line(row.dimension), f"{one_line(row.symbol)} {row.ts:%Y-%m-%d %H:%M:%S} UTC")
    if not row.versions:
        console.print(f"  no row at this moment; the newest before it is of {row.before or 'no time: there is none'}")
    for version in row.versions[:_VERSIONS]:
        _draw_version(console, version)
    if len(row.versions) > _VERSIONS:
        console.print(f"  and {len(row.versions) - _VERSIONS:,} more, in the report as json", style="dim")
    facts = [f"newest position {row.position}, relayed up to {row.relayed}", _cached(row)]
    facts += [f"repaired: {one_line(each)}" for each in row.repairs]
    facts += [f"kept aside: {one_line(bad.location)}: {one_line(bad.reason)} ({bad.id})" for bad in row.aside]
    for fact in facts:
        console.print(Text(f"  {fact}"), soft_wrap=True)


def _draw_version(console: Console, version: WhyVersion) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line
    from backbone.domain.report import plain

    stands = "stands" if version.replaced_at is None else f"replaced at {version.replaced_at:%Y-%m-%d %H:%M:%S} UTC"
    values = "  ".join(f"{name} {plain(value)}" for name, value in version.values.items() if value is not None)
    console.print(Text(f"  {stands}", style="bold" if version.replaced_at is None else "dim"))
    console.print(Text(f"    {one_line(values)}"), soft_wrap=True)
    run = "a run that the journal no longer has" if version.run_id is None else f"run {version.run_id}"
    console.print(Text(f"    from {one_line(version.source)}"), soft_wrap=True)
    console.print(Text(f"    {run}, chunk {version.ingest_id}"), soft_wrap=True)
    console.print(Text(f"    stored {version.ingested_at:%Y-%m-%d %H:%M:%S} UTC, revision {version.revision}"))
    if version.event_id is None:
        console.print(Text("    published; the outbox no longer has the change", style="dim"))
    else:
        state = "published" if version.published else "waits for the relay"
        console.print(Text(f"    event {version.event_id} at position {version.position}, {state}"), soft_wrap=True)


def _cached(row: WhyRow) -> str:
    seen = row.cache
    if seen is None:
        return "cache: not asked" if not row.versions else "cache: no answer"
    how = "a hit" if seen.hit else "a miss, read from the store"
    age = "current" if seen.current else "older than the newest change"
    return f"cache: {how}, {seen.rows:,} rows at position {seen.position}, {age}{', stale' if seen.stale else ''}"
