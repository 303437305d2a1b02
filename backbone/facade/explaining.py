"""Why a row is as it is: asked of the store, of the cache, and of what was kept aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec

from backbone.cache.errors import CacheUnavailable
from backbone.cache.messages import Fetch
from backbone.domain import arguments
from backbone.domain.clock import INTERVALS
from backbone.domain.dimension import Dimension
from backbone.domain.report import plain
from backbone.facade.spelling import Ask
from backbone.facade.why_report import CacheSeen, WhyAside, WhyReport, WhyRow, WhyVersion
from backbone.history.messages import ExplainRow
from backbone.settings import Settings
from backbone.store.errors import StoreError
from backbone.store.messages import OutboxState, ReadRepairs, ReadRows, ReadSymbols, TraceRow
from backbone.store.records import Query
from backbone.store.tracing import Published, Trace, Version

__all__ = ["Explaining"]

R = TypeVar("R")

_LONGEST_BAR = timedelta(days=1)


class Explaining:
    """Looks up what is known of single rows.

    Args:
        ask: asks an actor.
        settings: whether reads use exports.
    """

    def __init__(self, ask: Ask, settings: Settings) -> None:
        self._reads_exports = settings.export.reads
        self._ask = ask
        self._settings = settings

    async def why(self, symbol: str, ts: datetime, dimension: Dimension | None) -> WhyReport:
        """What is known of a symbol at a moment, in one dimension or in all that have something to say."""
        searched = tuple(Dimension) if dimension is None else (dimension,)
        relayed = (await self._ask("store", OutboxState())).cursor
        rows = [await self._row(each, symbol, ts, relayed) for each in searched]
        found = [row for row in rows if dimension is not None or row.versions or row.aside]
        return WhyReport(symbol=symbol, ts=ts, searched=searched, found=tuple(found), settings_hash=self._settings.hash)

    async def _row(self, dimension: Dimension, asked: str, ts: datetime, relayed: int) -> WhyRow:
        symbol = await self._stored_name(dimension, asked)
        at = await self._moment(dimension, symbol, ts)
        trace: Trace = await self._ask("store", TraceRow(dimension, symbol, at or ts))
        return WhyRow(
            dimension=dimension,
            symbol=symbol,
            ts=at or ts,
            versions=tuple(_told(each, trace, relayed) for each in trace.versions),
            position=trace.position,
            relayed=relayed,
            cache=await self._cached(dimension, symbol, at, trace.position) if at is not None else None,
            repairs=await self._repairs(dimension, symbol, at or ts),
            aside=tuple(WhyAside(id=bad.id, **{name: getattr(bad, name) for name in _ASIDE}) for bad in trace.aside),
            read_from=await self._read_from(dimension, symbol, at or ts),
            before=None if at is not None else await self._before(dimension, symbol, ts),
        )

    async def _stored_name(self, dimension: Dimension, symbol: str) -> str:
        """The symbol as it is stored, where only its case is another."""
        stored: Sequence[str] = await self._ask("store", ReadSymbols(dimension))
        alike = [each for each in stored if each.casefold() == symbol.casefold()]
        return alike[0] if symbol not in stored and len(alike) == 1 else symbol

    async def _moment(self, dimension: Dimension, symbol: str, ts: datetime) -> datetime | None:
        """The moment of the row that is meant: of bars, the beginning of the shortest one that the moment lies in."""
        if "close" not in dimension.columns:
            found = await self._ask("store", ReadRows(Query(dimension, (symbol,), start=ts, end=ts, limit=1)))
            return ts if found.frame.num_rows else None
        window = Query(dimension, (symbol,), start=ts - _LONGEST_BAR, end=ts)
        rows = (await self._ask("store", ReadRows(window))).frame
        intervals = rows.to_arrow().column("interval").to_pylist() if dimension.has_interval else ["1d"] * len(rows)
        begins = [moment.replace(tzinfo=ts.tzinfo) for moment in rows.column("ts").astype("datetime64[us]").tolist()]
        holding = [
            (INTERVALS.get(interval) or _LONGEST_BAR, begin)
            for interval, begin in zip(intervals, begins, strict=True)
            if begin == ts or ts < begin + (INTERVALS.get(interval) or _LONGEST_BAR)
        ]
        exact = [begin for _, begin in holding if begin == ts]
        return ts if exact else min(holding)[1] if holding else None

    async def _read_from(self, dimension: Dimension, symbol: str, at: datetime) -> str:
        """Which file of an export has the rows, or why none is read; "" where none is at all."""
        if not self._reads_exports:
            return ""
        found: str = await self._ask("history", ExplainRow(dimension, symbol, at))
        return found

    async def _before(self, dimension: Dimension, symbol: str, ts: datetime) -> datetime | None:
        found = await self._ask("store", ReadRows(Query(dimension, (symbol,), end=ts, limit=1)))
        end: datetime | None = found.frame.end
        return end

    async def _repairs(self, dimension: Dimension, symbol: str, at: datetime) -> tuple[str, ...]:
        """What was mended, the newest repair first."""
        found = await self._ask("store", ReadRepairs(dimension, symbol, at, at))
        return tuple(
            f"{each.rules}: {each.why}; {plain(each.original)} was given, {plain(each.repaired)} was made of it "
            f"(run {each.run_id}, chunk {each.ingest_id})"
            for each in found
        )

    async def _cached(self, dimension: Dimension, symbol: str, at: datetime, position: int) -> CacheSeen | None:
        try:
            seen = await self._ask("cache", Fetch(Query(dimension, (symbol,), start=at, end=at)))
        except (CacheUnavailable, StoreError):
            return None
        return CacheSeen(
            position=seen.position,
            hit=seen.hit,
            rows=seen.frame.num_rows,
            current=seen.position >= position,
            stale=seen.frame.stale,
        )

    async def answer(self, given: Mapping[str, Any]) -> bytes:
        """What the control socket answers."""
        wanted = msgspec.convert(dict(given), _Wanted)
        dimension = None if wanted.dimension is None else Dimension.parse(wanted.dimension)
        report = await self.why(arguments.text("symbol", wanted.symbol), wanted.ts, dimension)
        return msgspec.json.encode(report)


_ASIDE = ("at", "location", "reason", "excerpt", "run_id")


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    ts: Annotated[datetime, msgspec.Meta(tz=True)]
    dimension: str | None = None


def _told(version: Version, trace: Trace, relayed: int) -> WhyVersion:
    """A version, with its chunk and the change that published it."""
    chunk = next((row for row in trace.journal if row.ingest_id == version.ingest_id), None)
    change = next((each for each in reversed(trace.published) if _holds(each, version)), None)
    return WhyVersion(
        values={name: _plain(value) for name, value in version.values.items()},
        source=version.source,
        revision=version.revision,
        ingested_at=version.ingested_at,
        replaced_at=version.replaced_at,
        ingest_id=version.ingest_id,
        run_id=None if chunk is None else chunk.run_id,
        chunk_rows=None if chunk is None else chunk.rows,
        event_id=None if change is None else change.event_id,
        position=None if change is None else change.position,
        published=None if change is None else change.position <= relayed,
    )


def _holds(change: Published, version: Version) -> bool:
    return change.revision == version.revision and change.ingest_id == version.ingest_id


def _plain(value: Any) -> str | float | int | None:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
