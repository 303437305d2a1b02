"""The port of the stream: what every adapter (in-process, Kafka) offers, and the records that travel on it.

Delivery is at least once and in order per symbol: the relay publishes outbox rows in position order, a symbol always
lands on the same partition, and what was sent twice is dropped by who reads. Reading is broadcast: each cursor sees
every matching record, however slow the others are.

A `Stream` makes what its users hold: the relay a `Publisher`, each reading actor a `Subscriber`. Everything that may
need the network is asynchronous, and raises `StreamUnavailable` where there is no answer.

```python
publisher, subscriber = stream.publisher(), stream.subscriber()
await publisher.open()
await publisher.publish(rows_of_the_outbox)
await subscriber.open()
cursor = await subscriber.cursor(dimension=Dimension.QUOTES, symbols=("EURUSD",), after="latest")
records = await cursor.poll(timeout=1.0)
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

from backbone.domain.dimension import Dimension
from backbone.domain.probe import ProbeAnswer
from backbone.store.records import DeadLetter
from backbone.stream.letters import Letters
from backbone.stream.records import Envelope, PartitionLag, Place, Record

__all__ = [
    "MOST_AT_ONCE",
    "Cursor",
    "Doubting",
    "Publisher",
    "Start",
    "Stream",
    "Subscriber",
]

MOST_AT_ONCE: Final = 4000
"""Envelopes that a publisher is given in one call at most: so many may one that was replaced send late."""

Start = int | Literal["latest", "earliest"]
"""Where reading begins: after this outbox position, after the newest record, or at the oldest one retained."""


class Publisher(Protocol):
    """Sends changes. One that has failed is abandoned: closed, and another one made."""

    async def open(self) -> None:
        """Connect; a second call does nothing.

        Raises:
            StreamUnavailable: the stream can't be reached.
        """
        ...

    async def close(self) -> None:
        """Give back what the publisher holds, without waiting for answers; a second call does nothing."""
        ...

    async def probe(self) -> ProbeAnswer:
        """Ask the stream whether it works.

        Raises:
            StreamUnavailable: it does not answer.
        """
        ...

    async def resume(self, position: int, filled: Collection[str] = ()) -> Collection[str]:
        """Say, before the first `publish`, up to where the outbox was published earlier.

        A stream that lives as long as its process has to know it: what lies before is nowhere in it, so its readers
        have to be sent to the outbox. One that keeps its records is made of parts, such as topics, each of which may
        have been lost and made anew since: empty, under another identity. Such a part is filled again: whoever
        publishes goes through the outbox from its beginning once more, and of what lies up to `position` the publisher
        sends what belongs to the parts that lack it, and passes over the rest. Once that is done, they count as filled.
        Where a part is lost later, `publish` raises `StreamUnavailable`; the next publisher is told by this again.

        Args:
            position: up to here all was published.
            filled: identities of the parts that were filled, ever; they may be of parts that are no more.

        Returns:
            Identities of the parts that are not among them; none where the stream has no parts.

        Raises:
            StreamUnavailable: the stream does not answer.
            StreamClosed: the publisher is not open.
        """
        ...

    async def holds_anything(self) -> bool:
        """Whether anybody has ever published to the stream.

        Raises:
            StreamUnavailable: the stream does not answer.
            StreamClosed: the publisher is not open.
        """
        ...

    async def begin_again(self, position: int) -> None:
        """Say that the database was set back: what was published after `position` is no longer so.

        The stream gets another generation. Its cursors of before raise `StreamSetBack`, for positions after this one
        may come again for other changes.
        """
        ...

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Append envelopes in the order given; returns once all of them are safe where the stream keeps them.

        Args:
            envelopes: ascending by position, at most `MOST_AT_ONCE`.

        Raises:
            ValueError: positions that do not ascend, or one below 1; nothing was appended.
            StreamUnavailable: not all of them are known to be there. Send all of them again.
            StreamClosed: the publisher is not open.
        """
        ...


