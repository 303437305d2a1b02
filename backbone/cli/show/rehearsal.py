"""The page that a rehearsal ends with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.text import Text

from backbone.cli.commands.connectors import draw_parts
from backbone.cli.commands.retention import draw_findings
from backbone.cli.commands.symbols import STYLES, SYMBOLS
from backbone.cli.show.page import draw_quality, heading, numbers, verdict
from backbone.cli.show.roster import draw_tree
from backbone.cli.show.text import count, one_line, seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from backbone.domain.frame import Frame
    from backbone.operations.rehearsal.cycle import RehearsalReport
    from backbone.operations.validation import ValidationReport

__all__ = ["Page"]

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
        heading(console, "Parts", "a round trip through each, at its end")
        draw_parts(console, self.report.connectivity.probes)
        draw_findings(console, self.report.retention)
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
                ("events received", count(sent.events) if sent.consumed else "consuming is off"),
                ("rows received", count(sent.rows) if sent.consumed else "consuming is off"),
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
        from backbone.operations.rehearsal.chart import terminal_chart

        try:
            drawn = terminal_chart(
                self.frame,
                width=min(console.width, 120),
                height=_CHART_HEIGHT,
                color=console.color_system is not None,
                ascii_only=not console.encoding.startswith("utf"),
            )
        except ValueError:
            return  # a dimension without prices has no picture
        title, _, chart = drawn.partition("\n")
        heading(console, "Prices", title)
        console.print(Text.from_ansi(chart), no_wrap=True, overflow="crop")

    def _end(self, console: Console) -> None:
        report, after = self.report, self.validation
        heading(console, "Afterwards", "once everything had stopped")
        left = f"orphans {len(after.orphans)} · tasks left {len(after.tasks_left)} · dead letters {after.dead_letters}"
        verdict(console, "ok" if after.succeeded else "failed", left)
        for name in (*after.orphans, *after.tasks_left):
            console.print(Text(f"    {one_line(name)}"))
        console.print(Text(f"  → reports in {one_line(self.folder)}", style="dim"), soft_wrap=True)
        console.print()
        fine = report.succeeded and after.succeeded
        text = f"rehearsal {'succeeded' if fine else 'FAILED'} in {seconds(report.ingest.duration_s)}"
        style = STYLES["ok" if fine else "failed"]
        console.print(Text(f"{SYMBOLS['ok' if fine else 'failed']} {text}", style=style))
        for failure in report.failures:
            console.print(Text(f"  {one_line(failure)}"))
