"""The process that computes the sessions of an exchange, and writes them to its standard output as an Arrow stream.

It alone imports exchange_calendars.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from backbone.quality.exchanges import SCHEMA

__all__ = ["main", "sessions_of"]

_FIRST = "1970-01-01"


def sessions_of(name: str) -> pa.Table:
    """All sessions of an exchange since 1970, or since the package knows them, up to a year ahead.

    Args:
        name: its market identifier code.
    """
    import exchange_calendars

    known: Any = exchange_calendars.get_calendar(name)
    bound = known.bound_min()
    start = _FIRST if bound is None else max(_FIRST, str(bound.date()))
    calendar: Any = exchange_calendars.get_calendar(name, start=start)
    schedule = calendar.schedule
    days = pa.array(schedule.index.to_numpy().astype("datetime64[D]"), pa.date32())
    moments = [
        pa.Array.from_pandas(schedule[column], type=pa.timestamp("us", "UTC"))
        for column in ("open", "close", "break_start", "break_end")
    ]
    table = pa.Table.from_arrays([days, *moments], schema=SCHEMA)
    return table.replace_schema_metadata({"zone": str(calendar.tz), "made": datetime.now(UTC).date().isoformat()})


def main(name: str) -> None:
    """Write the sessions of an exchange to standard output."""
    table = sessions_of(name)
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as writer:
        writer.write_table(table)
