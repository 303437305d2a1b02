"""Bad rows that were kept aside: to be looked at, judged again, or dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from backbone.domain.arguments import LARGEST, LONGEST_PAGE, texts
from backbone.domain.codec import decode
from backbone.domain.errors import BackboneError
from backbone.domain.report import plain
from backbone.domain.values import rows_of
from backbone.facade.spelling import Ask
from backbone.ingest.reconsidering import Reconsidered, Reconsidering
from backbone.settings import Settings
from backbone.store.messages import ClearQuarantine, DeleteQuarantine, FindQuarantine, ReadQuarantine
from backbone.store.records import QuarantineRow, WriteResult

__all__ = ["Quarantine", "ShownRow", "ShownRows", "SomeRows"]

_AT_ONCE = 100  # rows that are judged before there is an answer
_DROPPED_AT_ONCE = 20_000  # likewise


class ShownRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bad row as people look at it.

    Attributes:
        id: by which it is named.
        at: when it was met.
        source, location: where it came from.
        dimension: what it should have been.
        reason: what is wrong with it.
        excerpt: how it begins.
        run_id: the run that met it.
        values: by column, of a row that could be read; empty of a text, and in lists.
        replayable: it is kept whole, so that it can be judged again.
    """

    id: str
    at: datetime
    source: str
    location: str
    dimension: str
    reason: str
    excerpt: str
    run_id: str
    values: Mapping[str, str] = {}
    replayable: bool = False


class ShownRows(msgspec.Struct, frozen=True):
    """Several of them."""

    rows: tuple[ShownRow, ...]


class SomeRows(msgspec.Struct, frozen=True, kw_only=True):
    """What was done with some of the rows that are meant; a running backbone answers within seconds.

    Attributes:
        done: what became of them.
        dropped: how many were forgotten.
        until, skip: ask again, with these; None: that was all.
    """

    done: Reconsidered = Reconsidered()
    dropped: int = 0
    until: datetime | None = None
    skip: int = 0


