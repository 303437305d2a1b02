"""A frame as one line, and as a small HTML table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pyarrow as pa

from backbone.domain.text import written_out
from backbone.domain.values import rows_of

if TYPE_CHECKING:
    from backbone.domain.frame import Frame

__all__ = ["html_table", "summary"]


def summary(frame: Frame) -> str:
    """What it is, in one line."""
    symbols = frame.symbols if len(frame.symbols) <= 3 else (*frame.symbols[:3], f"… {len(frame.symbols)} in all")
    span = f" {frame.start:%Y-%m-%dT%H:%M:%SZ} to {frame.end:%Y-%m-%dT%H:%M:%SZ}" if len(frame) else ""
    marks = " stale" * frame.stale + f" {len(frame.partial)} partial" * bool(frame.partial)
    return f"<Frame {frame.dimension} {len(frame)} rows {written_out(','.join(symbols))}{span}{marks}>"


def html_table(frame: Frame, most: int = 20) -> str:
    """The rows, or of more than `most` the first and the last ones, below a line that says what they are."""
    table = frame.to_arrow()
    half = most // 2
    shown = (
        table
        if table.num_rows <= most
        else pa.concat_tables([table.slice(0, half), table.slice(table.num_rows - half)])
    )
    rows = [_row("td", [_cell(value) for value in row.values()]) for row in rows_of(shown)]
    if table.num_rows > most:
        rows.insert(half, _row("td", ["…"] * table.num_columns))
    head = _row("th", list(table.column_names))
    return f"<p>{escape(repr(frame))}</p><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _row(tag: str, cells: list[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else written_out(value)
