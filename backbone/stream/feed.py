"""What one reader gets: the stream, and from the outbox what the stream no longer has."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

import anyio

from backbone.calls import Calls, refuse
from backbone.domain.dimension import Dimension
from backbone.store.errors import PositionLost
from backbone.store.messages import ReadOutbox
from backbone.store.records import OutboxRow
from backbone.stream.errors import PositionGone, StreamSetBack, StreamUnavailable
from backbone.stream.port import Cursor, Start, Subscriber
from backbone.stream.records import Place, Record

__all__ = ["Change", "Feed", "let_go", "within"]

Change = Record | OutboxRow

T = TypeVar("T")

_CLOSE_TIMEOUT = 5.0
_SLACK = 5.0  # seconds beyond what a poll may wait by itself, until the stream counts as silent


class Feed:
    """A cursor that goes back further than the stream does. It holds a place and no rows.

    Args:
        subscriber: of the stream.
        calls: where the store is.
        dimension: what to read; None: everything.
        symbols: whose rows; empty: all.
        timeout: seconds for each request to the store.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        calls: Calls,
        dimension: Dimension | None = None,
        symbols: Sequence[str] = (),
        timeout: float = 10.0,
    ) -> None:
        self._subscriber = subscriber
        self._calls = calls
        self._dimension = dimension
        self._symbols = frozenset(symbols)
        self._timeout = timeout
        self._cursor: Cursor | None = None
        self._began = Place(0)
        self._asked_for_earliest = self._takes_what_is_left = False

    @property
    def place(self) -> Place | None:
        """Where it stands; None: not open."""
        return None if self._cursor is None else self._cursor.place

    async def open(self, after: Start | Place) -> Place:
        """Take a cursor: from now on nothing that matches is missed.

        Raises:
            StreamError: the stream does not answer, or is closed.
        """
        self._asked_for_earliest = self._takes_what_is_left = after == "earliest"
        cursor = await self._cursor_after(0 if after == "earliest" else after)
        self._cursor, self._began = cursor, cursor.place
        return cursor.place

    async def begin_again(self) -> None:
        """Stand where it was opened."""
        await self.seek(self._began)
        self._takes_what_is_left = self._asked_for_earliest

    async def _cursor_after(self, after: Start | Place) -> Cursor:
        symbols = tuple(self._symbols)
        return await within(
            _SLACK, self._subscriber.cursor(dimension=self._dimension, symbols=symbols, after=after), "make a cursor"
        )

    async def seek(self, place: Place) -> None:
        """Stand elsewhere."""
        await within(_SLACK, self._opened().seek(place), "seek")

    async def close(self) -> None:
        """Give the cursor back; who waits for it is refused."""
        if self._cursor is not None:
            await self._cursor.close()

    async def next(self, limit: int, timeout: float) -> Sequence[Change]:
        """What comes next, in order; empty when nothing came within `timeout` seconds, or what came is not wanted.

        Raises:
            Reject: "position_lost": neither stream nor outbox go back so far; or the store refuses.
            StreamError: the stream does not answer, or is closed.
        """
        try:
            changes: Sequence[Change] = await within(timeout + _SLACK, self._opened().poll(limit, timeout), "poll")
        except PositionGone as gone:
            changes = await self._from_outbox(gone, limit)
        except StreamSetBack as error:
            raise refuse(PositionLost(f"{error}; subscribe from 'latest', then fetch")) from error
        self._takes_what_is_left = False
        return changes

    async def _from_outbox(self, gone: PositionGone, limit: int) -> list[OutboxRow]:
        """Rows before what the stream has: they were published. Later ones may not be, and are left to the stream."""
        request = ReadOutbox(gone.position, limit, whole=not self._takes_what_is_left)
        rows = await self._calls.ask("store", request, self._timeout)
        published = [row for row in rows if row.position < gone.first_position]
        if not published:
            await self._pass_over(gone, goes_on=bool(rows))
        elif len(published) < len(rows):
            await self.seek(Place(gone.first_position - 1))
        else:
            await self.seek(Place(published[-1].position))
        return [row for row in published if self._wants(row)]

    async def _pass_over(self, gone: PositionGone, *, goes_on: bool) -> None:
        """Nothing is left before what the stream has: right for who begins with the oldest, a loss for others.

        But where the outbox `goes_on` there, nothing was between: positions have gaps, that before the first is large.
        """
        if goes_on:
            await self.seek(Place(gone.first_position - 1))
        elif self._takes_what_is_left:
            await self.seek((await self._cursor_after("earliest")).place)
        else:
            raise refuse(PositionLost.of(gone.position))

    def _wants(self, row: OutboxRow) -> bool:
        dimension = self._dimension is None or row.dimension == self._dimension
        return dimension and (not self._symbols or row.symbol in self._symbols)

    def _opened(self) -> Cursor:
        assert self._cursor is not None  # noqa: S101  who asks has opened it
        return self._cursor


async def within(seconds: float, work: Awaitable[T], what: str) -> T:
    """Wait for the stream, but not for ever.

    Raises:
        StreamUnavailable: it was silent.
    """
    with anyio.move_on_after(seconds):
        return await work
    raise StreamUnavailable(f"the stream did not {what} within {seconds:g} s")


async def let_go(subscriber: Subscriber) -> None:
    """Close it, within a bound, also where whoever held it is cancelled."""
    with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
        await subscriber.close()
