"""`backbone instruments`: what symbols are taken for, and what says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Output, prepare, symbols_of

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.quality.explained import Explained

__all__ = ["instruments"]

_COLUMNS = ("symbol", "what", "is", "said by")


def instruments(
    *symbols: Annotated[str, Parameter(show_default=False)],
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """What symbols are taken for, and which setting or rule says so; no store is asked.

    Args:
        symbols: one or more, by name.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    names = symbols_of(symbols)
    if not names:
        raise UsageError("no symbol given; name at least one: backbone instruments BTC-USD AAPL")
    settings = prepare(common)
    from backbone.cli.show.output import page, write, write_json
    from backbone.domain.report import markdown_table
    from backbone.quality.instruments import Instruments

    registry = Instruments(settings)
    found = [registry.explain(name) for name in names]
    if how == "json":
        write_json({"instruments": found}, output)
    elif how == "markdown":
        rows = [(each.symbol, *row) for each in found for row in _rows(each)]
        write(f"# Instruments\n\n{markdown_table(_COLUMNS, rows)}", output)
    else:
        page(lambda console: _draw(console, found), output, no_color=common.no_color)
    return DONE


def _rows(found: Explained) -> Iterator[tuple[str, str, str]]:
    """What, its value in words, and what says it."""
    tick = found.tick.value
    yield "kind", found.kind.value, found.kind.by
    yield "calendar", found.calendar.value, found.calendar.by
    yield "prices", "may be zero or less" if found.nonpositive.value else "above zero", found.nonpositive.by
    yield "tick", "none" if tick is None else f"{tick:g}", found.tick.by


def _draw(console: Console, found: Sequence[Explained]) -> None:
    from rich.table import Table
    from rich.text import Text

    from backbone.cli.show.text import one_line

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in _COLUMNS:
        table.add_column(name.upper(), overflow="fold")
    for each in found:
        for number, (what, value, by) in enumerate(_rows(each)):
            symbol = "" if number else one_line(each.symbol)
            table.add_row(Text(symbol, style="bold"), what, Text(one_line(value)), Text(one_line(by), style="dim"))
    console.print(table)
