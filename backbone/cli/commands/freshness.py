"""`backbone freshness`: how old the newest rows of each symbol are, by the sessions of its market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Output, Symbols, moment, prepare, symbols_of

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from backbone.domain.dimension import Dimension
    from backbone.operations.freshness import FreshnessReport
    from backbone.settings import Settings

__all__ = ["freshness"]

_SAID = 10  # findings of which a screen says why


def freshness(
    *,
    dimension: str | None = None,
    symbols: Symbols = (),
    as_of: str | None = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """How old the newest rows of each symbol are, by the sessions of its market; worst first.

    A market that is shut makes nothing old. A running backbone is asked for it; where none runs, the store is.

    Args:
        dimension: only this one; all unless given.
        symbols: only these; comma-separated or repeated.
        as_of: the moment it is judged at, for historical data; a date alone is midnight UTC; now unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.show.output import show
    from backbone.domain.dimension import Dimension

    at = moment("--as-of", as_of)
    try:
        chosen = [] if dimension is None else [Dimension.parse(dimension)]
    except ValueError as error:
        raise UsageError(f"--dimension: {error}") from error
    report = _found(settings, chosen, list(symbols_of(symbols)), at)
    show(report, lambda console: _draw(console, report), how, output, no_color=common.no_color)
    return DONE


def _found(
    settings: Settings, dimensions: list[Dimension], symbols: list[str], as_of: datetime | None
) -> FreshnessReport:
    """What the running backbone says, or the store where none runs."""
    from backbone.cli.process.asking import answer
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.control.errors import NobodyRuns
    from backbone.operations.freshness import FreshnessReport

    asked: dict[str, Any] = {"dimensions": [each.value for each in dimensions], "symbols": symbols}
    if as_of is not None:
        asked["as_of"] = as_of.isoformat()
    try:
        return answer(settings, "freshness", FreshnessReport, arguments=asked)[0]
    except NobodyRuns:
        return run(
            lambda: briefly(settings, lambda backbone: backbone.freshness(dimensions, symbols=symbols, as_of=as_of))
        )


def _draw(console: Console, report: FreshnessReport) -> None:
    """One line a symbol and interval, worst first; why, below those that are not ok."""
    from rich.table import Table
    from rich.text import Text

    from backbone.cli.commands.symbols import STYLES, SYMBOLS
    from backbone.cli.show.page import heading, wrapped
    from backbone.cli.show.text import one_line, seconds

    heading(console, "Freshness", f"as of {report.as_of:%Y-%m-%d %H:%M:%S} UTC")
    if not report.findings:
        console.print(Text("  nothing is stored", style="dim"))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "DIMENSION", "SYMBOL", "BARS", "NEWEST (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("OVERDUE", "ALLOWED"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in report.findings:
        state, newest = str(each.level), each.newest
        table.add_row(
            Text(SYMBOLS[state], style=STYLES[state]),
            each.dimension.value,
            one_line(each.symbol),
            each.interval or "",
            "none" if newest is None else f"{newest:%Y-%m-%d %H:%M:%S}",
            Text("unknown" if each.age_s is None else seconds(each.age_s) if each.age_s else "-", style=STYLES[state]),
            seconds(each.limit_s),
        )
    console.print(table)
    doubtful = [each for each in report.findings if each.level != "ok"]
    for each in doubtful[:_SAID]:
        name = " ".join(filter(None, (each.symbol, each.interval)))
        wrapped(console, SYMBOLS[str(each.level)], STYLES[str(each.level)], f"{name}: {each.why}")
    if len(doubtful) > _SAID:
        console.print(Text(f"  and why {len(doubtful) - _SAID:,} more are not ok: --format json", style="dim"))
