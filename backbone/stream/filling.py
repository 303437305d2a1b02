"""Parts of a stream that were lost: they get again what the outbox still holds, before anything new is published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from backbone.store.messages import NoteParts, OutboxState, ProbeStore, ReadOutbox, StreamParts
from backbone.store.records import OutboxRow
from backbone.stream.both import both
from backbone.stream.outlet import Outlet
from backbone.stream.port import MOST_AT_ONCE
from backbone.stream.progress import Progress
from backbone.stream.reach import HeldUp
from backbone.stream.tenure import Tenure

__all__ = ["Filling"]

_FEWEST = 500  # changes that are sent at once at first, and after that ever more of them
_FIRST = 1.0  # seconds for which the first readers wait; meanwhile no lease is renewed


class Filling:
    """Lets a new publisher know where all was published, and sees to it that this is true.

    For example a broker was restarted empty, and its topics were made again: the store knows the identities of those
    that were filled, and these are others. So all that the outbox holds up to the cursor is handed to the publisher
    once more, which sends what belongs to them. A database that was set back while nobody looked is noticed likewise:
    the store knows for which server the stream began last. And one that never published to topics that hold something
    comes after another one: where its positions are smaller, readers would take its changes for old ones.

    It fills batch by batch, the next one being read meanwhile: ever larger ones, until one fails. What is noted is
    noted once it is done: who falls before that begins again, who was held up goes on.

    Args:
        ask: asks the store.
        outlet: where to publish.
        tenure: a stream of this process alone needs none of this.
        log: the relay's logger.
        tell: told how far it is after each batch.
    """

    def __init__(
        self,
        ask: Callable[[Any], Awaitable[Any]],
        outlet: Outlet,
        tenure: Tenure,
        log: Any,
        tell: Callable[[Progress], None],
    ) -> None:
        self._ask = ask
        self._outlet = outlet
        self._tenure = tenure
        self._log = log
        self._tell = tell
        self._lacking: frozenset[str] = frozenset()
        self._limit = _FEWEST
        self._after = 0  # up to here they were filled
        self._ahead: Sequence[OutboxRow] = ()
        self._progress = Progress((), 0, None, 0.0)

    @property
    def at_work(self) -> bool:
        """Whether parts lack something, as far as is known, and it is this process that fills them."""
        return bool(self._lacking) and self._tenure.held

    async def stand(self, cursor: int) -> None:
        """Make a publisher that is new ready to publish what follows the cursor, and look what its stream lacks.

        Args:
            cursor: up to here all was published.

        Raises:
            HeldUp: by the store or the stream.
        """
        if not self._outlet.settled:
            await (self._survey(cursor) if self._tenure.shared else self._outlet.resume(cursor))
            self._outlet.settled = self._tenure.held

    async def _survey(self, cursor: int) -> None:
        known = {part for part, _ in await self._ask(StreamParts(self._tenure.sink))}
        await self._belong(known, cursor)
        lacking = frozenset(await self._outlet.resume(cursor, known))  # only now: to who began again, nothing lacks
        if lacking != self._lacking:
            self._lacking, self._after, self._ahead = lacking, 0, ()
            self._progress = Progress(tuple(sorted(lacking)), 0, await self._count(), self._tenure.clock())
        if lacking and not cursor:
            await self._finish(cursor)

    async def _count(self) -> int | None:
        """How much the outbox holds: what waits for a sink that never published anything. None: it does not say."""
        if not self._lacking:
            return None
        try:
            status = await self._ask(OutboxState(f"{self._tenure.sink}/anew"))
        except HeldUp:
            return None
        return int(status.pending)

    async def some(self, cursor: int, seconds: float = _FIRST) -> None:
        """Fill for so many seconds, or until nothing is lacking.

        Raises:
            HeldUp: by the store or the stream.
        """
        until = self._tenure.clock() + seconds
        while await self.go_on(cursor) and self._tenure.clock() < until:
            pass

    async def go_on(self, cursor: int) -> bool:
        """Fill with one more batch of what lies up to the cursor; returns whether anything may be lacking after that.

        Raises:
            HeldUp: by the store or the stream.
        """
        if not self._lacking or not self._tenure.held:
            return False
        if not self._ahead:
            self._ahead = await self._read(self._after)
        wanted = [row for row in self._ahead[: self._limit] if row.position <= cursor]
        if not wanted:
            await self._finish(cursor)
            return False
        if not self._after:
            self._log.warning("parts of the stream are filled from the outbox", parts=self._progress.parts, upto=cursor)
            self._tell(self._progress)
        self._ahead = await self._sent(wanted, self._ahead[len(wanted) :])
        self._after = wanted[-1].position
        self._progress = self._progress.further(len(wanted), self._tenure.clock())
        self._tell(self._progress)
        return True

    async def _sent(self, wanted: Sequence[OutboxRow], following: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        """Send them, and return what follows, read meanwhile. What was too much for a slow stream is halved."""
        limit, self._limit = self._limit, max(1, len(wanted) // 2)
        if following:
            await self._outlet.publish(wanted)
        else:
            last = wanted[-1].position
            _, following = await both(self._outlet.publish(wanted), self._read_ahead(last), (HeldUp,))
        self._limit = min(2 * limit, MOST_AT_ONCE)
        return following

    async def _read(self, after: int) -> Sequence[OutboxRow]:
        rows: Sequence[OutboxRow] = await self._ask(ReadOutbox(after, MOST_AT_ONCE, first=True))
        return rows

    async def _read_ahead(self, after: int) -> Sequence[OutboxRow]:
        """The same; where the store does not answer it is asked again, for what is sent meanwhile is not cut off."""
        try:
            return await self._read(after)
        except HeldUp:
            return ()

    async def _finish(self, cursor: int) -> None:
        """All that the outbox holds up to the cursor is in them."""
        await self._note(self._lacking, cursor)
        if self._progress.done:
            self._log.info("what was lost of the stream is filled", changes=self._progress.done)
        self._lacking, self._ahead = frozenset(), ()

    async def _belong(self, known: Collection[str], cursor: int) -> None:
        """Have the stream begin anew where what it holds is of another database."""
        database = await self._database()
        if database in known:
            return
        before = any(part.startswith(_DATABASE) for part in known)
        if before or (not known and await self._outlet.holds_anything()):
            what = "was set back while nobody published" if before else "is not the one that filled the topics"
            self._log.warning(f"the database {what}; the stream begins anew")
            await self._outlet.begin_again(cursor)
            self._lacking = frozenset()
        await self._note((database,), cursor)

    async def _note(self, parts: Collection[str], cursor: int) -> None:
        if self._tenure.held:
            await self._ask(NoteParts(self._tenure.sink, tuple(sorted(parts)), cursor))

    async def begin_again(self, position: int) -> None:
        """The database was set back: say so on the stream, and remember that it was said.

        Of what lay before nothing counts any more; so nothing of it is lacking either.

        Raises:
            HeldUp: by the store or the stream.
        """
        await self._outlet.begin_again(position)
        if self._tenure.shared:
            parts = tuple(sorted({await self._database(), *self._lacking}))
            await self._ask(NoteParts(self._tenure.sink, parts, position))
        self._lacking, self._ahead = frozenset(), ()

    async def _database(self) -> str:
        """Which server answers, in which of its lives."""
        generation = (await self._ask(ProbeStore())).generation
        server = (await self._ask(OutboxState())).server
        return f"{_DATABASE}{generation}/{server}"


_DATABASE = "database/"
