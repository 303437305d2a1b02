"""Parts of a stream that were lost: they get again what the outbox still holds, before anything new is published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from backbone.store.messages import NoteParts, OutboxState, ProbeStore, ReadOutbox, StreamParts
from backbone.stream.outlet import Outlet
from backbone.stream.tenure import Tenure

__all__ = ["Filling"]

_BATCH = 500


class Filling:
    """Lets a new publisher know where all was published, and sees to it that this is true.

    For example a broker was restarted empty, and its topics were made again: the store knows the identities of those
    that were filled, and these are others. So all that the outbox holds up to the cursor is handed to the publisher
    once more, which sends what belongs to them. A database that was set back while nobody looked is noticed likewise:
    the store knows for which server the stream began last. And one that never published to topics that hold something
    comes after another one: where its positions are smaller, readers would take its changes for old ones.

    What is noted is noted once it is done: who falls before that begins again.

    Args:
        ask: asks the store.
        outlet: where to publish.
        tenure: a stream of this process alone needs none of this.
        log: the relay's logger.
    """

    def __init__(self, ask: Callable[[Any], Awaitable[Any]], outlet: Outlet, tenure: Tenure, log: Any) -> None:
        self._ask = ask
        self._outlet = outlet
        self._tenure = tenure
        self._log = log

    async def stand(self, cursor: int, tell: Callable[[], None]) -> None:
        """Make a publisher that is new ready to publish what follows the cursor.

        Args:
            cursor: up to here all was published.
            tell: told what is done, where it may take long.

        Raises:
            HeldUp: by the store or the stream.
        """
        if not self._outlet.settled:
            await (self._complete(cursor, tell) if self._tenure.shared else self._outlet.resume(cursor))
            self._outlet.settled = self._tenure.held

    async def _complete(self, cursor: int, tell: Callable[[], None]) -> None:
        known = {part for part, _ in await self._ask(StreamParts(self._tenure.sink))}
        await self._belong(known, cursor)
        lacking = await self._outlet.resume(cursor, known)  # only now: to who began again, nothing is lacking
        if lacking:
            await self._fill(lacking, cursor, tell)
            await self._note(lacking, cursor)

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
        await self._note((database,), cursor)

    async def _note(self, parts: Collection[str], cursor: int) -> None:
        if self._tenure.held:
            await self._ask(NoteParts(self._tenure.sink, tuple(sorted(parts)), cursor))

    async def begin_again(self, position: int) -> None:
        """The database was set back: say so on the stream, and remember that it was said.

        Raises:
            HeldUp: by the store or the stream.
        """
        await self._outlet.begin_again(position)
        if self._tenure.shared:
            await self._ask(NoteParts(self._tenure.sink, (await self._database(),), position))

    async def _fill(self, lacking: object, cursor: int, tell: Callable[[], None]) -> None:
        after = 0
        while after < cursor and self._tenure.held and (rows := await self._ask(ReadOutbox(after, _BATCH, first=True))):
            if not after:
                self._log.warning("parts of the stream are filled from the outbox", parts=lacking, upto=cursor)
                tell()
            if wanted := [row for row in rows if row.position <= cursor]:
                await self._outlet.publish(wanted)
            after = rows[-1].position

    async def _database(self) -> str:
        """Which server answers, in which of its lives."""
        generation = (await self._ask(ProbeStore())).generation
        server = (await self._ask(OutboxState())).server
        return f"{_DATABASE}{generation}/{server}"


_DATABASE = "database/"
