"""What pages are made of: headings, verdicts, small tables of numbers, and the judgement on rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from backbone.cli.symbols import STYLES, SYMBOLS
from backbone.cli.texts import one_line

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["draw_quality", "heading", "numbers", "verdict"]

_FINDINGS = 5


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
