"""A subscriber: it comes, is slow, goes, comes back, and knows what it has seen."""

from __future__ import annotations

import random
from typing import Any

import anyio

from backbone import Backbone, Dimension
from backbone.store.errors import PositionLost
from backbone.stream.messages import Update
from tests.simulation.model import Change, Series, rows_of
from tests.simulation.world import EXCUSED, SYMBOLS, World

__all__ = ["Reader"]


class Reader:
    """Reads a dimension, and compares what it gets with the model's changes.

    Args:
        world: with the model.
        name: for the trace.
        dimension: what to read.
        symbols: whose rows; empty: all.
        start: where to begin.

    Attributes:
        place: by symbol, how many of the model's changes it has seen; a symbol is missing until its first change comes.
        owed: by symbol, the change with which it has to begin at the latest, while its place is not known.
    """

    def __init__(
        self, world: World, name: str, dimension: Dimension, symbols: tuple[str, ...], start: str | int
    ) -> None:
        self.name = name
        self.dimension = dimension
        self.symbols = symbols
        self._world = world
        self._random = random.Random(f"{world.seed}:{name}")
        self._begin(start)

    def _begin(self, start: str | int) -> None:
        self._start: str | int = start
        self._back = ""
        self._era = self._world.model.era
        self._position = 0
        self._events: set[str] = set()
        self.place: dict[Series, int] = {}
        self.owed: dict[Series, int] | None = None

    @property
    def series(self) -> list[Series]:
        """What it reads."""
        return [Series(self.dimension, each) for each in self.symbols or SYMBOLS]

    async def live(self, backbone: Backbone) -> None:
        """Subscribe again and again, until cancelled."""
        while True:
            try:
                await self._session(backbone)
            except PositionLost as error:
                self._lost(error)
            except EXCUSED as error:
                if not self._world.faults.on:
                    raise self._wrong(f"is refused, though nothing goes wrong: {error!r}") from error
            await anyio.sleep(0.05 + self._random.random())

    async def _session(self, backbone: Backbone) -> None:
        """One subscription, until it is left or cancelled."""
        world, patience = self._world, self._patience()
        inside = False
        with anyio.move_on_after(patience) as cut:
            async with backbone.subscribe(self.dimension, symbols=self.symbols, start=self._start) as updates:
                self._began()
                inside = True
                taken, most = 0, self._random.choice([1, 3, 1000])
                async for update in updates:
                    self.take(update)
                    taken += 1
                    if self._random.random() < 0.2 and world.faults.on:
                        world.faults.saw("subscriber slow")
                        await anyio.sleep(self._random.choice([0.2, 1.0, 12.0]) * self._random.random())
                    if taken >= most and world.faults.on:
                        world.faults.saw("subscriber departed")
                        return
        if cut.cancelled_caught:
            world.faults.saw("subscriber departed" if inside else "subscribe cancelled")

    def _patience(self) -> float:
        """Virtual seconds until it is cancelled, wherever it is then."""
        if not self._world.faults.on:
            return 3600.0
        return self._random.choice([0.0, 0.001, 0.01, 1.0, 5.0, 30.0])

    def _began(self) -> None:
        """The subscription stands: what is committed from now on it may not miss."""
        world = self._world
        if self._start == "earliest":
            world.faults.saw("subscriber from the earliest")
        if self._back:
            world.faults.saw(self._back)
        if self.owed is None or self._start in {"latest", "earliest"}:  # it has got nothing yet
            latest = {each: len(world.model.changes[each]) for each in self.series}
            earliest = {each: world.model.first_kept(each) for each in self.series}
            self.owed = earliest if self._start == "earliest" else latest
        world.note(f"{self.name} subscribed from {'a token' if self._back.endswith('token') else self._start}")

    def take(self, update: Update) -> None:
        """Compare an update with the change that comes next, and keep how to go on from it."""
        world, series = self._world, Series(self.dimension, update.symbol)
        rows = sorted((key.ts, value) for key, value in rows_of(update.frame).items())
        changes = world.model.changes[series]
        place = self.place.get(series)
        if series not in self.series:
            raise self._wrong(f"got {update.symbol}, for which it did not ask")
        if place is None:
            place = self._find(rows, changes, (self.owed or {}).get(series, 0), update.position)
        if place is None or _plain(changes[place : place + len(rows)]) != rows:
            raise self._wrong(f"stands at {place} of {series.symbol}, owed {self.owed}, and gets {rows}")
        if update.position <= self._position or update.event_id in self._events:
            raise self._wrong(f"gets {update.position} after {self._position}, {update.event_id} again or late")
        self.place[series] = place + len(rows)
        self._position = update.position
        self._events.add(update.event_id)
        self._go_on(update)
        world.promise(series, changes[place + len(rows) - 1].commit)
        world.note(f"{self.name} got {series.symbol} up to {self.place[series]}")

    def _go_on(self, update: Update) -> None:
        token = self._random.random() < 0.7
        self._start = update.resume if token else update.position
        self._back = "subscriber back by its token" if token else "subscriber back by its position"

    def _find(self, rows: list[Any], changes: list[Change], owed: int, position: int) -> int | None:
        """Where it begins: not behind what it is owed, and with the first commit that comes to that position."""
        commits = self._world.model.commits
        alike = [
            each
            for each in range(min(owed, len(changes) - len(rows)) + 1)
            if _plain(changes[each : each + len(rows)]) == rows
        ]
        return next((each for each in alike if commits[changes[each].commit - 1].position >= position), None)

    def _lost(self, error: PositionLost) -> None:
        """It is told that something is gone: so it has to be. As the error says, it goes on from the latest."""
        world = self._world
        gone = any(commit.pruned and commit.position > self._position for commit in world.model.commits)
        if not gone and self._era == world.model.era:
            raise self._wrong(f"is told that its position {self._position} is lost, and nothing is: {error}")
        world.faults.saw("subscriber told PositionLost")
        self._begin("latest")

    def forget_position(self) -> None:
        """A plain number does not say of which life of the database it is; a token does, and is kept."""
        if isinstance(self._start, int):
            self._begin("latest")

    def behind(self) -> str | None:
        """What it has not seen and should have; None: nothing."""
        changes = self._world.model.changes
        for series in self.series:
            seen = self.place.get(series, (self.owed or {}).get(series, len(changes[series])))
            if seen != len(changes[series]):
                return f"{self.name} has seen {seen} of {len(changes[series])} changes of {series.symbol}"
        return None

    def _wrong(self, what: str) -> Exception:
        return self._world.fail(f"{self.name} of {self.dimension} {self.symbols}: {what}")


def _plain(changes: list[Change]) -> list[Any]:
    return [(change.ts, change.value) for change in changes]
