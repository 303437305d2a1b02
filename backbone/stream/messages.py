"""What the actors of the stream, relay and consumers, are asked."""

from __future__ import annotations

import msgspec
from msgspec.structs import force_setattr

from actors import Request
from backbone.domain import arguments
from backbone.domain.frame import Frame
from backbone.stream.port import StreamInfo

__all__ = ["NextUpdates", "ProbeStream", "Update", "Updates"]


class Update(msgspec.Struct, frozen=True):
    """One committed change of one symbol, as a subscriber receives it.

    Attributes:
        event_id: identity of the change: the same after a redelivery.
        position: where to continue from after a restart.
        symbol: symbol (or calendar) of all the rows.
        frame: the inserted and changed rows.
    """

    event_id: str
    position: int
    symbol: str
    frame: Frame


class Updates(msgspec.Struct, frozen=True):
    """Updates in order, and the position up to which everything that matches was handed out."""

    items: tuple[Update, ...]
    position: int


class NextUpdates(Request[Updates], frozen=True):
    """What comes after `after` (None: where the consumer stands); waits at most `timeout` seconds."""

    after: int | None
    limit: int = 256
    timeout: float = 1.0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        if self.after is not None:
            arguments.count("after", self.after)
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))
        arguments.seconds("timeout", self.timeout)


class ProbeStream(Request[StreamInfo], frozen=True):
    """A round trip through the log."""
