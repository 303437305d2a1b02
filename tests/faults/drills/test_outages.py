"""Redis, then Kafka, killed, frozen and emptied under a backbone at work: nothing lost, doubled or stale."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import anyio
import pytest

from backbone import Backbone, RecordResult
from backbone.services import native
from backbone.settings import Settings
from backbone.store.records import Query
from tests.faults.drills.kit import QUOTES, everything_published, frame, hash_of, health, say, store_of
from tests.services.conftest import serving
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database

FROZEN_SECONDS = 30.0
BACK_SECONDS = 5.0
QUIET_SECONDS = 2.0  # at work before and after
PACE_SECONDS = 0.02
ACTORS = {"redis": "cache", "kafka": "relay"}

Harm = Callable[[native.Services, str], Awaitable[None]]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """All three servers, for this module to break."""
    yield from serving(native.ALL, tmp_path_factory.mktemp("outages"))


@pytest.fixture
async def settings(services: native.Services) -> AsyncIterator[Settings]:
    dsn = await make_database(services, "timescale")
    yield institutional(services, dsn, **{"stream.max_payload_bytes": 4096})
    await drop_database(services, dsn)


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
    """A backbone at work: one writes, one subscribes, and fetches on each update what it tells of."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self.results: list[RecordResult] = []
        self.seen: list[Seen] = []
        self.fetched = 0
        self.said: defaultdict[str, set[str]] = defaultdict(set)
        self.stop, self.written = anyio.Event(), anyio.Event()

    async def write(self) -> None:
        while not self.stop.is_set():
            self.results.append(await self._backbone.record(frame(len(self.results))))
            await anyio.sleep(PACE_SECONDS)
        self.written.set()

    async def read(self, opened: anyio.Event) -> None:
        async with self._backbone.subscribe(QUOTES, start="earliest") as updates:
            opened.set()
            async for update in updates:
                self.seen.append(Seen(update.event_id, update.position, update.symbol, update.frame.num_rows))
                if len(self.seen) % 10 == 0:
                    await self._fetch(update.symbol, update.frame.to_arrow().column("bid")[-1].as_py())

    async def _fetch(self, symbol: str, newest: float) -> None:
        window = await self._backbone.fetch(QUOTES, symbols=[symbol], limit=200)
        assert window.stale or window.to_arrow().column("bid")[-1].as_py() >= newest, "a fetch served rows of before"
        self.fetched += 1

    async def watch(self, actor: str) -> None:
        while not self.stop.is_set():
            told = health(self._backbone, actor)
            self.said[told.level].add(told.why or "")
            await anyio.sleep(PACE_SECONDS)


async def becomes(backbone: Backbone, actor: str, level: str) -> float:
    """Seconds until an actor says so."""
    began = time.monotonic()
    with anyio.fail_after(30):
        while health(backbone, actor).level != level:  # noqa: ASYNC110 - the roster is looked at, as people do
            await anyio.sleep(PACE_SECONDS)
    return time.monotonic() - began


@pytest.mark.parametrize("harm", [killed, frozen, emptied], ids=lambda each: each.__name__)
@pytest.mark.parametrize("server", ["redis", "kafka"])
async def test_an_outage_loses_nothing_doubles_nothing_and_ends_soon(
    services: native.Services, settings: Settings, server: str, harm: Harm
) -> None:
    actor = ACTORS[server]
    async with Backbone.open(settings) as backbone:
        course, opened = Course(backbone), anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(course.read, opened)
            await opened.wait()
            group.start_soon(course.write)
            group.start_soon(course.watch, actor)
            await anyio.sleep(QUIET_SECONDS)
            await harm(services, server)
            back = await becomes(backbone, actor, "ok")
            await anyio.sleep(QUIET_SECONDS)
            course.stop.set()
            await course.written.wait()
            await _caught_up(backbone, course)
            group.cancel_scope.cancel()
        fetched = await backbone.fetch(QUOTES)
    say(
        f"{server} {harm.__name__}: {len(course.results)} calls of record, {len(course.seen)} updates, "
        f"{course.fetched} fetches on one; ok {back:.2f} s after its return"
    )
    for level, reasons in course.said.items():
        say(f"  {actor} {level}: {'; '.join(sorted(reasons))}")
    assert back < BACK_SECONDS
    assert set(course.said) - {"ok"}, "the outage was not told"
    await _agrees(settings, course, hash_of(fetched))


async def _caught_up(backbone: Backbone, course: Course) -> None:
    newest = max(each.position for each in course.results)
    with anyio.fail_after(60):
        while max((each.position for each in course.seen), default=0) < newest:  # noqa: ASYNC110
            await anyio.sleep(PACE_SECONDS)
        rows = sum(each.inserted + each.changed for each in course.results)
        while sum(each.rows for each in course.seen) < rows:  # noqa: ASYNC110 - other partitions may be behind
            await anyio.sleep(PACE_SECONDS)
        while (await backbone.outbox()).pending:  # noqa: ASYNC110
            await anyio.sleep(PACE_SECONDS)


async def _agrees(settings: Settings, course: Course, fetched: str) -> None:
    """What the subscriber was given is the outbox, once and in order for each symbol; what was fetched is the table."""
    url = settings.store.dsn()
    assert url is not None
    store = store_of(url.reveal(), "judge")
    await store.open()
    try:
        outbox = [Seen(row.event_id, row.position, row.symbol, row.rows) for row in await everything_published(store)]
        table = (await store.read(Query(QUOTES))).frame
    finally:
        await store.close()
    for symbol in {row.symbol for row in outbox}:
        given = [each for each in course.seen if each.symbol == symbol]
        assert all(earlier.position < later.position for earlier, later in pairwise(given))
        assert given == [row for row in outbox if row.symbol == symbol]
    assert fetched == hash_of(table)
