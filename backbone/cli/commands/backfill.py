"""`backbone backfill`: find what is missing, and ask a source for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from backbone.cli.exits import DONE, FAILED
from backbone.cli.failures import UsageError, note
from backbone.cli.options import COMMON, Common, Format, Output, Symbols, prepare, span, symbols_of

if TYPE_CHECKING:
    from backbone.facade.backbone import Backbone
    from backbone.ingest.backfill_messages import BackfillReport, BackfillRequest

__all__ = ["backfill"]


def backfill(
    dimension: str,
    *,
    source: str,
    symbols: Symbols = (),
    interval: str | None = None,
    start: str | None = None,
    end: str | None = None,
    path: Path | None = None,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Find what calendars say is missing of stored series, and ask a source for it, piece by piece.

    Interrupted or killed, the same command goes on. Exits 1 where a piece could not be filled: the next one begins
    with it. An embedded store must not be in use by a running backbone.

    Args:
        dimension: daily_bars, intraday_bars, trades, quotes, order_book.
        source: a provider, or csv or parquet with --path.
        symbols: only these, also such as are not stored yet; comma-separated or repeated.
        interval: of intraday bars only these, such as 1h.
        start: from this moment on; a date alone is midnight UTC; the earliest row of each series unless given.
        end: up to this moment, itself included; now unless given.
        path: the file, for sources that read files.
        dry_run: only say what is missing.
        how: how the report is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    first, last = span(start, end)
    settings = prepare(common)
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.cli.show.filling import draw_report
    from backbone.cli.show.output import show
    from backbone.ingest.backfill_messages import BackfillRequest
    from backbone.sources.registry import available_sources

    if source.strip().lower() not in available_sources():
        raise UsageError(f"--source {source} given; allowed is {', '.join(available_sources())}")
    try:
        request = BackfillRequest(
            dimension=dimension,
            source=source,
            symbols=symbols_of(symbols),
            interval=interval,
            start=first,
            end=last,
            path=path,
            dry_run=dry_run,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    report = run(lambda: briefly(settings, lambda backbone: _backfill(backbone, request, common)))
    show(report, lambda console: draw_report(console, report), how, output, no_color=common.no_color)
    if report.quarantined and not common.quiet:
        note(f"bad rows kept aside: {report.quarantined}; backbone quarantine list shows them")
    return FAILED if report.failed else DONE


async def _backfill(backbone: Backbone, request: BackfillRequest, common: Common) -> BackfillReport:
    from backbone.cli.show.filling import filling

    with filling(backbone, quiet=common.quiet, no_color=common.no_color):
        return await backbone.backfill(
            request.of,
            source=request.source,
            symbols=request.symbols,
            interval=request.interval,
            start=request.start,
            end=request.end,
            path=request.path,
            dry_run=request.dry_run,
        )
