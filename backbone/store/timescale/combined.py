"""Several changes in one statement."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from backbone.store.timescale.session import Session

__all__ = ["Combined"]

_PARAMETER = re.compile(r"\$(\d+)")


class Combined:
    """Changes of several tables that are sent together: one round trip, however many they are.

    All of them see the rows as they were before the statement, none sees what another does: so together may only go
    what touches different rows. Each is written with its own parameters, from $1.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._values: list[object] = []

    def add(self, name: str, query: str, *values: object) -> None:
        """Add a change, or a look; the answer may speak of what it returns by that name."""
        self._parts.append(f"{name} AS ({_renumbered(query, len(self._values))})")
        self._values += values

    async def carry_out(self, session: Session, answer: str) -> Any:
        """Do it all; returns the row that these expressions make."""
        return await session.row(f"WITH {', '.join(self._parts)} SELECT {answer}", *self._values)


@lru_cache(maxsize=512)
def _renumbered(query: str, by: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", query)
