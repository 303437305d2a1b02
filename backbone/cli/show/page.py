"""What pages are made of: headings, verdicts, small tables of numbers, and the judgement on rows."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from backbone.cli.commands.symbols import STYLES, SYMBOLS
from backbone.cli.show.text import one_line
from backbone.domain.text import written_out

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["draw_quality", "heading", "numbers", "verdict", "wrapped"]

_FINDINGS = 5
_SEVERITIES = {"error": "bold red", "warning": "yellow"}


def heading(console: Console, title: str, more: str = "") -> None:
    """A section: its title in bold, what belongs to it dimmed, an empty line above."""
    line = Text().append(title, style="bold")
    line.append(f"  {written_out(more)}" if more else "", style="dim")
    console.print()
    console.print(line)


def wrapped(console: Console, word: str, style: str, text: str) -> None:
    """A line that begins with a word in colour; what does not fit goes on below the text, not below the word."""
    indent = len(word) + (3 if len(word) == 1 else 4)
    pieces = wrap(one_line(text), max(console.width - indent, 20))
    for place, piece in enumerate(pieces or [""]):
        lead = "" if place else f"  {word}"
        console.print(Text().append(lead.ljust(indent), style=style).append(piece))


def verdict(console: Console, status: str, text: str) -> None:
    """A line that begins with a status: its symbol, and the word where it is not ok."""
    symbol = SYMBOLS.get(status, "?")
    wrapped(console, symbol if status == "ok" else f"{symbol} {status}", STYLES.get(status, ""), text)


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
    from backbone.quality.calendars import called
    from backbone.quality.report import QualityReport

    if not isinstance(quality, QualityReport):
        heading(console, "Quality", "missing: no rows were judged")
        return
    heading(console, "Quality", f"by {called(quality.calendar)}; {one_line(quality.messages[0])}")
    verdict(console, quality.status, f"score {quality.score:.4f}")
    for finding in quality.findings[:_FINDINGS]:
        wrapped(console, finding.severity, _SEVERITIES.get(finding.severity, "dim"), finding.message)
    more = len(quality.findings) - _FINDINGS
    if more > 0:
        console.print(Text(f"  and {more} more, in the report", style="dim"))
