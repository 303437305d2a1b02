"""What can go wrong on the stream, and what to do about it."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["PositionGone", "StreamClosed", "StreamError"]


class StreamError(BackboneError):
    """Base of all stream errors."""

    code = "stream"


class StreamClosed(StreamError):
    """The log was closed while it was in use: stop reading, or open a new log."""


class PositionGone(StreamError):
    """The reader stands before the oldest record that the log still holds.

    Nothing is lost: every position is in the store's outbox until retention prunes it. Read the outbox up to, not
    including, `first_position`, then `seek(first_position - 1)`.

    Attributes:
        position: where the reader stands.
        first_position: the oldest position that the log can still serve; everything before it is in the outbox only.
    """

    def __init__(self, position: int, first_position: int) -> None:
        super().__init__(
            f"position {position} given, but the log holds positions from {first_position} on; "
            "read the ones between from the outbox, then seek the reader"
        )
        self.position = position
        self.first_position = first_position
