"""The page that a rehearsal ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from backbone.cli.roster_tree import draw_tree
from backbone.cli.symbols import STYLES, SYMBOLS
from backbone.cli.texts import count, one_line, seconds

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.domain.frame import Frame
    from backbone.operations.rehearsal import RehearsalReport
    from backbone.operations.validation import ValidationReport

__all__ = ["Page", "draw_quality", "heading", "numbers", "verdict"]

_FINDINGS = 5
_CHART_HEIGHT = 15


@dataclass(frozen=True, slots=True)
class Page:
    """What was observed, ready to be drawn.

    Attributes:
        report: of the rehearsal.
        validation: of what was left behind.
        frame: the rows it was about.
        folder: where files were written.
    """

    report: RehearsalReport
    validation: ValidationReport
    frame: Frame
    folder: Path

    def draw(self, console: Console) -> None:
        """Counts, quality, the chart, the roster, and the conclusion at the end, where the eye is."""
        self._title(console)
        console.print(Columns([self._rows(), self._delivery(), self._cache()], padding=(0, 3)))
        draw_quality(console, self.report.ingest.quality)
        self._chart(console)
        heading(console, "Roster", "while it ran")
        draw_tree(console, self.report.roster)
        self._retention(console)
        self._end(console)

    def _title(self, console: Console) -> None:
        run = self.report.ingest
        names = ", ".join(run.symbols[:6]) + (", …" if len(run.symbols) > 6 else "")
        heading(console, "Rehearsal", f"{run.dimension} · {one_line(names)} · {one_line(run.source)}")
        if run.span_start and run.span_end:
            span = f"{run.span_start:%Y-%m-%d %H:%M} to {run.span_end:%Y-%m-%d %H:%M} UTC"
            console.print(Text(span, style="dim"))
        console.print()

    def _rows(self) -> Table:
        run = self.report.ingest
        shown = ("rows_read", "quarantined", "filtered", "duplicates", "inserted", "changed", "unchanged")
        optional = {"filtered", "duplicates"}
        names = [name for name in shown if name not in optional or getattr(run, name)]
        return numbers("Rows", [(name.removeprefix("rows_"), count(getattr(run, name))) for name in names])

    def _delivery(self) -> Table:
        sent = self.report.delivery
        relay = next((each for each in self.report.roster.entries if each.path.endswith("/stream/relay")), None)
        published = (relay.detail or {}).get("published") if relay is not None else None
        return numbers(
            "Delivery",
            [
                ("events published", "missing" if published is None else count(published)),
                ("events received", count(sent.events)),
                ("rows received", count(sent.rows)),
                ("in order", "yes" if sent.in_order else "NO"),
                ("came twice", count(sent.duplicates)),
                ("equal in bytes", {True: "yes", False: "NO", None: "nothing sent"}[sent.identical]),
                ("lag", count(sent.lag)),
            ],
        )

    def _cache(self) -> Table:
        before, after = self.report.cache_before, self.report.cache_after
        shown = ("hits", "misses", "sets", "invalidations", "evictions", "keys")
        rows = [(name, count(getattr(before, name)), count(getattr(after, name))) for name in shown]
        rates = tuple("-" if each.hit_rate is None else f"{each.hit_rate:.0%}" for each in (before, after))
        return numbers("Cache", [*rows, ("hit rate", *rates)], ("before", "after"))

    def _chart(self, console: Console) -> None:
        from backbone.operations.chart import terminal_chart

        color = console.color_system is not None
        try:
            drawn = terminal_chart(self.frame, width=min(console.width, 120), height=_CHART_HEIGHT, color=color)
        except ValueError:
            return  # a dimension without prices has no picture
        title, _, chart = drawn.partition("\n")
        heading(console, "Prices", title)
        console.print(Text.from_ansi(chart), no_wrap=True, overflow="crop")

    def _retention(self, console: Console) -> None:
        found = self.report.retention
        heading(console, "Retention", f"a dry run as of {found.as_of:%Y-%m-%d %H:%M} UTC")
        for each in found.findings:
            name = " ".join(filter(None, (str(each.dimension), each.symbol, each.interval)))
            console.print(verdict(each.status, f"{one_line(name)}: {one_line(each.message)}"))
        if not found.findings:
            console.print(Text("  nothing is stored", style="dim"))

    def _end(self, console: Console) -> None:
        report, after = self.report, self.validation
        heading(console, "Afterwards", "once everything had stopped")
        left = f"orphans {len(after.orphans)} · tasks left {len(after.tasks_left)} · dead letters {after.dead_letters}"
        console.print(verdict("ok" if after.succeeded else "failed", left))
        for name in (*after.orphans, *after.tasks_left):
            console.print(Text(f"    {one_line(name)}"))
        console.print(Text(f"  → reports in {self.folder}", style="dim"), soft_wrap=True)
        console.print()
        fine = report.succeeded and after.succeeded
        text = f"rehearsal {'succeeded' if fine else 'FAILED'} in {seconds(report.ingest.duration_s)}"
        style = STYLES["ok" if fine else "failed"]
        console.print(Text(f"{SYMBOLS['ok' if fine else 'failed']} {text}", style=style))
        for failure in report.failures:
            console.print(Text(f"  {one_line(failure)}"))


def heading(console: Console, title: str, more: str = "") -> None:
    """A section: its title in bold, what belongs to it dimmed, an empty line above."""
    line = Text(title, style="bold")
    line.append(f"  {more}" if more else "", style="not bold dim")
    console.print()
    console.print(line)


def verdict(status: str, text: str) -> Text:
    """A line that begins with a status: its symbol in colour, and the word where it is not ok."""
    line = Text("  ")
    line.append(SYMBOLS.get(status, "?"), style=STYLES.get(status, ""))
    line.append(f" {text}" if status == "ok" else f" {status}: {text}")
    return line


def numbers(title: str, rows: Sequence[tuple[str, ...]], columns: Sequence[str] = ("",)) -> Table:
    """A small table of names and numbers, zeros dimmed."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    table.add_column(Text(title, style="bold"), no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for name, *cells in rows:
        table.add_row(f"  {name}", *(Text(cell, style=_cell_style(cell)) for cell in cells))
    return table


def _cell_style(cell: str) -> str:
    return "bold red" if cell == "NO" else "dim" if cell in {"0", "-"} else ""


def draw_quality(console: Console, quality: object) -> None:
    """Score, and the worst findings."""
    from backbone.quality.report import QualityReport

    if not isinstance(quality, QualityReport):
        heading(console, "Quality", "missing: no rows were judged")
        return
    heading(console, "Quality", f"by the {quality.calendar} calendar; {one_line(quality.messages[0])}")
    console.print(verdict(quality.status, f"score {quality.score:.4f}"))
    for finding in quality.findings[:_FINDINGS]:
        style = {"error": "bold red", "warning": "yellow"}.get(finding.severity, "dim")
        line = Text(f"  {finding.severity}", style=style)
        line.append(f"  {one_line(finding.message)}", style="not bold default")
        console.print(line)
    more = len(quality.findings) - _FINDINGS
    if more > 0:
        console.print(Text(f"  and {more} more, in the report", style="dim"))
