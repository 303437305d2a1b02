"""Large values lie in parts: DuckDB packs 2,048 values of a column together, and unpacks all of them to read one.

Of payloads of half a mebibyte that is a gigabyte, more than it may have: the relay would stand still for good. Of parts
it is 32 MB at most, and so it is of the values that are small enough to lie in the table itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from backbone.store.duckdb.putting import put
from backbone.store.duckdb.sql import Connection, count, table

__all__ = ["LARGEST_WHOLE", "Parts", "large_symbols", "number_of", "symbols_in"]

LARGEST_WHOLE: Final = 16 * 1024
"""Bytes of a value that lies in the table itself, and of each part of a larger one."""

_AT_ONCE = 8  # values, of up to a megabyte as a rule, that DuckDB and we have in memory while they are put together

_MOST_SYMBOLS = 256  # in a list of a row: an element takes 16 bytes and its text, and 2,048 rows are unpacked at once


class Parts(NamedTuple):
    """The parts of one table's values.

    Attributes:
        table: that they lie in.
        owner: its column that says by a number whose they are.
    """

    table: str
    owner: str = "owner"

    def keep(self, connection: Connection, values: Sequence[tuple[int, bytes]]) -> None:
        """Write values, each with the number of what it belongs to."""
        if not values:
            return
        parts = [
            (owner, number, value[at : at + LARGEST_WHOLE])
            for owner, value in values
            for number, at in enumerate(range(0, len(value), LARGEST_WHOLE))
        ]
        owners, numbers, contents = zip(*parts, strict=True)
        columns = {
            self.owner: (pa.int64(), owners),
            "number": (pa.int32(), numbers),
            "bytes": (pa.binary(), contents),
        }
        put(connection, self.table, columns)

    def between(self, connection: Connection, after: int, last: int) -> dict[int, bytes]:
        """The values of owners behind a number up to another one, by owner."""
        found = table(
            connection,
            f"""
            SELECT {self.owner}, bytes FROM {self.table} WHERE {self.owner} > ? AND {self.owner} <= ?
            ORDER BY {self.owner}, number
            """,  # noqa: S608
            [after, last],
        )
        parts: dict[int, list[bytes]] = {}
        for owner, part in zip(*(column.to_pylist() for column in found.columns), strict=True):
            parts.setdefault(owner, []).append(part)
        return {owner: b"".join(each) for owner, each in parts.items()}

    def of(self, connection: Connection, owners: Iterable[int]) -> dict[int, bytes]:
        """The values of these owners, by owner."""
        found: dict[int, bytes] = {}
        for first, last in _stretches(owners):
            found |= self.between(connection, first - 1, last)
        return found

    def drop_but_of(self, connection: Connection, column: str, table: str) -> None:
        """Delete the parts whose owner is gone.

        By NOT IN all owners that are left, of a million changes, would be laid out in memory to look for a few; here it
        is the few.

        Args:
            connection: in the transaction in which owners went.
            column: of the numbers of those that are left.
            table: that has it.
        """
        connection.execute(
            f"DELETE FROM {self.table} p WHERE NOT EXISTS (SELECT 1 FROM {table} o WHERE o.{column} = p.{self.owner})"  # noqa: S608
        )


def _stretches(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of numbers that follow each other, a few at a time.

    By a list of numbers DuckDB would choose blocks of 122,880 parts, and read all that is in them.
    """
    ordered = sorted(numbers)
    first = 0
    for at in range(1, len(ordered) + 1):
        if at == len(ordered) or ordered[at] != ordered[at - 1] + 1 or at - first == _AT_ONCE:
            yield ordered[first], ordered[at - 1]
            first = at


def number_of(connection: Connection) -> int:
    """A number for what has no other one."""
    return count(connection, "SELECT nextval('telemetry.large_value')")


def large_symbols(symbols: Sequence[str]) -> bytes:
    """Symbols as they lie in parts; empty: they are few enough for a list in the row."""
    if len(symbols) <= _MOST_SYMBOLS and sum(map(len, symbols)) <= LARGEST_WHOLE:
        return b""
    return msgspec.json.encode(symbols)


def symbols_in(value: bytes) -> tuple[str, ...]:
    """The symbols that lie in parts."""
    return msgspec.json.decode(value, type=tuple[str, ...])
