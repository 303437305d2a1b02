"""What the store has told the relay of its commits: rows that need not be read, where what they follow is proven."""

from __future__ import annotations

from backbone.store.messages import OutboxGrew
from backbone.store.records import OutboxRow

__all__ = ["Hints"]

_MOST = 64  # hints kept, each of at most 64 KiB of rows; beyond that the outbox is read


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
        self._unknown = 0  # a hint said that there is something up to here, and not what
        self._following: dict[int, tuple[OutboxRow, ...]] = {}

    def note(self, hint: OutboxGrew) -> None:
        """Keep what a commit has put into the outbox; without rows, or with too many kept, it is to be looked at."""
        if hint.after is None or not hint.outbox or len(self._following) >= _MOST:
            self._following.clear()
            self._unknown = max(self._unknown, hint.position)
        else:
            self._following[hint.after] = hint.outbox

    def take(self, position: int, most: int) -> list[OutboxRow]:
        """The rows that come right after a position, at most `most` unless one hint has more; none: they are not known.

        What is kept of other places was read meanwhile, or something lies before it, which is to be looked at.
        """
        rows: list[OutboxRow] = []
        while (following := self._following.get(position)) is not None:
            if rows and len(rows) + len(following) > most:
                break  # readers look back over one batch of the relay, and no further
            del self._following[position]
            rows += following
            position = following[-1].position
        if not rows:
            for each in self._following.values():
                self._unknown = max(self._unknown, each[-1].position)
            self._following.clear()
        return rows

    def look(self, position: int) -> bool:
        """Whether the outbox is to be looked at from a position on; asked once, for what is read then is known."""
        wanted = self.due or self._unknown > position
        self.due, self._unknown = False, 0
        return wanted

    def forget(self) -> None:
        """Nothing that was told holds any more: look."""
        self._following.clear()
        self.due, self._unknown = True, 0
