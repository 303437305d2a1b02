"""What became of runs: a row for each dimension of each run, whether it went well or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from backbone.domain import arguments
from backbone.domain.dimension import Dimension

__all__ = ["WHOLE", "RunRow", "RunStatus", "dimension_of", "read_run_row", "run_metadata"]

RunStatus = Literal["ok", "skipped", "failed"]
"""How a run ended: carried out, carried out with no row to take, or not carried out."""

WHOLE = "operational_backbone"
"""Stands for the dimension in the row of a run of which no dimension went in."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One dimension of one run.

    Attributes:
        run_id: of the run; those of one run share it.
        dimension: by name; `WHOLE` in the row that says that nothing of the run went in.
        status: see `RunStatus`.
        source: what the rows came from.
        rows: rows that the source gave.
        inserted, changed, unchanged, quarantined: what became of them.
        symbols: of which rows went in.
        start, end: moments of the first and the last row that went in.
        freshness_s: seconds from the last row to the end of the run; None where no row went in.
        duration_s: seconds from the beginning of the run of this dimension to its end, also of one that failed.
        executed_at: when it ended.
        error: why it failed.
        metadata: what it was asked for and what came of it, as JSON.
    """

    run_id: str
    dimension: str
    status: RunStatus
    source: str
    rows: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    symbols: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    freshness_s: float | None = None
    duration_s: float = 0.0
    executed_at: datetime
    error: str | None = None
    metadata: Mapping[str, Any] = {}


def dimension_of(given: object) -> str:
    """The name under which runs of a dimension are journalled.

    Raises:
        TypeError, ValueError: there is no such dimension; lists what is allowed.
    """
    name = arguments.text("dimension", given)
    return name if name == WHOLE else Dimension.parse(name).value


def run_metadata(row: RunRow) -> str:
    """The metadata as JSON; what JSON does not know is written as text."""
    return msgspec.json.encode(row.metadata, enc_hook=str).decode()


def read_run_row(columns: Sequence[Any], moment: Any) -> RunRow:
    """A row from its columns, in the order of `RunRow`; `moment` reads those that are moments."""
    values = dict(zip(RunRow.__struct_fields__, columns, strict=True))
    for name in ("start", "end", "executed_at"):
        values[name] = moment(values[name])
    values["symbols"] = tuple(values["symbols"])
    values["metadata"] = msgspec.json.decode(values["metadata"])
    return RunRow(**values)
