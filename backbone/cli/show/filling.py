"""How far a backfill is, on stderr: a bar on a terminal, a line now and then elsewhere, nothing where quiet."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backbone.cli.failures import say
from backbone.cli.show.output import console
from backbone.cli.show.text import count, seconds

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.facade.backbone import Backbone
    from backbone.ingest.backfill_messages import BackfillProgress, BackfillReport

__all__ = ["draw_report", "filling"]

_EVERY = 2.0  # seconds between two lines
_SERIES = 20


@contextmanager
def filling(backbone: Backbone, *, quiet: bool, no_color: bool) -> Iterator[None]:
    """Show each piece that is done, with rate and the time that is left."""
    if quiet:
        yield
        return
    from backbone.ingest.backfill_messages import BackfillProgress

    try:
        animated = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        with _bar(no_color=no_color) if animated else _lines() as show:
            backbone.system.events.sink(lambda kind: issubclass(kind, BackfillProgress), show)
            yield
    except asyncio.CancelledError:
        say("backfill: stopped; what is in stays, and the same command goes on from there")
        raise


@contextmanager
def _bar(*, no_color: bool) -> Iterator[Callable[[BackfillProgress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("backfill"), BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console(sys.stderr, no_color=no_color), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda event: bar.update(task, completed=event.pieces_done, total=event.pieces, description=_pace(event))


@contextmanager
def _lines() -> Iterator[Callable[[BackfillProgress], None]]:
    due = time.monotonic() + _EVERY

    def show(event: BackfillProgress) -> None:
        nonlocal due
        if time.monotonic() >= due or event.pieces_done == event.pieces:
            due = time.monotonic() + _EVERY
            say(f"backfill: {event.pieces_done:,} of {event.pieces:,} pieces, {_pace(event)}; {event.piece}")

    yield show


def _pace(event: BackfillProgress) -> str:
    rate = f", {event.rate:,.0f} rows/s" if event.rate is not None else ""
    left = f", {seconds(event.eta_s)} left" if event.eta_s else ""
    return f"{count(event.rows)} rows{rate}{left}"


def draw_report(output: Console, report: BackfillReport) -> None:
    """What was missing, what became of it, and what could not be had."""
    from backbone.cli.show.page import heading, numbers, verdict
    from backbone.cli.show.text import one_line

    what = "dry run" if report.dry_run else seconds(report.duration_s)
    heading(output, "Backfill", f"{report.dimension} from {one_line(report.source)} · {what}")
    verdict(output, report.status.value, _summary(report))
    lacking = [each for each in report.series if each.missing or each.left or each.note]
    if lacking:
        rows = [
            (
                one_line(" ".join(filter(None, (each.symbol, each.interval)))),
                *(count(each.expected), count(each.missing), "-" if each.left is None else count(each.left)),
                each.unit,
            )
            for each in lacking[:_SERIES]
        ]
        output.print(numbers("Series", rows, ("expected", "missing", "left", "")))
        _say_the_rest(output, len(lacking) - _SERIES, "series")
    for each in lacking[:_SERIES]:
        if each.note:
            verdict(output, "unknown", f"{each.symbol}: {each.note}")
    for text in report.stretches[:_SERIES]:
        output.print(f"  {one_line(text)}", style="dim")
    _say_the_rest(output, len(report.stretches) - _SERIES, "stretches")
    for failed in report.failed:
        verdict(output, "failed", f"{failed.symbol} from {failed.start:%Y-%m-%d %H:%M}: {failed.error}")


def _say_the_rest(output: Console, more: int, what: str) -> None:
    if more > 0:
        output.print(f"  and {more:,} more {what}, in the report as json", style="dim")


def _summary(report: BackfillReport) -> str:
    if report.dry_run:
        return f"{report.missing:,} missing, in {report.pieces:,} pieces; nothing was asked for"
    if not report.pieces:
        return "nothing is missing"
    parts = [f"{report.done:,} of {report.pieces:,} pieces filled: {report.inserted:,} rows new"]
    parts += [f"{getattr(report, name):,} {name}" for name in ("changed", "unchanged", "quarantined")]
    parts += [f"{report.resumed:,} gone on with"] if report.resumed else []
    parts += [f"{report.given_up:,} pieces not tried"] if report.given_up else []
    return ", ".join(parts)
