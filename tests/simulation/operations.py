"""What callers and operators do, drawn by weight."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import anyio

from actors import ActorError
from backbone import Backbone, Dimension, Frame, IngestPlan
from backbone.store.records import Query
from tests.simulation import checks
from tests.simulation.faults import CRASHES
from tests.simulation.model import Key, Series
from tests.simulation.world import BASE, DAY, DIMENSIONS, EXCUSED, SYMBOLS, World

__all__ = ["CALLER", "OPERATOR", "Client"]

_HOURS = 4
_CUT = (0.0, 0.001, 0.02, 0.06, 0.3)  # seconds after which a caller is cancelled


class Client:
    """Calls the backbone, one call after the other.

    Args:
        world: with chance, model and faults.
        backbone: which to call.
        name: for the trace.
    """

    def __init__(self, world: World, backbone: Backbone, name: str) -> None:
        self.world = world
        self.backbone = backbone
        self.name = name
        self.random = random.Random(f"{world.seed}:{world.random.random()}:{name}")

    async def work(self, weights: Mapping[str, int], calls: int) -> None:
        """Do so many things, with pauses."""
        names = list(weights)
        for _ in range(calls):
            await self.once(self.random.choices(names, list(weights.values()))[0])
            await anyio.sleep(self.random.choice([0.0, 0.01, 0.1, 1.0]) * self.random.random())

    async def once(self, name: str) -> None:
        """Do one thing."""
        await getattr(self, name)()

    async def _called(self, what: str, call: Awaitable[object]) -> object | None:
        """A call that may be cancelled and may be refused, and ends; None: it was, and its outcome is open."""
        world = self.world
        world.note(f"{self.name} {what}")
        cut = self.random.choice(_CUT) if world.faults.chance("cancel", 0.15) else 3600.0
        with anyio.move_on_after(cut) as scope:
            try:
                result = await world.bounded(what, call)
            except EXCUSED as error:
                if not world.faults.on:
                    raise world.fail(f"{what} is refused, though nothing goes wrong: {error!r}") from error
                world.note(f"{self.name} {what}: {type(error).__name__}")
                return None
            world.note(f"{self.name} {what}: done")
            return result
        if scope.cancelled_caught and what != "look":
            world.faults.saw(f"{what} cancelled")
        return None

    # callers

    async def record(self) -> None:
        """Some rows of one dimension, of one or several symbols; now and then one that can't be true."""
        world, dimension = self.world, self.random.choice(DIMENSIONS)
        symbols = self.random.sample(SYMBOLS, self.random.choice([1, 1, 2]))
        rows = {
            Key(Series(dimension, each), _ts(dimension, place)): world.value()
            for each in symbols
            for place in self.random.sample(range(_HOURS), self.random.randint(1, 3))
        }
        bad = [_row(Key(Series(dimension, "A"), _ts(dimension, 9)), 0.0)] if self.random.random() < 0.1 else []
        world.model.asked.update(rows.items())
        since = world.model.now
        frame = Frame.from_records(dimension, [*(_row(key, value) for key, value in rows.items()), *bad])
        result = await self._called("record", self.backbone.record(frame))
        if result is not None:
            checks.counted(world, len(rows) + len(bad), result)  # type: ignore[arg-type]
            if bad:
                world.faults.saw("rows quarantined")
            if result.superseded:  # type: ignore[attr-defined]
                world.faults.saw("rows superseded")
            checks.acknowledged(world, "record", rows, since, result.superseded)  # type: ignore[attr-defined]

    async def ingest(self) -> None:
        """A file of several chunks, in which a row may come again with other values."""
        world, dimension = self.world, self.random.choice(DIMENSIONS)
        series = Series(dimension, self.random.choice(SYMBOLS))
        places = self.random.choices(range(_HOURS), k=self.random.randint(1, 4))
        lines = [(Key(series, _ts(dimension, place)), world.value()) for place in places]
        world.model.asked.update(lines)
        # an earlier run of this client, which left, may read yet: a file changes, but not in its dimension
        path = world.folder / f"{self.name}-{dimension}-{world.random.randrange(3)}.csv"
        path.write_text(_csv(lines), encoding="utf-8")
        interval = "1h" if dimension is Dimension.INTRADAY_BARS else None
        rows = self.random.randint(1, 3)
        plan = IngestPlan(dimensions=[dimension], interval=interval, path=path, chunk_rows=rows)
        since = world.model.now
        if await self._called("ingest", self.backbone.ingest(plan)) is not None:
            checks.acknowledged(world, "ingest", dict(lines[::-1] if _is_newest_first(lines) else lines), since)

    async def fetch(self) -> None:
        """A window: one that somebody has asked for just now, or another."""
        if self.world.window is None or self.random.random() < 0.5:
            self.world.window = self._window()
        query = self.world.window
        promised = checks.promised_to(self.world, query)
        call = self.backbone.fetch(query.dimension, symbols=query.symbols, start=query.start, limit=query.limit)
        frame = await self._called("fetch", call)
        if isinstance(frame, Frame):
            checks.window(self.world, query, frame, promised, self.world.model.now)

    def _window(self) -> Query:
        """Of one symbol, several or all, whole, by time, or the newest rows."""
        dimension = self.random.choice(DIMENSIONS)
        symbols = tuple(sorted(self.random.choice([["A"], ["B"], ["A", "C"], []])))
        start = _ts(dimension, 1) if self.random.random() < 0.2 else None
        limit = self.random.choice([1, 2]) if len(symbols) == 1 and self.random.random() < 0.3 else None
        return Query(dimension, symbols, None, start, None, limit)

    async def look(self) -> None:
        """What needs no answer of the store, or little of it."""
        call: Callable[[], Awaitable[object]] = self.random.choice(
            [self.backbone.connectivity, self.backbone.outbox, self.backbone.cache_metrics]
        )
        await self._called("look", call())
        self.backbone.roster()

    # operators

    async def restart(self) -> None:
        """An actor is restarted by hand."""
        await self._operate("actor restarted by hand", self.backbone.system.restart)

    async def kill(self) -> None:
        """An actor is killed."""

        async def kill(path: str) -> None:
            await self.backbone.system.find(path).kill()

        await self._operate("actor killed by hand", kill)

    async def suspend(self) -> None:
        """An actor takes no messages for a while."""

        async def suspend(path: str) -> None:
            await self.backbone.system.suspend(path)
            try:
                await anyio.sleep(2.0 * self.random.random())
            finally:
                self.backbone.system.resume(path)

        await self._operate("actor suspended for a while", suspend)

    async def _operate(self, what: str, operation: Callable[[str], Awaitable[object]]) -> None:
        part = self.random.choice(CRASHES)
        if self.world.faults.chance("operator", 1.0):
            self.world.faults.saw(what)
            self.world.note(f"{what}: {part}")
            try:
                await self.world.bounded(what, operation(f"{BASE}/{part}"))
            except ActorError as error:  # it may be restarting, or crash once more
                self.world.note(f"{what}: {type(error).__name__}")

    async def set_clock(self) -> None:
        """The wall clock moves."""
        if self.world.faults.chance("clock", 1.0):
            ahead = self.random.random() < 0.7
            self.world.faults.saw("clock set ahead" if ahead else "clock set back")
            self.world.clock.ahead += timedelta(hours=2) if ahead else -timedelta(minutes=30)
            await anyio.sleep(25.0 * self.random.random())


