"""`backbone quarantine`: bad rows that were kept aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Limit, Output, prepare
from backbone.domain.arguments import LARGEST, LONGEST_PAGE

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.store.records import QuarantineRow

__all__ = ["list_rows"]


def list_rows(
    *,
    limit: Annotated[int, Limit] = 100,
    skip: int = 0,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """The newest bad rows: where they came from, what is wrong with them, and how they begin.

    Args:
        limit: so many at most, up to 10000.
        skip: so many newer ones are passed over: the next page.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    if not 1 <= limit <= LONGEST_PAGE or not 0 <= skip <= LARGEST:
        raise UsageError(
            f"--limit {limit} --skip {skip}: allowed are 1 to {LONGEST_PAGE} rows at once; "
            f"--skip {LONGEST_PAGE} reads on"
        )
    settings = prepare(common)
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.cli.show.output import page, write, write_json

    rows = run(lambda: briefly(settings, lambda backbone: backbone.quarantined(limit, skip=skip)))
    if how == "json":
        write_json({"rows": rows}, output)
    elif how == "markdown":
        write(_markdown(rows), output)
    else:
        page(lambda console: _draw(console, rows), output, no_color=common.no_color)
    return DONE


def _markdown(rows: Sequence[QuarantineRow]) -> str:
    from backbone.domain.report import markdown_table

    names = ("at", "source", "location", "dimension", "reason", "excerpt")
    return f"# Quarantine\n\n{markdown_table(names, [[getattr(row, name) for name in names] for row in rows])}"


def _draw(console: Console, rows: Sequence[QuarantineRow]) -> None:
    from rich.text import Text

    from backbone.cli.show.text import one_line

    for row in rows:
        line = Text().append(one_line(row.location), style="bold")
        line.append(f"  {one_line(row.reason)}")
        console.print(line)
        console.print(Text(f"  {one_line(row.excerpt)}", style="dim"), overflow="ellipsis", no_wrap=True)
    console.print(Text(f"bad rows: {len(rows)}" if rows else "nothing was kept aside", style="dim"))
