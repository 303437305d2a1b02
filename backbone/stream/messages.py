"""What the actors of the stream, relay and consumer, are asked and told."""

from __future__ import annotations

import msgspec
from msgspec.structs import force_setattr

from actors import Event, Message, Request
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.probe import ProbeAnswer
from backbone.store.records import DeadLetter
from backbone.stream.port import Start
from backbone.stream.provisioned import Provisioned
from backbone.stream.records import PartitionLag, Place
from backbone.stream.resume import Resume

__all__ = [
    "DatabaseSetBack",
    "EnsureTopics",
    "LeaveStream",
    "LettersSent",
    "NextUpdates",
    "ProbeStream",
    "ReadLag",
    "SendBack",
    "StopWaiting",
    "TopicsMissed",
    "Update",
    "Updates",
]


class Update(msgspec.Struct, frozen=True):
    """One committed change of one symbol, as a subscriber receives it.

    Attributes:
        event_id: identity of the change: the same after a redelivery.
        position: of the change in the outbox, for comparing; ascending for each symbol.
        resume: where to go on from after a restart: `subscribe(start=update.resume)`. Keep it as it is.
        symbol: symbol (or calendar) of all the rows.
        frame: the inserted and changed rows.
    """

    event_id: str
    position: int
    resume: str
    symbol: str
    frame: Frame


class Updates(msgspec.Struct, frozen=True):
    """Updates in order, and the place behind them: what the next question is to name."""

    items: tuple[Update, ...]
    place: Place


class NextUpdates(Request[Updates], frozen=True):
    """What comes after a place; the same place again, the same rows again. Waits at most `timeout` seconds.

    Attributes:
        subscription: who asks; a name that the consumer does not know becomes a subscription by this question.
        dimension: what is wanted.
        symbols: whose rows; empty: all.
        after: the place of the answer before, at first where to begin.
        limit: at most so many updates.
        timeout: seconds to wait where there is nothing yet.
    """

    subscription: str
    dimension: Dimension
    symbols: tuple[str, ...] = ()
    after: Place | Resume | Start = "latest"
    limit: int = 256
    timeout: float = 1.0

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("subscription", self.subscription)
        arguments.instance("dimension", self.dimension, Dimension)
        for symbol in arguments.instance("symbols", self.symbols, tuple):
            arguments.instance("symbols", symbol, str)
        if not isinstance(self.after, Place | Resume) and self.after not in ("latest", "earliest"):
            arguments.count("after", self.after, default="'latest', 'earliest' or a place")
        force_setattr(self, "limit", arguments.count("limit", self.limit, 1))
        arguments.seconds("timeout", self.timeout)


class StopWaiting(Message, frozen=True):
    """Who put the last question of this subscription waits no more: what comes for it is kept for the next one."""

    subscription: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("subscription", self.subscription)


class LeaveStream(Message, frozen=True):
    """This subscription is over: give its cursor back."""

    subscription: str

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("subscription", self.subscription)


class ReadLag(Request[tuple[PartitionLag, ...]], frozen=True):
    """How far the slowest subscription is behind in each partition; none where the stream has nothing to be behind."""


class LettersSent(msgspec.Struct, frozen=True):
    """What became of dead letters.

    Attributes:
        sent: so many are in their topics again, and no dead letters any more.
        unreadable: so many of these can't be read today either, and come back as dead letters.
    """

    sent: int
    unreadable: int


class SendBack(Request[LettersSent], frozen=True):
    """Send dead letters back to their topics, and forget them."""

    letters: tuple[DeadLetter, ...]

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        for each in arguments.instance("letters", self.letters, tuple):
            arguments.instance("letters", each, DeadLetter)


class DatabaseSetBack(Event, frozen=True, kw_only=True):
    """The database was restored or failed over to an earlier state: positions of before mean nothing any more."""


class ProbeStream(Request[ProbeAnswer], frozen=True):
    """A round trip through the stream."""


class EnsureTopics(Request[Provisioned], frozen=True):
    """Look for the topics now, and make those that are missing.

    Attributes:
        dry_run: make nothing.
    """

    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("dry_run", self.dry_run)


class TopicsMissed(Request[bool], frozen=True):
    """The brokers answer and lack topics: make them, where that is not left to others. Whether all are there now."""
