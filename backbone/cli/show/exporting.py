"""Exports on a terminal: how far one is, what it did, which there are."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backbone.cli.failures import say
from backbone.cli.show.output import console
from backbone.cli.show.text import count

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.export.messages import ExportProgress
    from backbone.export.report import ExportReport, ExportsReport, Kept, VerifyReport
    from backbone.export.spark.report import SparkReport
    from backbone.export.stress import StressReport
    from backbone.facade.backbone import Backbone

__all__ = ["draw_export", "draw_exports", "draw_kept", "draw_spark", "draw_stress", "draw_verified", "following"]

_EVERY = 2.0  # seconds between two lines

See = Callable[["ExportProgress"], None]


@contextmanager
def following(backbone: Backbone, *, quiet: bool, no_color: bool) -> Iterator[None]:
    """Show how far an export is: a bar on a terminal, a line now and then elsewhere, nothing where quiet."""
    if quiet:
        yield
        return
    from backbone.export.messages import ExportProgress

    animated = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    with _bar(no_color=no_color) if animated else _lines() as see:
        backbone.system.events.sink(lambda kind: issubclass(kind, ExportProgress), see)
        yield


@contextmanager
def _bar(*, no_color: bool) -> Iterator[See]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("export"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console(sys.stderr, no_color=no_color), transient=True) as progress:
        task = progress.add_task("export", total=None, rows="0 rows")

        def see(event: ExportProgress) -> None:
            progress.update(task, completed=event.rows_done, total=event.rows_total, rows=_rows(event, began))

        yield see


@contextmanager
def _lines() -> Iterator[See]:
    began = time.monotonic()
    due = began + _EVERY

    def see(event: ExportProgress) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _EVERY
            say(f"export: {_rows(event, began)}, {event.files_done} of {count(event.files_total)} files")

    yield see


def _rows(event: ExportProgress, began: float) -> str:
    pace = event.rows_done / max(1e-3, time.monotonic() - began)
    return f"{count(event.rows_done)} of {count(event.rows_total)} rows, {count(round(pace))} rows/s"


def draw_export(page: Console, report: ExportReport) -> None:
    """What an export did, job by job."""
    from rich.text import Text

    from backbone.cli.show.page import heading, verdict

    heading(page, "Export", f"{report.id}, {report.format}")
    for job in report.jobs:
        told = job.why or ", ".join(job.issues) or f"{job.rows:,} rows in {job.files:,} files, {job.bytes:,} bytes"
        verdict(page, _STATUS[job.status], f"{job.dimension}: {told}")
    pace = report.rows / report.seconds if report.seconds else 0.0
    files = f"{report.written:,} files written, {report.linked:,} linked, {report.kept:,} kept"
    page.print(Text(f"  {files}; {report.seconds:.1f} s, {pace:,.0f} rows/s", style="dim"))
    page.print(Text(f"  {report.folder}{'' if report.current == report.id else ', which is not current'}"))
    for line in (report.note, *(f"{name} was removed" for name in report.removed)):
        if line:
            page.print(Text(f"  {line}", style="dim"))


def draw_exports(page: Console, report: ExportsReport) -> None:
    """One line an export."""
    from rich.text import Text

    from backbone.cli.show.page import heading

    heading(page, "Exports", report.folder)
    for each in report.exports:
        made = f"{each.generated_at:%Y-%m-%d %H:%M} UTC" if each.generated_at else "never finished"
        told = f"{each.state:<11}{made:<22}{each.format:<9}{each.rows:>12,} rows {each.files:>7,} files"
        page.print(Text(f"  {each.id}  {told}"))
    if not report.exports:
        page.print(Text("  there are none; backbone export makes one", style="dim"))


def draw_kept(page: Console, kept: Kept, files: list[tuple[str, int, int]]) -> None:
    """One export: its jobs, and its files with rows and bytes."""
    from rich.text import Text

    from backbone.cli.show.page import heading, verdict

    heading(page, "Export", f"{kept.id}, {kept.state}")
    for job in kept.jobs:
        told = job.why or ", ".join(job.issues) or f"{job.rows:,} rows in {job.files:,} files"
        verdict(page, _STATUS[job.status], f"{job.dimension}: {told}")
    for path, rows, size in files:
        page.print(Text(f"  {rows:>12,} rows {size:>14,} bytes  {path}"))


def draw_verified(page: Console, report: VerifyReport) -> None:
    """What is wrong, or that nothing is."""
    from backbone.cli.show.page import heading, verdict

    heading(page, "Verification", report.id)
    for problem in report.problems:
        verdict(page, "failed", problem)
    if not report.problems:
        of = ", ".join(report.dimensions)
        verdict(page, "ok", f"{report.files:,} files with {report.rows:,} rows of {of} are as the manifest says")


def draw_stress(page: Console, report: StressReport) -> None:
    """One line a cycle."""
    from rich.text import Text

    from backbone.cli.show.page import heading, verdict

    heading(page, "Stress", report.label)
    for each in report.cycles:
        told = "; ".join(filter(None, (", ".join(each.issues), each.why)))
        verdict(page, each.status, f"cycle {each.number}: {each.duration_s:.3f} s, {each.rows:,} rows {told}".rstrip())
    spread = f"{report.average_s:.3f} s on average, {report.shortest_s:.3f} to {report.longest_s:.3f}"
    page.print(Text(f"  {spread}", style="dim"))


def draw_spark(page: Console, report: SparkReport) -> None:
    """What came of a job of Spark, and what is wrong."""
    from rich.text import Text

    from backbone.cli.show.page import heading, verdict

    heading(page, f"Spark {report.job}", report.export)
    for problem in (*report.problems, *filter(None, [report.why])):
        verdict(page, "failed", problem)
    for line in report.log:
        page.print(Text(f"  {line}", style="dim"))
    if report.status == "ok":
        what = (
            "are as the manifest says" if not report.folder else "are there already" if report.kept else "were written"
        )
        verdict(page, "ok", f"{report.files:,} files with {report.rows:,} rows {what}")
    if report.folder:
        page.print(Text(f"  {report.folder}"))
    page.print(Text(f"  {report.seconds:.1f} s, of which {report.start_s:.1f} s until Spark ran", style="dim"))


_STATUS = {"ok": "ok", "warn": "degraded", "fail": "failed"}
