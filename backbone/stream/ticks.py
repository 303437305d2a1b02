"""What the relay's own clock tells it."""

from __future__ import annotations

from actors import Message

__all__ = ["LookAgain", "NoteCursor", "Poll", "Renew", "Retry"]


class Poll(Message, frozen=True):
    """The relay's own clock: look at the outbox, whether a hint came or not."""


class LookAgain(Message, frozen=True):
    """Time to look whether what is committed can be seen by now."""


class Retry(Message, frozen=True):
    """Time to try again what was held up."""


class Renew(Message, frozen=True):
    """Time to ask for the lease of the stream."""


class NoteCursor(Message, frozen=True):
    """Time to note in the store up to where all is published."""
