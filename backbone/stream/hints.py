"""What the store has told the relay of its commits: rows that need not be read, where what they follow is proven."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.store.messages import OutboxGrew
from backbone.store.records import OutboxRow

__all__ = ["Hints"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 1.0  # seconds
_LONGER = 1.25  # than the pause before: what has waited for long is seen at most a quarter of that later
_MOST, _MOST_BYTES = 64, 4 * 2**20  # hints kept, and of what size their rows; beyond that the outbox is read


class Hints:
    """Rows by the position that they follow, until the relay has come there.

    For example the relay stands at 7. A hint of rows 8 and 9 after 7, and one of row 12 after 9, are taken together.
    A hint of row 20 after 15 can't be: something lies between 12 and 15 of which nobody told. Then the outbox is to be
    looked at, which has all of it.

    Attributes:
        due: the outbox is to be looked at, whatever else is known.
    """

    def __init__(self) -> None:
        self.due = False
        self._newest = 0  # that a hint told of; what is committed there may not be to be seen yet
        self._seen = 0  # how far it was come when that was asked last
        self._pause = 0.0
        self._unknown = 0  # a hint said that there is something up to here, and not what
        self._following: dict[int, tuple[OutboxRow, ...]] = {}
        self._size = 0  # bytes of their payloads

    def note(self, hint: OutboxGrew) -> None:
        """Keep what a commit has put into the outbox; without rows, or with too many kept, it is to be looked at."""
        self._newest = max(self._newest, hint.position)
        size = self._size + _size_of(hint.outbox)
        if hint.after is None or not hint.outbox or len(self._following) >= _MOST or size > _MOST_BYTES:
            self._drop()
            self._unknown = max(self._unknown, hint.position)
        else:
            self._following[hint.after], self._size = hint.outbox, size

    def take(self, position: int, most: int) -> list[OutboxRow]:
        """The rows that come right after a position, at most `most` unless one hint has more; none: they are not known.

        What is kept of other places was read meanwhile, or something lies before it, which is to be looked at.
        """
        rows: list[OutboxRow] = []
        while (following := self._following.get(position)) is not None:
            if rows and len(rows) + len(following) > most:
                break  # readers look back over one batch of the relay, and no further
            del self._following[position]
            self._size -= _size_of(following)
            rows += following
            position = following[-1].position
        if not rows:
            for each in self._following.values():
                self._unknown = max(self._unknown, each[-1].position)
            self._drop()
        return rows

    def look(self, position: int) -> bool:
        """Whether the outbox is to be looked at from a position on; asked once, for what is read then is known."""
        wanted = self.due or self._unknown > position
        self.due, self._unknown = False, 0
        return wanted

    def unseen(self, position: int) -> float:
        """Seconds after which to look again, ever longer, where less was to be seen than was told of; 0: all was.

        A transaction that began before others holds back what they have committed, and nobody tells of its end.
        """
        moved, self._seen = position > self._seen, position
        self._pause = _FIRST_PAUSE if moved or not self._pause else min(_LONGER * self._pause, _LONGEST_PAUSE)
        return self._pause if self._newest > position else 0.0

    def forget(self) -> None:
        """Nothing that was told holds any more: look."""
        self._drop()
        self.due, self._unknown, self._newest = True, 0, 0

    def _drop(self) -> None:
        self._following.clear()
        self._size = 0


def _size_of(rows: Sequence[OutboxRow]) -> int:
    return sum(len(row.payload) for row in rows)
