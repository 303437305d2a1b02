"""A provider as an installed package would add it, whose market prints as time goes by, and a clock set to any day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from actors import SupervisorSpec
from actors.testing import TestSystem
from backbone import Backbone, Dimension, Frame
from backbone.domain.clock import from_us, interval_duration, to_us
from backbone.quality.instruments import Instruments
from backbone.quality.sessions import Calendar
from backbone.settings import Settings
from backbone.sources import registry
from backbone.sources.errors import SourceError, SourceUnavailable
from backbone.sources.port import Progress, SourceChunk
from backbone.testing import Faults, embedded

MONDAY = datetime(2026, 3, 2, 15, tzinfo=UTC)
KIND = "desk"


class SetClock:
    """The loop's time, and a wall clock that began at a moment, and may be set by as much."""

    def __init__(self, began: datetime) -> None:
        loop = asyncio.get_running_loop()
        self.time = loop.time
        self._began, self._since = began, loop.time()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.time() - self._since)

    def set(self, by: timedelta) -> None:
        self._began += by


class Call(NamedTuple):
    """One request."""

    at: datetime
    dimension: Dimension
    symbols: tuple[str, ...]
    start: datetime | None

    @property
    def back(self) -> timedelta:
        assert self.start is not None
        return self.at - self.start


class Provider:
    """Gives the bars that its symbols' markets have printed by now, and notes who asked.

    Attributes:
        calls: what it was asked.
        trouble: raises, where it is to refuse; given the moment and the dimension.
        silent: symbols of which it gives nothing.
        behind: days by which its newest rows are late.
        most: requests at once.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.trouble: Callable[[datetime, Dimension], None] = lambda _at, _dimension: None
        self.silent: set[str] = set()
        self.behind = 0
        self.most = self._now = 0

    def make(
        self,
        *,
        dimension: Dimension,
        symbols: tuple[str, ...],
        settings: Settings,
        now: Callable[[], datetime],
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Printed:
        self.calls.append(Call(now(), dimension, symbols, start))
        until = (end or now()) - timedelta(days=self.behind)
        return Printed(self, dimension, symbols, interval or "1d", start, until, Instruments(settings))

    def enter(self, at: datetime, dimension: Dimension) -> None:
        self._now += 1
        self.most = max(self.most, self._now)
        self.trouble(at, dimension)

    def leave(self) -> None:
        self._now -= 1


class Printed:
    """What the provider has of some symbols."""

    name = KIND

    def __init__(
        self,
        provider: Provider,
        dimension: Dimension,
        symbols: tuple[str, ...],
        interval: str,
        start: datetime | None,
        now: datetime,
        instruments: Instruments,
    ) -> None:
        self._provider = provider
        self._dimension = dimension
        self._symbols = symbols
        self._interval = interval
        self._start = start or now - timedelta(days=3)
        self._until = now
        self._instruments = instruments

    def describe(self) -> str:
        return "bars as they were printed"

    def chunks(self, *, progress: Callable[[Progress], None] | None = None) -> Iterator[SourceChunk]:
        try:
            self._provider.enter(self._until, self._dimension)
            rows = [row for symbol in self._symbols if symbol not in self._provider.silent for row in self._of(symbol)]
            frame = Frame.from_records(self._dimension, rows) if rows else Frame.empty(self._dimension)
            yield SourceChunk(frame, (), str(len(rows)), len(rows))
        finally:
            self._provider.leave()

    def _of(self, symbol: str) -> Iterator[dict[str, Any]]:
        calendar = self._instruments.judging_calendar_of(symbol)
        for at in calendar.expected_stamps(self._interval, self._start, self._until):
            ts = from_us(int(at.astype(int)))
            if self._ended(calendar, ts):
                price = 100 + to_us(ts) // 3_600_000_000 % 97 / 10
                bar = {"open": price, "high": price + 1, "low": price - 1, "close": price, "volume": 1.0}
                more = {"interval": self._interval} if self._dimension.has_interval else {"adj_close": price}
                yield {"symbol": symbol, "ts": ts, **bar, **more}

    def _ended(self, calendar: Calendar, ts: datetime) -> bool:
        if self._dimension.has_interval:
            return ts + interval_duration(self._interval) <= self._until
        _, closes = calendar.hours(calendar.sessions(ts.date(), ts.date()))
        return bool(closes.size) and from_us(int(closes[0].astype(int))) <= self._until


def refusing(why: str = "the desk is shut") -> Callable[[datetime, Dimension], None]:
    def refuse(_at: datetime, _dimension: Dimension) -> None:
        raise SourceError(why)

    return refuse


def overloaded(retry_after: float = 60.0) -> Callable[[datetime, Dimension], None]:
    def refuse(_at: datetime, _dimension: Dimension) -> None:
        text = f"429 Too Many Requests; it wants to be asked again after {retry_after:g} s"
        raise SourceUnavailable(text, retry_after=retry_after)

    return refuse


def only(dimension: Dimension, trouble: Callable[[datetime, Dimension], None]) -> Callable[[datetime, Dimension], None]:
    """The trouble, of one dimension alone."""
    return lambda at, asked: trouble(at, asked) if asked is dimension else None


class _Point:
    """An entry point of the group that sources are found by."""

    name = KIND
    value = "desk:Provider"

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def load(self) -> Any:
        return self._provider.make


def installed(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """A provider that an installed package brings."""
    provider = Provider()
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [_Point(provider)] * (group == registry.GROUP))
    return provider


def _without_children(spec: SupervisorSpec) -> SupervisorSpec:
    """The relay looks at the store each second, of which a fortnight has over a million."""
    return replace(spec, children=())


@asynccontextmanager
async def desk(
    began: datetime = MONDAY, *, faults: Faults | None = None, **settings: object
) -> AsyncIterator[Backbone]:
    """A backbone whose market is fetched from the provider that is installed; a setting is named `market__daily`.

    Without faults there is no relay, so that days go by in no time.
    """
    chosen: dict[str, object] = {"market.symbols": "AAPL,MSFT", "market.source": KIND, "telemetry.interval": 86_400.0}
    chosen |= {"retention.interval": 0.0, "schedule.jitter": 0.0, "schedule.seed": 1}
    chosen["quality.session"] = "us_equities"
    chosen |= {name.replace("__", "."): value for name, value in settings.items()}
    parts = {"stream": _without_children} if faults is None else None
    async with (
        TestSystem(clock=SetClock(began)) as system,
        embedded(system=system, overrides=chosen, faults=faults, parts=parts) as backbone,
    ):
        yield backbone
