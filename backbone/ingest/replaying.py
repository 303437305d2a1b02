"""Sends stored rows to a topic again: the rows themselves, window by window in the order of time, marked as a replay.

A window that was sent in part when the process was killed is sent again from its beginning, with the same event ids, by
which readers know what they have. Readers of backbone pass replays over: they are no changes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension
from backbone.domain.frame import Frame
from backbone.domain.identifiers import ingest_id
from backbone.ingest.messages import ReplayReport, ReplayRows
from backbone.ingest.progress import Progress, name_of
from backbone.store.messages import CommitOffsets, OutboxState, ReadCoverage, ReadOffsets, ReadRows
from backbone.store.payloads import Origin, payloads_of
from backbone.store.records import OutboxRow, Query, ReadResult
from backbone.stream.kafka.wire import replayed
from backbone.stream.sink import Outgoing

__all__ = ["Replay"]

_ROWS = 50_000  # of a window at most, but for those of a single moment
_BYTES = 2 * 2**20  # sent before their answers are waited for
_SHORTEST = timedelta(microseconds=1)
_WIDTHS = {
    Dimension.DAILY_BARS: timedelta(days=3650),
    Dimension.MACRO_EVENTS: timedelta(days=3650),
    Dimension.INTRADAY_BARS: timedelta(days=30),
}
_WIDTH = timedelta(hours=1)
_LONGEST = timedelta(days=36_500)


class Replay:
    """One replay: begin, then step by step until there is nothing left.

    Args:
        request: what is asked for.
        topic: where to send.
        ask: asks the store.
        send: sends records, which hold so many rows.
        payload_bytes: of a record at most.
    """

    def __init__(
        self,
        request: ReplayRows,
        topic: str,
        ask: Callable[[Any], Awaitable[Any]],
        send: Callable[[str, Sequence[Outgoing], int], Awaitable[None]],
        payload_bytes: int,
    ) -> None:
        self._request = request
        self._topic = topic
        self._ask = ask
        self._send = send
        self._payload_bytes = payload_bytes
        self._name = name_of(request)
        self._names: tuple[str, ...] = ()
        self._progress = Progress()
        self._resumed = False
        self._rows = self._records = 0
        self._symbols: set[str] = set()
        self._start: datetime | None = None
        self._end: datetime | None = None

    async def begin(self, now: datetime) -> None:
        """Find out what there is, and where an earlier attempt was cut off."""
        request = self._request
        wanted = {name.casefold() for name in request.symbols}
        coverage = await self._ask(ReadCoverage(request.dimension, request.end or now))
        covered = [each for each in coverage if not wanted or each.symbol.casefold() in wanted]
        self._names = tuple(sorted({each.symbol for each in covered})) if wanted else ()
        noted = Progress.of(await self._ask(ReadOffsets(self._name)), self._topic)
        if noted.at is not None:
            self._progress, self._resumed = noted, True
            return
        earliest = min((each.earliest for each in covered), default=None)
        latest = max((each.latest for each in covered), default=None)
        if earliest is None or latest is None:
            self._progress = Progress(noted.runs)
            return
        first = max(earliest, request.start) if request.start is not None else earliest
        last = min(latest, request.end) if request.end is not None else latest
        width = _WIDTHS.get(request.dimension, _WIDTH)
        at = first if first <= last else None
        self._progress = Progress(noted.runs, at, width, first, last)

    async def step(self) -> bool:
        """Read one window, note it, send it; whether there may be another one."""
        now = self._progress
        if now.at is None or now.last is None:
            await self._note(Progress(now.runs + 1))
            return False
        found, until, width = await self._window(now.at, now.last, now.width)
        await self._note(msgspec.structs.replace(now, width=until - now.at + _SHORTEST))
        if found.frame.num_rows:
            await self._send_all(found.frame)
        after = until + _SHORTEST if until < now.last else None
        self._progress = msgspec.structs.replace(now, at=after, width=width)
        return True

    async def _note(self, progress: Progress) -> None:
        await self._ask(CommitOffsets(self._name, progress.numbers(self._topic)))
        self._progress = progress

    async def _window(self, at: datetime, last: datetime, width: timedelta) -> tuple[ReadResult, datetime, timedelta]:
        """The rows from a moment on, the last moment of them, and how wide the next window is to be."""
        request = self._request
        if request.limit is not None:
            query = Query(request.dimension, self._names, start=request.start, end=last, limit=request.limit)
            return await self._ask(ReadRows(query)), last, width
        while True:
            until = last if last - at < width else at + width - _SHORTEST
            single = until == at
            query = Query(request.dimension, self._names, start=at, end=until, limit=None if single else _ROWS + 1)
            found: ReadResult = await self._ask(ReadRows(query))
            if found.frame.num_rows <= _ROWS or single:
                few = found.frame.num_rows < _ROWS // 4
                return found, until, min(2 * width, _LONGEST) if few else width
            width = max(min(width, until - at + _SHORTEST) / 2, _SHORTEST)

    async def _send_all(self, frame: Frame) -> None:
        published = (await self._ask(OutboxState())).cursor
        batch: list[Outgoing] = []
        rows = size = 0
        for record, count in self._records_of(frame, published):
            batch.append(record)
            rows, size = rows + count, size + len(record.value or b"")
            if size >= _BYTES:
                await self._send(self._topic, batch, rows)
                batch, rows, size = [], 0, 0
        if batch:
            await self._send(self._topic, batch, rows)
        self._rows += frame.num_rows
        self._symbols.update(frame.symbols)
        self._start = frame.start if self._start is None else self._start
        self._end = frame.end

    def _records_of(self, frame: Frame, published: int) -> Iterator[tuple[Outgoing, int]]:
        """Each with how many rows are in it; revision 0, for no stored row is older than its copy.

        Their position is one up to which all is published: who finds a replay at the end of a topic, and takes its
        position for where the topic has come to, misses nothing.
        """
        run, filters = self._progress.runs + 1, self._filters()
        identity = ingest_id(f"{self._name}:{run}", frame)
        at = frame.end
        assert at is not None  # noqa: S101  there are rows
        origin = Origin("replay", identity, 0, to_us(at))
        for payload in payloads_of(frame, origin, self._payload_bytes):
            row = OutboxRow(
                position=max(published, 1),
                event_id=payload.event_id,
                ingest_id=identity,
                dimension=frame.dimension,
                symbol=payload.symbol,
                rows=payload.rows,
                revision=0,
                payload=payload.data,
                created_at=at,
                checksum=payload.checksum,
            )
            key, value, headers = replayed(row, run, filters)
            self._records += 1
            yield Outgoing(key, value, headers), payload.rows

    def _filters(self) -> str:
        return json.dumps(msgspec.to_builtins(self._asked()), sort_keys=True)

    def _asked(self) -> dict[str, Any]:
        request = self._request
        return {name: getattr(request, name) for name in ("symbols", "start", "end", "limit")}

    def report(self, now: datetime, settings_hash: str) -> ReplayReport:
        """What was done."""
        return ReplayReport(
            dimension=self._request.dimension,
            topic=self._topic,
            rows=self._rows,
            records=self._records,
            symbols=tuple(sorted(self._symbols)),
            freshness_s=None if self._end is None else max((now - self._end).total_seconds(), 0.0),
            run=self._progress.runs,
            resumed=self._resumed,
            requested=self._asked(),
            settings_hash=settings_hash,
            span_start=self._start,
            span_end=self._end,
        )
