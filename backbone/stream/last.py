"""The newest row of each symbol, as it came by on the stream: kept by an actor, read without a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from actors import Reject, handles
from backbone.calls import Calls, refuse
from backbone.domain import decode
from backbone.domain.dimension import Dimension
from backbone.domain.threads import in_thread
from backbone.domain.values import rows_of
from backbone.store.errors import PositionLost
from backbone.store.messages import DeleteDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.errors import StreamError, StreamSetBack
from backbone.stream.feed import Change, Feed, let_go, within
from backbone.stream.following import LONGEST_PAUSE, FollowingActor
from backbone.stream.messages import LettersSent, SendBack
from backbone.stream.port import Start, Stream, Subscriber
from backbone.stream.records import Place, Record
from backbone.stream.sink import TopicRefuses
from backbone.stream.trim import Cut, is_much, newest_of

__all__ = ["LastActor", "Newest"]

_BATCH = 500
_WAIT = 30.0
_OPEN_TIMEOUT = 5.0
_STORE_TIMEOUT = 10.0
_SEND_TIMEOUT = 30.0
_LETTERS = 200  # sent back at once


class Newest:
    """What the actor writes and others read. It outlives the actor's incarnations; a symbol costs one small payload.

    Attributes:
        place: up to where changes are in it; None: none came by yet.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self._payloads: dict[tuple[Dimension, str], tuple[bytes, int | None]] = {}
        self._rows: dict[tuple[Dimension, str], Mapping[str, Any]] = {}

    def put(self, changes: Sequence[Change]) -> None:
        """Note changes, in order; of each symbol the last one stays."""
        self.keep(newest_of(changes, foreign=False))

    def keep(self, newest: Iterable[Cut]) -> None:
        """Note changes that are cut already, newest first; of each symbol the first one stays."""
        for key, each in {each.key: each for each in reversed([*newest])}.items():
            self._payloads[key] = (each.payload, each.checksum)
            self._rows.pop(key, None)

    def forget(self) -> None:
        """Nothing that came by holds any more."""
        self.place = None
        self._payloads.clear()
        self._rows.clear()

    def row(self, dimension: Dimension, symbol: str) -> Mapping[str, Any] | None:
        """The newest row of the newest change; None: none came by.

        Raises:
            CodecError: the change can't be read.
        """
        key = (dimension, symbol)
        row = self._rows.get(key)
        if row is None and (kept := self._payloads.get(key)) is not None:
            row = self._rows[key] = rows_of(decode(*kept).newest(1).to_arrow())[0]
        return row


def _some_of_one_topic(letters: Sequence[DeadLetter]) -> Iterator[Sequence[DeadLetter]]:
    for topic in sorted({each.topic for each in letters}):
        those = [each for each in letters if each.topic == topic]
        yield from (those[n : n + _LETTERS] for n in range(0, len(those), _LETTERS))


class LastActor(FollowingActor):
    """Follows the whole stream from when the process began, and keeps the newest change of each symbol.

    Where the database was set back, it forgets them and begins with what the stream has since; where changes were
    published and pruned before they came by here, it goes on with the oldest that the stream still has.

    Args:
        stream: what to follow.
        calls: the store, whose outbox has what the stream has forgotten.
        newest: where to keep it.
        inline: decode on the event loop only, for deterministic tests.
    """

    def __init__(self, stream: Stream, calls: Calls, newest: Newest, inline: bool = False) -> None:
        super().__init__(stream, calls, _BATCH, _WAIT, _STORE_TIMEOUT)
        self._newest = newest
        self._inline = inline
        self._lost_place = False

    def inspect(self) -> dict[str, Any]:
        """Where it stands."""
        position = self._newest.place.position if self._newest.place else 0
        return {"position": position, **super().inspect()}

    @handles
    def send_back(self, message: SendBack) -> None:
        """See SendBack; beside the mailbox."""
        self.context.run_task(self._send_back(message.letters), name="send back", reply=self.context.defer_reply())

    async def _send_back(self, letters: Sequence[DeadLetter]) -> LettersSent:
        """Send first, then forget: what is sent twice is seen twice, what is lost is lost.

        Some at a time, so that little is sent twice; a topic that takes none of them holds up no other.
        """
        subscriber, sent, unreadable = self._stream.subscriber(), 0, 0
        refused: StreamError | None = None
        try:
            for some in _some_of_one_topic(letters):
                try:
                    unreadable += await within(_SEND_TIMEOUT, subscriber.send_back(some), "take dead letters")
                except TopicRefuses as error:
                    refused = refused or error
                    continue
                await self._calls.ask("store", DeleteDeadLetters(some), _STORE_TIMEOUT)
                sent += len(some)
        except StreamError as error:
            raise refuse(error) from error
        finally:
            await let_go(subscriber)
        if refused is not None:
            raise Reject(refused.code, f"{refused}; of {len(letters)} dead letters {sent} were sent back") from refused
        return LettersSent(sent, unreadable)

    async def opened(self, subscriber: Subscriber) -> Feed:
        """Where it was, else after the newest; after a place that was lost, with what the stream still has."""
        feed = Feed(subscriber, self._calls)
        self._newest.place = await feed.open(self._newest.place or await self._beginning(subscriber))
        self._lost_place = False
        return feed

    async def take(self, changes: Sequence[Change], feed: Feed) -> None:
        """Keep the newest of each symbol."""
        foreign = self._stream.shared
        cut = partial(newest_of, changes, foreign=foreign)
        apart = not self._inline and is_much(changes, foreign=foreign)
        found = await in_thread(cut) if apart else cut()
        self._newest.keep([each for each in found if not self._is_set_aside(each)])
        self._newest.place = feed.place

    def _is_set_aside(self, cut: Cut) -> bool:
        """Whether it is no change: then it was somebody else's, and goes to the letters."""
        return bool(cut.why) and isinstance(cut.change, Record) and self._reading.set_aside(cut.change, cut.why)

    def fell(self, error: StreamError | Reject) -> None:
        """Forget the place where it was lost, and all rows where the database was set back."""
        if isinstance(error, Reject) and error.code == PositionLost.code:
            self._newest.place, self._lost_place = None, True
            if isinstance(error.__cause__, StreamSetBack):
                self._newest.forget()
        following = f"tries again at least every {LONGEST_PAUSE:g} s; `last` gives what came by before"
        self.context.report_health("degraded", str(error), following, "see the relay's line in backbone status")

    async def _beginning(self, subscriber: Subscriber) -> Start | Place:
        """Where to begin without a place; after one that was lost, before all that the stream still has."""
        if not self._lost_place:
            return "latest"
        cursor = await within(_OPEN_TIMEOUT, subscriber.cursor(after="earliest"), "make a cursor")
        await cursor.close()
        return cursor.place
