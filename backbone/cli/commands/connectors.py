"""`backbone connectors`: whether store, cache and stream of the running backbone answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backbone.cli.exits import DONE, NOT_READY
from backbone.cli.options import COMMON, Common, Format, Output, prepare

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.operations.probes.connectivity import Probe

__all__ = ["connectors", "draw_parts"]


def connectors(*, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """A round trip through each part of the running backbone: whether it answers, how fast, and what it is.

    Exits 0 where all are ok, 3 where one is degraded or failed, 4 where no backbone runs with these settings.

    Args:
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.process.asking import standing
    from backbone.cli.show.output import show

    report = standing(settings).connectivity
    show(report, lambda console: draw_parts(console, report.probes), how, output, no_color=common.no_color)
    return DONE if report.status == "ok" else NOT_READY


def draw_parts(console: Console, probes: Sequence[Probe]) -> None:
    """One line a part, worst first."""
    from rich.table import Table
    from rich.text import Text

    from backbone.cli.commands.symbols import STYLES, SYMBOLS
    from backbone.cli.show.text import one_line

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "PART", "STATUS", "BACKEND"):
        table.add_column(name, no_wrap=True)
    table.add_column("ANSWERED IN", justify="right", no_wrap=True)
    for probe in sorted(probes, key=lambda each: -each.status.severity):
        state = str(probe.status)
        took = "no answer" if probe.latency_ms is None else f"{probe.latency_ms:.1f} ms"
        mark = Text(SYMBOLS[state], style=STYLES[state])
        idle = ", consuming off" if probe.details.get("consuming") == "off" else ""
        marked = ", insecure" if probe.details.get("transport") == "insecure" else ""
        backend = one_line(probe.backend + marked + idle)
        table.add_row(mark, probe.name, Text(state, style=STYLES[state]), backend, took)
    console.print(table)
