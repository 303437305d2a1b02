"""Numbers in order: revisions, ids and positions. One writer takes them from sequences a block at a time."""

from __future__ import annotations

from typing import Literal

from backbone.store.duckdb.sql import Connection, count

__all__ = ["Numbers", "Sequence"]

Sequence = Literal["revision", "ledger_id", "journal_id", "outbox_position"]

_SEQUENCES: tuple[Sequence, ...] = ("revision", "ledger_id", "journal_id", "outbox_position")
_BLOCK = 1000
_LOW = 50  # in a block that has fewer left the next chunk may not find enough


class Numbers:
    """What is left of the blocks that were taken. They have gaps where a transaction rolls back or a store closes."""

    def __init__(self) -> None:
        self._left: dict[Sequence, range] = dict.fromkeys(_SEQUENCES, range(0))

    def reserve(self, connection: Connection) -> None:
        """Take blocks where little is left: outside of a transaction, for one that rolls back would give them back."""
        for sequence in _SEQUENCES:
            if len(self._left[sequence]) < _LOW:
                self._left[sequence] = _taken(connection, sequence, _BLOCK)

    def take(self, connection: Connection, sequence: Sequence, many: int = 1) -> range:
        """The next so many. More than are left come from the sequence itself, and what was left is let go of."""
        left = self._left[sequence]
        if many > len(left):
            self._left[sequence] = range(0)
            return _taken(connection, sequence, many)
        self._left[sequence] = left[many:]
        return left[:many]


def _taken(connection: Connection, sequence: Sequence, many: int) -> range:
    last = count(connection, f"SELECT max(nextval('telemetry.{sequence}')) FROM range(?)", [many])  # noqa: S608
    return range(last - many + 1, last + 1)
