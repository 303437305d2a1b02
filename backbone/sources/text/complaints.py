"""What is said of a header that does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from backbone.domain import Dimension
from backbone.sources.errors import InputInvalid
from backbone.sources.text.aliases import spellings
from backbone.sources.text.dialects import by_header, plain

__all__ = ["listed", "refuse_incomplete"]

_EXCERPT: Final = 40  # characters of a file that is not what was meant: it may be anything, a file of passwords too


def refuse_incomplete(
    path: str, found: Sequence[str], dimension: Dimension, have: set[str], needed: Sequence[str], missing: Sequence[str]
) -> None:
    """Refuse a header without the columns that are needed, with what might be meant.

    Args:
        path: of the file.
        found: its names.
        dimension: what the rows are.
        have: our columns that are there.
        needed: our columns that have to be.
        missing: those of them that are not there.

    Raises:
        InputInvalid: some are missing.
    """
    if not missing:
        return
    other = by_header(found, None)
    meant = ""
    if other is not None and dimension not in other.dimensions:
        meant = f"; this is {other.title}: --dimension {other.dimensions[0]}"
    if not set(have).intersection(needed) - {"symbol", "calendar", "interval"}:
        raise InputInvalid(
            f"the first line of {path} names no column that {dimension} needs ({', '.join(needed)}): "
            f"it begins with {','.join(found)[:_EXCERPT]!r}; give the file a header line with these names, or say "
            f"which column is what by name or position (--columns 1={needed[-1]}){meant}"
        )
    hints = {"symbol": "--symbols EURUSD names it for all rows", "interval": "--interval 1h names it for all rows"}
    if found and plain(found[0]) in ("", "unnamed0", "index"):
        hints["ts"] = "where the first column, which has no name of its own, is the time: --columns 1=ts"
    help_ = [hint for column in missing for hint in [hints.get(column) or _near(column, found)] if hint]
    raise InputInvalid(
        f"{path} lacks {', '.join(missing)}: found {listed(found)}; {dimension} needs {', '.join(needed)}"
        + (f"; {'; '.join(help_)}" if help_ else f"; read as: {missing[0]} = {'|'.join(spellings(missing[0]))}")
        + meant
    )


def _near(column: str, found: Sequence[str]) -> str | None:
    close = difflib.get_close_matches(plain(column), [plain(name) for name in found], n=1, cutoff=0.7)
    return f"is {close[0]!r} meant to be {column}? then --columns {close[0]}={column}" if close else None


def listed(names: Sequence[str]) -> str:
    """Names for a message, not all of many."""
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