class Quarantine:
    """The bad rows of one backbone. A row is named by 16 hex digits, as `list` has them.

    Args:
        ask: asks an actor.
        settings: today's rules.
        wrote: is told what each commit came to.
    """

    def __init__(self, ask: Ask, settings: Settings, wrote: Callable[[WriteResult], None]) -> None:
        self._ask = ask
        self._reconsidering = Reconsidering(lambda question: ask("store", question), settings, wrote)

    async def list(self, limit: int = 100, *, skip: int = 0) -> list[QuarantineRow]:
        """The newest, at most 10,000, of which `skip` more are newer."""
        return await self._ask("store", ReadQuarantine(limit, skip))

    async def shown(self, limit: int = 100, ids: Sequence[str] | None = None, skip: int = 0) -> ShownRows:
        """The newest rows, or those with these ids, fit to be looked at.

        Raises:
            ValueError: there is no row with one of the ids.
        """
        rows = await (self.list(limit, skip=skip) if ids is None else self._named(ids))
        return ShownRows(tuple(_shown(each, whole=ids is not None) for each in rows))

    async def replay(self, ids: Sequence[str] | None = None) -> Reconsidered:
        """Judge rows again by today's rules: those that are good go in, the others stay with today's reason.

        A row that takes the place of another version, stored meanwhile, stays as well. Whatever ends this in between,
        no row is lost; the same again goes on.

        Args:
            ids: which; None: all that are there now.

        Raises:
            ValueError: there is no row with one of the ids; none was judged.
            StoreUnavailable: those that were not dealt with stay as they are.
        """
        return (await self._through(ids, self._replay_some)).done

    async def drop(self, ids: Sequence[str] | None = None) -> int:
        """Forget rows (None: all that are there now); returns how many there were.

        Raises:
            ValueError: there is no row with one of the ids; none was forgotten.
        """
        return (await self._through(ids, self._drop_some)).dropped

    async def _through(self, ids: Sequence[str] | None, some: Callable[[_Rows], Awaitable[SomeRows]]) -> SomeRows:
        total, wanted = SomeRows(), _Rows(None if ids is None else tuple(ids))
        while True:
            done = await some(wanted)
            total = SomeRows(done=total.done + done.done, dropped=total.dropped + done.dropped)
            if done.until is None:
                return total
            wanted = _Rows(None, done.until, done.skip)

    async def _replay_some(self, wanted: _Rows) -> SomeRows:
        rows = await self._some(wanted)
        done = await self._reconsidering.again(rows)
        left = wanted.skip + done.stayed + done.texts
        return SomeRows(done=done, until=_rest(wanted, rows), skip=left)

    async def _drop_some(self, wanted: _Rows) -> SomeRows:
        if wanted.ids is not None:
            return SomeRows(dropped=await self._ask("store", DeleteQuarantine(await self._named(wanted.ids))))
        newest = [] if wanted.until else await self.list(1)
        until = wanted.until or (newest[0].at if newest else None)
        if until is None:
            return SomeRows()
        dropped = await self._ask("store", ClearQuarantine(until, _DROPPED_AT_ONCE))
        return SomeRows(dropped=dropped, until=until if dropped == _DROPPED_AT_ONCE else None)

    async def _some(self, wanted: _Rows) -> Sequence[QuarantineRow]:
        """Of all that are meant the next; those that came after the first look are not meant."""
        if wanted.ids is not None:
            return await self._named(wanted.ids)
        rows, skip = list[QuarantineRow](), wanted.skip
        while page := await self.list(_AT_ONCE, skip=skip):
            rows = [each for each in page if wanted.until is None or each.at <= wanted.until]
            if rows:
                break
            skip += len(page)  # all of them are newer
        return rows

    async def _named(self, ids: Sequence[str]) -> Sequence[QuarantineRow]:
        wanted = texts("ids", ids)
        rows = await self._ask("store", FindQuarantine(wanted))
        if missing := sorted(set(wanted) - {each.id for each in rows}):
            raise ValueError(f"there is no bad row {', '.join(map(repr, missing))}; backbone quarantine list shows all")
        return rows

    def answers(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
        """What the control socket answers, by command."""
        return {"quarantine": self._list, "replay_quarantine": self._replay, "drop_quarantine": self._drop}

    async def _list(self, arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Listed)
        return msgspec.json.encode(await self.shown(wanted.limit, wanted.ids, wanted.skip))

    async def _replay(self, arguments: Mapping[str, Any]) -> bytes:
        return msgspec.json.encode(await self._replay_some(msgspec.convert(dict(arguments), _Rows)))

    async def _drop(self, arguments: Mapping[str, Any]) -> bytes:
        return msgspec.json.encode(await self._drop_some(msgspec.convert(dict(arguments), _Rows)))


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_PAGE)] = 100
    skip: Annotated[int, msgspec.Meta(ge=0, le=LARGEST)] = 0
    ids: tuple[str, ...] | None = None


class _Rows(msgspec.Struct, forbid_unknown_fields=True):
    ids: tuple[str, ...] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    skip: Annotated[int, msgspec.Meta(ge=0, le=LARGEST)] = 0


def _rest(wanted: _Rows, rows: Sequence[QuarantineRow]) -> datetime | None:
    """Up to when the others came that are meant; None: there are no others."""
    return None if wanted.ids is not None or not rows else wanted.until or rows[0].at


def _shown(row: QuarantineRow, *, whole: bool) -> ShownRow:
    return ShownRow(
        id=row.id,
        at=row.at,
        source=row.source,
        location=row.location,
        dimension=row.dimension,
        reason=row.reason,
        excerpt=row.excerpt,
        run_id=row.run_id,
        values=_values(row.payload) if whole else {},
        replayable=bool(row.payload),
    )


def _values(payload: bytes) -> dict[str, str]:
    """The row by column, as it was read."""
    if not payload:
        return {}
    try:
        table = decode(payload).to_arrow()
    except (BackboneError, ValueError) as error:
        return {"unreadable": str(error)}
    return {name: plain(value) for row in rows_of(table) for name, value in row.items() if value is not None}
