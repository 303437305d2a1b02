"""`backbone rehearse`: one full cycle, shown as it goes and as a page of evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backbone.cli.exits import DONE, FAILED, INPUT
from backbone.cli.failures import note, say
from backbone.cli.options import AS_SHOWN, COMMON, Common, Folder, Format, Symbols, Written, prepare, symbols_of

if TYPE_CHECKING:
    from backbone.domain.frame import Frame
    from backbone.facade.backbone import Backbone
    from backbone.ingest.plan import IngestPlan
    from backbone.operations.rehearsal.cycle import RehearsalReport
    from backbone.operations.validation import ValidationReport

__all__ = ["rehearse"]


def rehearse(
    path: Path | None = None,
    *,
    dimension: str = "intraday_bars",
    symbols: Symbols = (),
    interval: str | None = None,
    source: str | None = None,
    zone: str | None = None,
    written: Written = AS_SHOWN,
    how: Format = "human",
    output: Folder = None,
    common: Common = COMMON,
) -> int:
    """One full cycle: ingest, publish, subscribe, fetch, judge; and the evidence of what every part did.

    Without a path it takes 5,000 hourly EURUSD bars that travel with the package. It exits 0 where everything that
    was committed arrived: in order, once, equal in bytes, with no task left behind.

    Args:
        path: the file to read.
        dimension: what its rows are: daily_bars, intraday_bars, trades, quotes, order_book, macro_events.
        symbols: only these; comma-separated or repeated.
        interval: of the bars, such as 1h.
        source: kind of the file, csv or parquet; its name tells unless given.
        zone: IANA zone of times that carry none.
        written: how the file is written, where it does not show it.
        how: how the page is written to stdout.
        output: a folder for report.json, report.md, the validation report, and chart.png where matplotlib is installed.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone import samples
    from backbone.cli.plans import plan_of
    from backbone.cli.process.opening import observed, place_of
    from backbone.cli.process.running import run
    from backbone.cli.show.output import folder_for
    from backbone.cli.show.text import one_line

    wanted = symbols_of(symbols)
    if path is None:
        plan = plan_of(samples.eurusd_1h(), "intraday_bars", symbols=wanted or ("EURUSD",), interval=interval or "1h")
    else:
        plan = plan_of(path, dimension, symbols=wanted, interval=interval, source=source, zone=zone, written=written)
    folder = place_of(settings) if output is None else folder_for(output)
    (report, frame), validation = run(
        lambda: observed(settings, lambda backbone: _cycle(backbone, plan, common), folder)
    )
    if output is not None:
        _write_files(output, report, frame)
    _show(report, validation, frame, how, folder, common)
    if report.ingest.nothing:
        say(f"error: {one_line(report.ingest.nothing)}")
        return INPUT
    return DONE if report.succeeded and validation.succeeded else FAILED


async def _cycle(backbone: Backbone, plan: IngestPlan, common: Common) -> tuple[RehearsalReport, Frame]:
    """The rehearsal, and the rows that it was about, for the picture."""
    from backbone.cli.show.progress import following
    from backbone.operations.rehearsal.cycle import RehearsalRequest

    with following(backbone, "ingest", quiet=common.quiet, no_color=common.no_color):
        report = await backbone.rehearse(RehearsalRequest(plan=plan))
    run = report.ingest
    frame = await backbone.fetch(
        run.dimension, symbols=run.symbols, interval=plan.interval, start=run.span_start, end=run.span_end
    )
    return report, frame


def _write_files(folder: Path, report: RehearsalReport, frame: Frame) -> None:
    """The reports and the picture; a missing picture was asked for and is told even where quiet."""
    from backbone.cli.show.output import replace_file
    from backbone.operations.rehearsal.chart import ChartUnavailable, picture

    replace_file(folder / "report.json", report.to_json())
    replace_file(folder / "report.md", report.to_markdown().encode())
    try:
        picture(frame, folder / "chart.png")
    except (ChartUnavailable, ValueError) as error:
        note(f"no chart.png: {error}")


def _show(
    report: RehearsalReport,
    validation: ValidationReport,
    frame: Frame,
    how: Format,
    folder: Path,
    common: Common,
) -> None:
    from backbone.cli.show.output import show
    from backbone.cli.show.rehearsal import Page

    page = Page(report, validation, frame, folder)
    show(report, page.draw, how, None, no_color=common.no_color)
