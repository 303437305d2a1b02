"""The actor of the gate: looks at what data depends on, and puts the answers where the trading process reads them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel

from actors import Actor, ActorError, Event, HealthChanged, Message, Reject, StopReason, Subscription, handles
from backbone.calls import Calls
from backbone.domain.dimension import Dimension
from backbone.ingest.messages import IngestEnded
from backbone.operations.gate.board import Board, Entry
from backbone.operations.gate.messages import AttendGates
from backbone.operations.gate.reach import Reach
from backbone.operations.gate.runs import RunsSeen
from backbone.operations.gate.surroundings import Surroundings
from backbone.operations.gate.telling import Changes
from backbone.operations.gate.verdict import Reason
from backbone.operations.telemetry.events import Telemetry
from backbone.operations.telemetry.topics import GATE
from backbone.quality.freshness_rules import FreshnessRules
from backbone.settings import Settings
from backbone.store.messages import ReadLatest, ReadRuns, ReadSymbols
from backbone.store.records import Latest
from backbone.stream.last import Newest
from backbone.stream.messages import DatabaseSetBack

__all__ = ["GateActor"]

_ROOM = 1024  # events that wait while it is busy; where one is lost, the next look sees what it told of
_AT_ONCE = 64  # symbols that are judged until others have their turn
_TIMEOUT = 10.0
_RUNS = 100  # of before, of each dimension
_STEP = 1.0  # seconds by which the wall clock goes otherwise than the monotonic one before it counts as set


class Look(Message, frozen=True):
    """Time to look around."""


class GateActor(Actor):
    """Does nothing until somebody asks about a symbol; then it looks every `gate.interval` seconds.

    What a look needs is asked beside the mailbox, each question within a bound, one look at a time. What happens in
    between brings the next look at once: a part that fails or recovers, a run that ends, a database that was set back.

    Args:
        settings: the rules, the calendars, the kill switch.
        calls: where the parts are.
        board: where the answers stand.
        newest: what came by on the stream.
        rules: how fresh a symbol is.
    """

    def __init__(self, settings: Settings, calls: Calls, board: Board, newest: Newest, rules: FreshnessRules) -> None:
        self.settings = settings
        self._calls = calls
        self._board = board
        self._newest = newest
        self._rules = rules
        self._runs = RunsSeen(settings.gate)
        self._reached: dict[tuple[Dimension, str], Reach] = {}
        self._journalled: set[Dimension] = set()
        self._learning: set[Dimension] = set()
        self._seen: tuple[list[Reason], int] | None = None
        self._apart: float | None = None  # by how much the clocks differ
        self._ahead = timedelta(seconds=board.patience)
        self._looking = self._again = self._ticking = False
        self._events: Subscription[Event]
        self._around: Surroundings

    async def on_start(self) -> None:
        """Go on with those who were asked about before."""
        clock = self.context.clock
        self._around = Surroundings(self.settings, self._calls, self._newest, clock.time, clock.now)
        self._events = self.context.system.events.subscribe(HealthChanged, IngestEnded, DatabaseSetBack, capacity=_ROOM)
        ref = self.context.ref

        def wake() -> None:
            with suppress(ActorError):  # it is being restarted, and looks itself then
                ref.tell_nowait(AttendGates())

        self._board.serve(wake)

    async def after_start(self) -> None:
        """Follow what happens, and look."""
        self.context.run_task(self._follow(), name="follow")
        self._look_soon()

    async def on_stop(self, reason: StopReason) -> None:
        """Follow no longer; answers hold until the next look would have been due."""
        self._events.close()

    def inspect(self) -> dict[str, Any]:
        """How many symbols stand how."""
        levels = [str(entry.gate.level) for _, entry in self._board.entries()]
        return {"symbols": len(levels), **{level: levels.count(level) for level in sorted(set(levels))}}

    async def _follow(self) -> None:
        async for event in self._events:
            if not event.path.startswith(f"{self._calls.base}/"):
                continue  # of another backbone in this system
            if isinstance(event, IngestEnded):
                self._runs.ended(event)
            elif isinstance(event, DatabaseSetBack):
                self._reached = {key: self._set_back(key, each) for key, each in self._reached.items()}
            self._look_soon()

    @handles
    def attend(self, message: AttendGates) -> None:
        """See AttendGates."""
        self._look_soon()

    @handles
    def look(self, message: Look) -> None:
        """Look around."""
        self._look_soon()

    def _look_soon(self) -> None:
        """One look at a time; what comes up meanwhile brings another one."""
        if not len(self._board):
            return
        if not self._ticking:
            self._ticking = True
            self.context.send_every(self.settings.gate.interval, Look(), key="look")
        self._again = self._looking
        if not self._looking:
            self._looking = True
            self.context.run_task(self._look(), name="look")

    async def _look(self) -> None:
        clock = self.context.clock
        as_of, began = clock.now(), clock.time()
        try:
            self._ask_the_store()
            await self._judge(await self._around.look(), as_of)
            self._board.looked(as_of, began)
        finally:
            self._looking = False
            if self._again:
                self._again = False
                self._look_soon()

    async def _judge(self, around: list[Reason], as_of: datetime) -> None:
        """Answer for all symbols as of one moment; where nothing has changed, what was answered holds on."""
        self._heed_the_clock()
        now, changes, seen = self.context.clock.now(), Changes(), (around, self._runs.version)
        ahead = now + self._ahead
        for number, (key, entry) in enumerate(list(self._board.entries())):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await anyio.lowlevel.checkpoint()
            reach = self._reach_of(key)
            if reach.is_doubtful(ahead):
                reach.look_at(self._newest)
            elif seen == self._seen and entry.kinds is not None:
                continue
            if reach.is_known or around or entry.kinds is not None:
                self._answer(entry, reach, around, as_of, changes)
        self._seen = seen
        self._tell(changes)

    def _heed_the_clock(self) -> None:
        """Where the wall clock was set, or the machine slept, all that was said of ages is said anew."""
        clock = self.context.clock
        apart = clock.now().timestamp() - clock.time()
        if self._apart is None or abs(apart - self._apart) > _STEP:
            self._apart, self._seen = apart, None
            for each in self._reached.values():
                each.judge_anew()

    def _answer(self, entry: Entry, reach: Reach, around: list[Reason], as_of: datetime, changes: Changes) -> None:
        gate, before = self.settings.gate, entry.gate.level if entry.kinds is not None else None
        now = self.context.clock.now()
        aged = reach.reasons(self._rules, gate, now)
        reasons = [*around, *aged, *self._runs.of(reach.dimension, reach.symbol)]
        until = reach.fresh.stale_at if reach.fresh is not None and gate.stale == "blocked" and not aged else None
        if self._board.answer(entry, reasons, as_of, None if until is None else (until - now).total_seconds()):
            changes.note(entry.gate, before)

    def _set_back(self, key: tuple[Dimension, str], reach: Reach) -> Reach:
        """One that knows nothing of the database of before, nor what somebody still asks it, or what came by of it."""
        anew = Reach(*key)
        anew.pass_over(reach.seen(self._newest))
        return anew

    def _reach_of(self, key: tuple[Dimension, str]) -> Reach:
        found = self._reached.get(key)
        if found is None:
            found = self._reached[key] = Reach(*key)
        return found

    def _tell(self, changes: Changes) -> None:
        if GATE.told(self.settings.telemetry):
            for told in changes.told():
                self.context.system.publish(
                    Telemetry, self.context.ref.path, type=GATE.name, payload=told, key=told.symbols[0]
                )

    def _ask_the_store(self) -> None:
        """How far rows go of which that is not known, or not to be relied on; beside the look, which does not wait."""
        if not self._calls.serves("store"):
            return
        due: dict[Dimension, list[Reach]] = {}
        time, now, gate = self.context.clock.time(), self.context.clock.now(), self.settings.gate
        for key, _ in self._board.entries():
            reach = self._reach_of(key)
            if reach.dimension not in self._learning and reach.is_due(time, now, gate.interval, gate.refresh):
                due.setdefault(reach.dimension, []).append(reach)
        for dimension, some in due.items():
            self._learning.add(dimension)
            self.context.run_task(self._learn(dimension, some), name=f"learn {dimension}")

    async def _learn(self, dimension: Dimension, some: list[Reach]) -> None:
        try:
            await self._rules.instruments.load((each.symbol for each in some), judging=True)
            if dimension not in self._journalled:
                runs = await self._calls.ask("store", ReadRuns(_RUNS, dimension.value), _TIMEOUT)
                self._runs.journalled(runs)
                self._journalled.add(dimension)
            await self._spell(dimension, [each for each in some if not each.newest or each.symbol != each.asked])
            found = await self._calls.ask("store", ReadLatest(dimension, [each.symbol for each in some]), _TIMEOUT)
        except Reject as reject:
            self.context.log.info("how far rows go is not known", dimension=dimension, why=reject.text)
        else:
            self._learnt(some, found)
        finally:
            self._learning.discard(dimension)

    def _learnt(self, some: Iterable[Reach], found: Iterable[Latest]) -> None:
        by_symbol: dict[str, list[Latest]] = {}
        for each in found:
            by_symbol.setdefault(each.symbol, []).append(each)
        for reach in some:
            reach.told(by_symbol.get(reach.symbol, ()), self.context.clock.time())
            reach.judge_anew()
        self._look_soon()

    async def _spell(self, dimension: Dimension, some: list[Reach]) -> None:
        """Symbols are found whatever their case, where only one is stored of that name."""
        if not some:
            return
        names = await self._calls.ask("store", ReadSymbols(dimension), _TIMEOUT)
        exact, by_case = frozenset(names), dict[str, list[str]]()
        for name in names:
            by_case.setdefault(name.casefold(), []).append(name)
        for reach in some:
            same = by_case.get(reach.asked.casefold(), ())
            reach.spell(same[0] if reach.asked not in exact and len(same) == 1 else reach.asked)
