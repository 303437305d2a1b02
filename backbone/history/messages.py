"""What the history actor is asked."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import force_setattr

from actors import Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension

__all__ = ["ExplainRow"]


class ExplainRow(Request[str], frozen=True):
    """Whether a reader who names symbol and span gets a moment's rows out of an export, and why not.

    Attributes:
        dimension: of the rows.
        symbol: or calendar.
        ts: the moment.
    """

    dimension: Dimension
    symbol: str
    ts: datetime

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.instance("dimension", self.dimension, Dimension)
        arguments.text("symbol", self.symbol)
        force_setattr(self, "ts", arguments.instance("ts", arguments.moment("ts", self.ts), datetime))
