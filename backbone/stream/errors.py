"""What can go wrong on the stream, and what to do about it."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["PositionGone", "StreamClosed", "StreamError", "StreamSetBack", "StreamUnavailable", "TopicsMissing"]


class StreamError(BackboneError):
    """Base of all stream errors."""

    code = "stream"


class StreamUnavailable(StreamError):
    """The stream can't be reached or does not answer now; it is tried again, and nothing is lost meanwhile.

    Of a `publish` it may also mean that the answer was lost: some records are there, or all, or none. Sending all of
    them again is right, for readers drop what they have seen.
    """

    code = "stream_unavailable"


class TopicsMissing(StreamUnavailable):
    """The brokers answer, and have not all topics: nothing can be published before these are made."""


class StreamClosed(StreamError):
    """The publisher, subscriber or cursor was closed while it was in use: stop, or have the stream make a new one."""


class StreamSetBack(StreamError):
    """The database was set back and the stream began again: this cursor's place means nothing any more.

    Have a subscriber make a new cursor, then fetch what there is.
    """


class PositionGone(StreamError):
    """The cursor stands before the oldest record that the stream still holds.

    Nothing is lost: every position is in the store's outbox until retention prunes it. Read the outbox up to, not
    including, `first_position`, then `seek` the place after `first_position - 1`.

    Attributes:
        position: where the cursor stands.
        first_position: the oldest position that the stream can still serve; everything before it was published, and
            is in the outbox only.
    """

    def __init__(self, position: int, first_position: int) -> None:
        super().__init__(
            f"position {position} given, but the stream holds positions from {first_position} on; "
            "read the ones between from the outbox, then seek the cursor"
        )
        self.position = position
        self.first_position = first_position
