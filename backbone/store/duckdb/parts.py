"""Large payloads lie in parts: DuckDB packs 2,048 values of a column together, and unpacks all of them to read one.

Of payloads of half a mebibyte that is a gigabyte, more than it may have: the relay would stand still for good. Of parts
it is 32 MB at most, and so it is of the payloads that are small enough to lie in the outbox itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from backbone.store.duckdb.putting import put
from backbone.store.duckdb.sql import Connection, table
from backbone.store.records import OutboxRow

__all__ = ["LARGEST_WHOLE", "drop_parts", "keep_parts", "parts_between"]

LARGEST_WHOLE: Final = 16 * 1024
"""Bytes of a payload that lies in the outbox itself, and of each part of a larger one."""


def keep_parts(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    """Write the payloads of those rows that are too large for the outbox."""
    large = [row for row in rows if len(row.payload) > LARGEST_WHOLE]
    if not large:
        return
    parts = [
        (row.position, number, row.payload[at : at + LARGEST_WHOLE])
        for row in large
        for number, at in enumerate(range(0, len(row.payload), LARGEST_WHOLE))
    ]
    positions, numbers, contents = zip(*parts, strict=True)
    columns = {
        "position": (pa.int64(), positions),
        "number": (pa.int32(), numbers),
        "bytes": (pa.binary(), contents),
    }
    put(connection, "telemetry.outbox_parts", columns)


def parts_between(connection: Connection, after: int, last: int) -> dict[int, bytes]:
    """The large payloads behind a position up to another one, by position."""
    found = table(
        connection,
        """
        SELECT position, bytes FROM telemetry.outbox_parts WHERE position > ? AND position <= ?
        ORDER BY position, number
        """,
        [after, last],
    )
    parts: dict[int, list[bytes]] = {}
    for position, part in zip(*(column.to_pylist() for column in found.columns), strict=True):
        parts.setdefault(position, []).append(part)
    return {position: b"".join(each) for position, each in parts.items()}


def drop_parts(connection: Connection) -> None:
    """Delete the parts whose row of the outbox is gone."""
    connection.execute(
        "DELETE FROM telemetry.outbox_parts WHERE position NOT IN (SELECT position FROM telemetry.outbox)"
    )
