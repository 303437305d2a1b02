"""A backbone at work while its servers come to harm: what writes, reads and watches, and who judges in the end."""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

import anyio

from backbone import Backbone, RecordResult, Settings, StoreError
from backbone.services import native
from backbone.store.port import Store
from tests.faults.drills.kit import QUOTES, ROWS, everything_published, frame, health, store_of

FROZEN_SECONDS = 30.0
BACK_SECONDS = 5.0
QUIET_SECONDS = 2.0  # at work before and after
PACE_SECONDS = 0.02
_LONGEST_SECONDS = 30.0  # until nobody waits for it any more
ACTORS = {"timescale": "store", "redis": "cache", "kafka": "relay"}
"""Who says in the roster how a server is."""

Harm = Callable[[native.Services, str], Awaitable[None]]


async def killed(services: native.Services, server: str) -> None:
    services.kill(server)
    await anyio.sleep(QUIET_SECONDS)
    await services.restart(server)


async def frozen(services: native.Services, server: str) -> None:
    services.freeze(server)
    await anyio.sleep(FROZEN_SECONDS)
    services.thaw(server)


async def emptied(services: native.Services, server: str) -> None:
    """Killed, and back without anything that it held: no window, no topic."""
    services.kill(server)
    await anyio.sleep(QUIET_SECONDS)
    if server == "kafka":
        shutil.rmtree(services.data / "kafka" / "logs")
    await services.restart(server)


class Seen(NamedTuple):
    """What a subscriber was given of one change."""

    event_id: str
    position: int
    symbol: str
    rows: int


class Course:
    """A backbone at work: one writes, one subscribes, and fetches on each update what it tells of.

    Args:
        backbone: at work.
        pace: seconds between two calls of record.
        patient: rows that the store did not take are written again; else a refusal is a failure.
    """

    def __init__(self, backbone: Backbone, *, pace: float = PACE_SECONDS, patient: bool = False) -> None:
        self._backbone = backbone
        self._pace = pace
        self._endured: tuple[type[StoreError], ...] = (StoreError,) if patient else ()
        self.results: list[RecordResult] = []
        self.refused = 0
        self.seen: list[Seen] = []
        self.fetched = 0
        self.stop, self.written = anyio.Event(), anyio.Event()

    async def write(self) -> None:
        """Until it is to stop; what was refused is written before what follows."""
        while not self.stop.is_set():
            try:
                self.results.append(await self._backbone.record(frame(len(self.results))))
            except self._endured:
                self.refused += 1
            await anyio.sleep(self._pace)
        self.written.set()

    async def read(self, opened: anyio.Event) -> None:
        """All changes, and on each tenth the rows that it tells of."""
        async with self._backbone.subscribe(QUOTES, start="earliest") as updates:
            opened.set()
            async for update in updates:
                self.seen.append(Seen(update.event_id, update.position, update.symbol, update.frame.num_rows))
                if len(self.seen) % 10 == 0:
                    await self._fetch(update.symbol, update.frame.to_arrow().column("bid")[-1].as_py())

    async def _fetch(self, symbol: str, newest: float) -> None:
        try:
            window = await self._backbone.fetch(QUOTES, symbols=[symbol], limit=200)
        except self._endured:
            return
        assert window.stale or window.to_arrow().column("bid")[-1].as_py() >= newest, "a fetch served rows of before"
        self.fetched += 1


class Told:
    """What an actor says of itself meanwhile.

    Attributes:
        said: its reasons, by level.
        after: seconds until it said anything but ok; None: it did not.
    """

    def __init__(self, backbone: Backbone, actor: str) -> None:
        self._backbone, self._actor = backbone, actor
        self._began = time.monotonic()
        self.said: defaultdict[str, set[str]] = defaultdict(set)
        self.after: float | None = None

    async def watch(self) -> None:
        """Look at the roster, as people do, until cancelled."""
        while True:
            told = health(self._backbone, self._actor)
            self.said[told.level].add(told.why or "")
            if self.after is None and told.level != "ok":
                self.after = time.monotonic() - self._began
            await anyio.sleep(PACE_SECONDS)


def rows_left(frames: int) -> int:
    """The rows of so many frames of the load; the first one is kept aside, for its price is zero."""
    return frames * ROWS // 2


async def are_ok(backbone: Backbone, *actors: str) -> float:
    """Seconds until actors say so, all of them at once.

    Raises:
        AssertionError: they do not in time; it tells what they say instead.
    """
    began = time.monotonic()
    with anyio.move_on_after(_LONGEST_SECONDS):
        while any(health(backbone, actor).level != "ok" for actor in actors):  # noqa: ASYNC110 - the roster is looked at
            await anyio.sleep(PACE_SECONDS)
        return time.monotonic() - began
    said = {actor: health(backbone, actor) for actor in actors}
    words = "; ".join(f"{actor} is {each.level}: {each.why}" for actor, each in said.items() if each.level != "ok")
    raise AssertionError(f"not ok within {_LONGEST_SECONDS:g} s: {words or 'never all of them at once'}")


@asynccontextmanager
async def judging(settings: Settings) -> AsyncIterator[Store]:
    """A store on the same database, of one who has no part in it."""
    url = settings.store.dsn()
    assert url is not None
    store = store_of(url.reveal(), "judge")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def caught_up(backbone: Backbone, judge: Store, course: Course) -> list[Seen]:
    """All that there is to be given to a subscriber, once it was published and given to this one."""
    with anyio.fail_after(60):
        while (await backbone.outbox()).pending:  # noqa: ASYNC110
            await anyio.sleep(PACE_SECONDS)
        outbox = [Seen(row.event_id, row.position, row.symbol, row.rows) for row in await everything_published(judge)]
        while len(course.seen) < len(outbox):  # noqa: ASYNC110
            await anyio.sleep(PACE_SECONDS)
    return outbox


def given_once(outbox: Sequence[Seen], seen: Sequence[Seen]) -> None:
    """What a subscriber was given is the outbox, once and in order for each symbol."""
    doubled = [each for each, times in Counter(seen).items() if times > 1]
    assert not doubled, f"{len(doubled)} changes were given more than once, such as {doubled[0]}"
    assert len(seen) == len(outbox)
    for symbol in {row.symbol for row in outbox}:
        given = [each for each in seen if each.symbol == symbol]
        assert all(earlier.position < later.position for earlier, later in pairwise(given))
        assert given == [row for row in outbox if row.symbol == symbol]