class Cursor(Protocol):
    """An independent reader of the stream."""

    @property
    def place(self) -> Place:
        """Where it stands: everything that matches and lies before was handed out."""
        ...

    async def poll(self, max_records: int = 500, timeout: float = 1.0) -> list[Record]:
        """Wait at most `timeout` seconds for matching records after the cursor, and move past them.

        A record that was handed out since the cursor came to its place is not handed out again, however often it was
        published.

        Args:
            max_records: upper bound of the answer's length, at least 1.
            timeout: seconds to wait when there is nothing to read; 0 only looks.

        Returns:
            Records in ascending position for each symbol, for all of them where the stream is `ordered`; empty when
            the time passed.

        Raises:
            PositionGone: the cursor lies before what the stream retains.
            StreamSetBack: the stream began again since the cursor was made.
            StreamUnavailable: the stream does not answer; the cursor stands where it did.
            StreamClosed: the subscriber or this cursor was closed.
        """
        ...

    async def seek(self, place: Place) -> None:
        """Stand at a place; a mark that this stream did not give is passed over, the position holds then.

        Raises:
            StreamUnavailable: the stream does not answer; the cursor stands where it did.
        """
        ...

    async def lag(self) -> int:
        """Number of records that were published, match, and were not read yet.

        Raises:
            StreamUnavailable: the stream does not answer.
        """
        ...

    async def close(self) -> None:
        """Give back what the cursor holds; a second call does nothing."""
        ...


class Subscriber(Protocol):
    """Reads changes: one client, whose cursors share what it receives."""

    @property
    def letters(self) -> Letters:
        """Messages that nobody could read; reading goes on behind them, and who holds the subscriber stores them."""
        ...

    @property
    def generation(self) -> str:
        """Names this very stream, once open: a mark of another generation means nothing here."""
        ...

    async def open(self) -> None:
        """Connect; a second call does nothing.

        Raises:
            StreamUnavailable: the stream can't be reached.
        """
        ...

    async def send_back(self, letters: Sequence[DeadLetter]) -> int:
        """Send dead letters to their topics again, whole; cursors hand out what they can read of them, once more.

        Returns:
            How many of them can't be read today either.

        Raises:
            StreamUnavailable: not all of them are known to be there; send all of them again.
            StreamError: the stream takes nothing back, or a topic does not take one of them.
        """
        ...

    async def pass_on(self, letters: Sequence[DeadLetter]) -> int:
        """Send dead letters to the topic for them, where the stream has one: there others may look at them.

        Returns:
            How many it does not take, now or later; these are only where they are kept.

        Raises:
            StreamUnavailable: not all of them are known to be there; send all of them again.
        """
        ...

    def set_aside(self, record: Record, reason: str) -> bool:
        """Put a record whose payload can't be decoded among the letters; False: it came from nobody else.

        Of a stream to which others may write nothing is believed; what this process has published itself can only have
        been damaged, which whoever reads it has to be told.
        """
        ...

    async def lag(self) -> tuple[PartitionLag, ...]:
        """How far the slowest cursor is behind in each partition; none where the stream has nothing to be behind.

        Raises:
            StreamUnavailable: the stream does not answer.
            StreamClosed: the subscriber is not open.
        """
        ...

    async def close(self) -> None:
        """Wake all cursors with `StreamClosed` and give back what the subscriber holds; a second call does nothing."""
        ...

    async def cursor(
        self, *, dimension: Dimension | None = None, symbols: Sequence[str] = (), after: Start | Place = 0
    ) -> Cursor:
        """A new cursor over the records of `dimension` (None: all) and `symbols` (empty: all).

        Raises:
            ValueError: `after` is no start.
            StreamUnavailable: the stream does not answer.
            StreamClosed: the subscriber is not open.
        """
        ...


class Stream(Protocol):
    """One stream, for as long as the process lives. It connects to nothing; what it makes does."""

    @property
    def shared(self) -> bool:
        """Whether other processes publish to this very stream too: then only one of them may at a time."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether cursors give records of all symbols in one order, that of positions."""
        ...

    def publisher(self) -> Publisher:
        """A new publisher, not open yet."""
        ...

    def subscriber(self) -> Subscriber:
        """A new subscriber, not open yet; those of one process may share a connection."""
        ...


@runtime_checkable
class Doubting(Protocol):
    """A stream to which others may write, and that therefore does not believe all that it holds."""

    def hold_against(self, reached: Callable[[int], Awaitable[int]]) -> None:
        """Have what is read believed only up to the position that the database has come to.

        A record that claims a later one is none of ours: it goes to the letters. Were it believed, all that comes up to
        there would count as seen. Until this is called every position is.

        Args:
            reached: asks for it, given the position that is claimed; raises `StreamUnavailable` where nobody can tell.
        """
        ...
