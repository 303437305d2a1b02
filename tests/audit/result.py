"""What a check says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Result"]


class Result(NamedTuple):
    """One check: what it looked at, what it could not ask, and what it found; only the last is a failure."""

    name: str
    looked_at: str
    problems: Sequence[str] = ()
    not_asked: Sequence[str] = ()

    def lines(self) -> list[str]:
        """For the person at the terminal, or who reads the log of CI."""
        mark = "✗" if self.problems else "✓"
        return [
            f"{mark} {self.name}: {self.looked_at}",
            *(f"    not asked: {each}" for each in self.not_asked),
            *(f"    {each}" for each in self.problems),
        ]
