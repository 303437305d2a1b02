"""Backbone: what a trading process embeds. `async with Backbone.open(settings) as backbone:`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import anyio

from actors import (
    ActorDead,
    ActorSystem,
    ChildNotFound,
    Reject,
    Request,
    RosterSnapshot,
    StartError,
)
from backbone.cache.messages import ReadCacheMetrics
from backbone.cache.port import CacheMetrics
from backbone.calls import Calls, restore
from backbone.control import child as control
from backbone.domain import Frame, arguments
from backbone.domain.dimension import Dimension
from backbone.domain.errors import BackboneClosed
from backbone.domain.observing import Observe
from backbone.facade.asking import Asking, Turns, statement_answers
from backbone.facade.dead_letters import DeadLetters
from backbone.facade.exporting import Exporting
from backbone.facade.gating import Gating
from backbone.facade.given import Rows, frame_of
from backbone.facade.looking import Looking
from backbone.facade.mending import Mending
from backbone.facade.opening import Opening, cause_of, require_running, resources
from backbone.facade.period import beginning
from backbone.facade.pulling import Pulling
from backbone.facade.reading import Reader
from backbone.facade.running import Running, run_answers
from backbone.facade.set_back import SetBack
from backbone.facade.subscribing import Subscribing
from backbone.facade.subscription import Subscription
from backbone.facade.tree import NAME, Parts, Resources, tree
from backbone.facade.unbuilt import Unbuilt
from backbone.facade.writing import Writer
from backbone.ingest.messages import RecordResult, ReplayReport, ReplayRows
from backbone.ingest.plan import IngestPlan, IngestRun
from backbone.operations.probes.connectivity import ConnectivityReport
from backbone.operations.probes.manifest import ConnectorsReport
from backbone.operations.rehearsal.cycle import RehearsalReport, RehearsalRequest, rehearse
from backbone.operations.telemetry import child as telemetry
from backbone.retention.messages import RunRetention
from backbone.retention.report import RetentionReport
from backbone.settings import Settings
from backbone.settings.starting import refuse_what_cannot_start
from backbone.store.errors import Unsupported
from backbone.store.messages import MigrateStore, OutboxState, ReadSymbols
from backbone.store.records import MigrationReport, OutboxStatus, Query
from backbone.stream.child import sink_of
from backbone.stream.port import Start

__all__ = ["Backbone"]

R = TypeVar("R")

_READ_TIMEOUT = 60.0


class Backbone(Gating, Exporting, Asking, Mending, Running, Unbuilt):
    """A running backbone. Made by `open`; all methods belong to the loop it was opened in.

    Attributes:
        settings: that it was opened with.
        system: in whose tree it is.
        dead_letters: what nobody could read of the stream: `list`, `replay` and `drop`.
        telemetry: what it tells of itself: `listen`, `after` and `statistics`, see `backbone.operations.telemetry`.
    """

    def __init__(
        self, settings: Settings, system: ActorSystem, resources: Resources, observe: Observe | None = None
    ) -> None:
        self.settings = settings
        self.system = system
        self._newest, self._gates = resources.newest, resources.gates
        self._calls = Calls(system, f"{system.ref.path}/{NAME}", observe)
        self._set_back = SetBack(system, self._calls.base)
        self._reader = Reader(self._ask, settings, system.clock.time, resources.at_hand, self._set_back)
        self._writer = Writer(settings, self._calls, self._ask, self._reader, self._still_open)
        self.telemetry = telemetry.desk(settings, system, self._calls)
        self._looking = Looking(settings, system, self._calls, self.telemetry)
        self.dead_letters = DeadLetters(self._ask)
        self._subscribing = Subscribing(settings, self._calls, self._reader, self._open, self._still_open)
        self._turns = Turns(settings.sql.at_once, settings.sql.waiting)
        self._closed = False
        self._opening: object = None

    @classmethod
    def open(
        cls,
        settings: Settings | None = None,
        *,
        system: ActorSystem | None = None,
        observe: Observe | None = None,
        parts: Parts | None = None,
    ) -> AbstractAsyncContextManager[Backbone]:
        """Start the tree, migrate, prove that the store answers; on leaving, stop what was started, and only that.

        A server that is not up yet is waited for, `store.start_timeout` seconds at most.

        Args:
            settings: from `load_settings`; None: the embedded profile, without any environment.
            system: a tree that the trading process already has; the backbone becomes one of its children.
            observe: called as `observe(what, seconds, outcome)` after each request that store, cache, stream or ingest
                has dealt with, in the loop: for metrics. It has to be quick, and must not raise.
            parts: by name of a child, what a test makes of its spec (see `backbone.testing`).

        Raises:
            TypeError: settings or system are something else.
            SettingsError: a service that the settings require or choose is not chosen, not built, or has no address; or
                `live` was not confirmed.
            StoreUnavailable: the store can't be opened; the message says what to do.
        """
        if settings is None:
            from backbone.settings import load_settings

            settings = load_settings(profile="embedded")
        arguments.instance("settings", settings, Settings, "load_settings makes them")
        if system is not None:
            arguments.instance("system", system, ActorSystem)
        if observe is not None and not callable(observe):
            raise TypeError(f"observe={observe!r} given; allowed: observe(what, seconds, outcome)")
        refuse_what_cannot_start(settings)
        return Opening(cls._opened(settings, system, observe, parts or {}))

    @classmethod
    @asynccontextmanager
    async def _opened(
        cls, settings: Settings, system: ActorSystem | None, observe: Observe | None, parts: Parts
    ) -> AsyncIterator[Backbone]:
        async with AsyncExitStack() as stack:
            if system is None:
                system = await stack.enter_async_context(ActorSystem(settings.profile))
            shared = resources(settings, system, stack.enter_context(ExitStack()))
            backbone = cls(settings, system, shared, observe)
            for each in (backbone._set_back, backbone.telemetry):
                stack.callback(each.close)  # the bus may be the host's: also where the tree does not start
            answers = {**backbone._looking.answers(), **backbone.dead_letters.answers(), **run_answers(backbone)}
            answers |= {**backbone._fresh.answers(), **backbone._mending_answers()}
            answers["updates"] = Pulling(backbone._subscribing).answer
            asked = control.child(settings, answers, statement_answers(backbone))
            spec = tree(settings, backbone._calls, shared, desk=backbone.telemetry, control=asked, parts=parts)
            try:
                await system.start_child(spec)
            except StartError as error:
                raise cause_of(error) from error
            stack.push_async_callback(backbone._close)
            yield backbone

    async def _close(self) -> None:
        """Stop what `open` started; a cancelled caller does not cut this short."""
        self._closed = True
        with anyio.CancelScope(shield=True):  # bounded by the shutdown times of the tree
            for step in (self.system.terminate_child, self.system.delete_child):
                try:
                    await step(NAME)
                except (ActorDead, ChildNotFound):
                    return

    def _open(self) -> None:
        """Refuse where the `async with` was left: nothing could be found any more, and nothing comes back."""
        if self._closed:
            raise BackboneClosed("this backbone is closed; open another one, and use it inside its `async with`")

    def _still_open(self) -> None:
        """Refuse also where the host has ended the actor system; asked where nobody answers, or one waits."""
        self._open()
        require_running(self.system, self.path)

    async def ingest(self, plan: IngestPlan) -> IngestRun:
        """Carry out a plan; an ingest actor that dies meanwhile is restarted, and the run goes on where it was.

        Raises:
            TypeError: no plan was given.
            SourceError: the input is missing or invalid.
            StoreUnavailable: the store does not take the rows now.
            ActorDead: the run was begun again `ingest.retries` times and each time the actor died.
        """
        self._open()
        return await self._writer.ingest(plan)

    async def record(self, rows: Rows, dimension: Dimension | str | None = None) -> RecordResult:
        """Commit live rows: at once where their writer is idle, else with its next commit and all that came meanwhile.

        Rows that can't be true, such as a price of zero, are kept aside; the others go in. Of two versions of one row
        that arrive together the later one is stored. The rows of a caller that is cancelled may be stored all the same,
        also after those of an `ingest` or `record` that began later.

        Args:
            rows: a Frame, or one row as a mapping from column to value or as a msgspec Struct, or a list of these.
            dimension: what mappings and Structs are, or one of its aliases; a Frame knows it by itself.

        Returns:
            What became of each row. After a crash in between, rows that had been committed count as unchanged.

        Raises:
            TypeError: something else was given, or rows without their dimension.
            ValueError: a row is not one of the dimension: an unknown column, a value that is not allowed.
            StoreBusy: more rows or calls wait already than may; none of these was taken.
            BackboneClosed: it was left; where that was while this waited, the rows may be in.
            StoreUnavailable: the store does not take the rows now.
        """
        self._open()
        return await self._writer.record(frame_of(rows, dimension))

    async def _ask(self, name: str, request: Request[R], timeout: float = _READ_TIMEOUT) -> R:
        self._open()
        try:
            return await self._calls.ask(name, request, timeout, self._still_open)
        except Reject as reject:
            self._still_open()
            raise restore(reject) from reject.__cause__

    async def fetch(
        self,
        dimension: Dimension | str,
        *,
        symbols: Sequence[str] = (),
        interval: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        period: str | None = None,
        limit: int | None = None,
        as_of: datetime | None = None,
        resample: bool = True,
    ) -> Frame:
        """Rows in canonical order, through the cache; never older than what this backbone has ingested or recorded.

        Args:
            dimension: or one of its aliases.
            symbols: empty: all. One of another case than the only one stored of that name means that one.
            interval: bar interval; None: all that are stored. What the stored bars of a symbol leave open is made of
                its finer ones, by trading session (see `backbone.quality.resample`), of the widest that fit; of a
                symbol without bars, of its trades, given start or limit; daily_bars give 1d, 1wk, 1mo, 3mo.
            start: first moment, inclusive, with a time zone; of bars, that of their beginning.
            end: last moment, inclusive, with a time zone.
            period: instead of start and end, how far back from now, such as "30d"; it begins at a round moment, so
                that who asks again is answered by the cache.
            limit: the newest so many, in ascending order; 1 or more.
            as_of: as known at that moment.
            resample: False: only bars that are stored.

        Returns:
            The rows; `frame.stale` while the store is down and the cache still had them. A bar that was made of
            others holds what is stored of it; of the newest that may be a part, then `frame.partial` names it.

        Raises:
            TypeError, ValueError: an argument is wrong, or the interval can't be made of what is stored.
            StoreUnavailable: the store is down, and the cache has no such window.
        """
        self._open()
        parsed = Dimension.parse(dimension)
        arguments.flag("resample", resample)
        if limit is not None:
            limit = arguments.count("limit", limit, 1, default="None for all")
        if period is not None:
            if start is not None or end is not None:
                raise ValueError(f"period={arguments.shown(period)} given beside start or end; leave one of them out")
            start = beginning(period, self.system.clock.now())
        names = tuple(sorted(arguments.symbols(symbols)))
        query = Query(parsed, names, arguments.interval(interval), start, end, limit, as_of)
        return await self._reader.fetch(query, resample=resample)

    async def symbols(self, dimension: Dimension | str) -> tuple[str, ...]:
        """The symbols (of macro events: calendars) that are stored, ascending."""
        parsed = Dimension.parse(dimension)
        return tuple(await self._ask("store", ReadSymbols(parsed)))

    def subscribe(
        self, dimension: Dimension | str, *, symbols: Sequence[str] = (), start: Start | str = "latest"
    ) -> AbstractAsyncContextManager[Subscription]:
        """Committed changes, in order for each symbol, none lost, none twice; a slow reader is waited for.

        Args:
            dimension: or one of its aliases.
            symbols: empty: all.
            start: "latest", "earliest", or the `resume` (or the position) of the last update that was dealt with.

        Raises:
            TypeError, ValueError: an argument is wrong.
            Unsupported: `stream.consume` is false; on entering: `stream.subscriptions` are open.
        """
        self._open()
        return self._subscribing.subscribe(dimension, symbols, start)

    def last(self, dimension: Dimension | str, symbol: str) -> Mapping[str, Any] | None:
        """The newest row of the newest change of a symbol seen on the stream; None: none since this process began.

        Where the database was set back, what was seen before is forgotten.

        Raises:
            TypeError, ValueError: an argument is wrong.
        """
        self._open()
        of = Dimension.parse(dimension)
        return self._newest.row(of, self._reader.name_of(of, arguments.text("symbol", symbol)))

    @property
    def path(self) -> str:
        """Where it stands in the actor tree: "/embedded/backbone"."""
        return self._calls.base

    def roster(self) -> RosterSnapshot:
        """What runs now, read without a message to anybody."""
        return self._looking.roster()

    async def connectivity(self) -> ConnectivityReport:
        """A round trip through store, cache and stream, all at once."""
        self._open()
        return await self._looking.connectivity()

    async def connectors(self) -> ConnectorsReport:
        """The manifest: what this backbone consists of, and how each part is."""
        self._open()
        return await self._looking.connectors()

    async def cache_metrics(self, *, reset: bool = False) -> CacheMetrics:
        """The cache's counters."""
        return await self._ask("cache", ReadCacheMetrics(reset))

    async def outbox(self) -> OutboxStatus:
        """How far publishing is behind committing."""
        return await self._ask("store", OutboxState(sink_of(self.settings)))

    async def migrate(self, *, dry_run: bool = False) -> MigrationReport:
        """What migrations were, or with `dry_run` would be, applied; opening has applied them already."""
        return await self._ask("store", MigrateStore(dry_run))

    async def retention(self, *, apply: bool = False, as_of: datetime | None = None) -> RetentionReport:
        """Judge coverage against the policies, as of a moment (None: now), and say what lies beyond the caps.

        Args:
            apply: drop rows beyond the caps, but never the newest chunk of data nor all rows of a symbol, and prune
                what was published; the findings are those after it.
            as_of: the moment from which days are counted back.

        Raises:
            NotBuilt: `apply`, over the embedded store.
            StoreUnavailable: what is stored could not be read; nothing was dropped.
            ValueError: `apply` as of a moment to come.
        """
        return await self._ask("retention", RunRetention(apply, as_of), 10 * _READ_TIMEOUT)

    async def replay(
        self,
        dimension: Dimension | str,
        *,
        symbols: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
        topic: str | None = None,
    ) -> ReplayReport:
        """Send stored rows to a topic of Kafka again, marked as a replay; one that was killed goes on where it was.

        Args:
            dimension: or one of its aliases.
            symbols: empty: all; whatever their case.
            start: first moment, inclusive, with a time zone.
            end: last moment, inclusive, with a time zone.
            limit: the newest so many.
            topic: None: that of the dimension, whose subscribers pass replays over, for they are no changes.

        Raises:
            Unsupported: the stream is in this process: there are no topics that others could read.
            TypeError, ValueError: an argument is wrong.
            StoreUnavailable, StreamUnavailable: rows are not given or taken now; the same call again goes on.
        """
        self._open()
        names = arguments.symbols(symbols)
        request = ReplayRows(Dimension.parse(dimension), names, start, end, limit, topic)
        if self.settings.stream.backend != "kafka":
            raise Unsupported("the stream is in this process, and has no topics to send to; set stream.backend=kafka")
        return await self._ask("replay", request, 24 * 3600.0)

    async def rehearse(self, request: RehearsalRequest) -> RehearsalReport:
        """One full cycle: ingest, publish, subscribe, fetch, judge; the report holds what was observed.

        Raises:
            TypeError: no request was given.
        """
        self._open()
        arguments.instance("request", request, RehearsalRequest)
        return await rehearse(self, request)
