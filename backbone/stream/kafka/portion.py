"""How much is taken from a client of Kafka at once: it unpacks what it hands out on the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["PORTION_BYTES", "Portion"]

PORTION_BYTES: Final = 512 * 1024
"""Of records, unpacked; more at once would hold others up, and is no quicker."""

_FIRST: Final = 8  # records, before it is known how large they are


class Portion:
    """A number of records that follows their size.

    The client can be told how many records to hand out, not how many bytes. For example of records of 1 KiB, 8 are
    taken at first, then 16, 32 and so on; once such of 80 KiB come, 6. So what comes after a rest, or of another size
    than before, is met with few.
    """

    def __init__(self) -> None:
        self._records = _FIRST

    def of(self, limit: int) -> int:
        """How many to take, where so many are wanted at most."""
        return min(limit, self._records)

    def took(self, asked: int, sizes: Sequence[int]) -> None:
        """Learn from what came.

        Args:
            asked: records that were asked for.
            sizes: bytes of each that came.
        """
        size = sum(sizes)
        if size > PORTION_BYTES:
            self._records = max(1, PORTION_BYTES // max(sizes))
        elif len(sizes) >= self._records == asked and 2 * size <= PORTION_BYTES:
            self._records *= 2