CALLER = {"record": 5, "ingest": 2, "fetch": 7, "look": 1}
"""What a caller does, by weight."""

OPERATOR = {"restart": 1, "kill": 1, "suspend": 1, "set_clock": 2}
"""What an operator does, by weight."""


def _ts(dimension: Dimension, place: int) -> datetime:
    return DAY + (timedelta(hours=place) if dimension is Dimension.INTRADAY_BARS else timedelta(days=place))


def _row(key: Key, value: float) -> dict[str, object]:
    prices = {"open": value, "high": value + 1, "low": value / 2, "close": value, "volume": None}
    interval = {"interval": "1h"} if key.series.dimension is Dimension.INTRADAY_BARS else {}
    return {"symbol": key.series.symbol, "ts": key.ts, **interval, **prices}


def _is_newest_first(lines: list[tuple[Key, float]]) -> bool:
    """Whether a file of these is read from its end, so that of two with one key the upper one counts."""
    moments = [key.ts for key, _ in lines]
    return moments[0] > moments[-1] and moments == sorted(moments, reverse=True)


def _csv(lines: list[tuple[Key, float]]) -> str:
    rows = [f"{k.ts.isoformat()},{k.series.symbol},{v},{v + 1},{v / 2},{v},\n" for k, v in lines]
    return "ts,symbol,open,high,low,close,volume\n" + "".join(rows)
