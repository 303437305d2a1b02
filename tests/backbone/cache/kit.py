"""The cache's actor by itself: beside it a store that answers when the test says so, and a cache that can be down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

from actors import Actor, ActorRef, ChildSpec, Message, Reject, Reply, handles
from actors.roster import Health
from actors.testing import TestSystem
from backbone import Dimension, Frame
from backbone.cache.actor import CacheActor
from backbone.cache.errors import CacheUnavailable
from backbone.cache.key import CacheKey
from backbone.cache.memory import MemoryCache
from backbone.cache.messages import Fetch, Fetched, Invalidate
from backbone.cache.policy import Policy
from backbone.cache.port import CacheEntry, CacheMetrics, Lookup, Miss
from backbone.calls import Calls
from backbone.domain import encode
from backbone.domain.observing import Observe
from backbone.domain.probe import ProbeAnswer
from backbone.store.messages import ReadRows
from backbone.store.records import Query, ReadResult
from tests.backbone.answers import Answer
from tests.backbone.facade.kit import BARS, bars

BASE = "/test"
QUERY = Query(BARS, ("EURUSD",), "1h")
KEY = CacheKey.of(BARS, ("EURUSD",), interval="1h")


def query_of(symbol: str) -> Query:
    return Query(BARS, (symbol,), "1h")


class Read:
    """One question to the store, until it is answered."""

    def __init__(self, query: Query, reply: Reply[Any]) -> None:
        self.query = query
        self._reply = reply

    def answer(self, position: int, *, rows: int | None = None, complete: int | None = None) -> None:
        """By as many rows as the position says, where no number is given."""
        symbols = self.query.symbols or ("EURUSD",)
        self._reply(ReadResult(bars(position if rows is None else rows, symbol=symbols[0]), position, complete))

    def answer_by(self, frame: Frame, position: int) -> None:
        self._reply(ReadResult(frame, position))

    def refuse(self, code: str = "unavailable") -> None:
        self._reply.fail(Reject(code, "the store says no"))


class Report(Message, frozen=True):
    level: Any


class Desk:
    """Where questions to the store lie until the test answers them."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self._taken = 0
        self._came = anyio.Event()

    def lay(self, read: Read) -> None:
        self.reads.append(read)
        self._came.set()
        self._came = anyio.Event()

    async def next(self) -> Read:
        """The next question, in the order in which they came."""
        with anyio.fail_after(10):
            while len(self.reads) == self._taken:
                await self._came.wait()
        self._taken += 1
        return self.reads[self._taken - 1]


class StoreDouble(Actor):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @handles
    def read(self, message: ReadRows) -> None:
        self._desk.lay(Read(message.query, self.context.defer_reply()))

    @handles
    def report(self, message: Report) -> None:
        self.context.report_health(message.level, "the test says so")


class SharedCache:
    """A cache on a server: it outlives the actor, is used by other processes, and can't always be reached."""

    near = False

    def __init__(self) -> None:
        self.server = MemoryCache(Policy(ttl_s=None), clock=anyio.current_time, seed=1)
        self.down: str | None = None
        self.bug: Exception | None = None

    def reach(self) -> None:
        if self.bug is not None:
            bug, self.bug = self.bug, None
            raise bug
        if self.down is not None:
            raise CacheUnavailable(self.down)

    async def open(self) -> None:
        self.reach()
        await self.server.open()

    async def close(self) -> None:
        """The connection, not the server."""

    async def probe(self) -> ProbeAnswer:
        self.reach()
        return await self.server.probe()

    def glance(self, key: CacheKey, at_least: int = 0) -> CacheEntry | None:
        """A server is never at hand."""
        return None

    async def get(self, key: CacheKey, *, at_least: int = 0) -> Lookup:
        self.reach()
        return await self.server.get(key, at_least=at_least)

    async def peek(self, key: CacheKey) -> CacheEntry | None:
        self.reach()
        return await self.server.peek(key)

    async def put(self, key: CacheKey, entry: CacheEntry, lease: str) -> bool:
        self.reach()
        return await self.server.put(key, entry, lease)

    async def release(self, key: CacheKey, lease: str) -> None:
        self.reach()
        await self.server.release(key, lease)

    async def invalidate(self, dimension: Dimension, positions: Mapping[str, int]) -> None:
        self.reach()
        await self.server.invalidate(dimension, positions)

    async def metrics(self, *, reset: bool = False) -> CacheMetrics:
        self.reach()
        return await self.server.metrics(reset=reset)

    async def clear(self) -> None:
        self.reach()
        await self.server.clear()

    async def lease(self, key: CacheKey = KEY) -> str:
        """Another process begins to load."""
        found = await self.server.get(key)
        assert isinstance(found, Miss), found
        return found.lease

    async def load(
        self, position: int, lease: str | None = None, payload: bytes | None = None, checksum: int | None = None
    ) -> bool:
        """Another process has loaded."""
        rows = encode(bars(position)) if payload is None else payload
        return await self.server.put(KEY, CacheEntry(rows, position, checksum), lease or await self.lease())


class Caching:
    """The actor under test and its surroundings."""

    def __init__(self, system: TestSystem, desk: Desk, cache: SharedCache, group: TaskGroup) -> None:
        self.system = system
        self.desk = desk
        self.cache = cache
        self._group = group

    @property
    def ref(self) -> ActorRef:
        return self.system.find(f"{BASE}/cache")

    async def cache_up(self) -> None:
        """And let the actor find out by itself."""
        self.cache.down = None
        await anyio.sleep(2.5)  # virtual

    @property
    def health(self) -> Health:
        return self.ref.health

    async def ask(self, at_least: int = 0, query: Query = QUERY) -> Answer[Fetched]:
        """Ask, and go on once the actor has dealt with the question or holds it back."""
        answer: Answer[Fetched] = Answer()
        self._group.start_soon(answer.ask, self.ref, Fetch(query, at_least))
        await settled()
        return answer

    async def loaded(self, position: int) -> None:
        """Have a window cached."""
        answer = await self.ask()
        (await self.desk.next()).answer(position)
        assert not (await answer.get()).hit

    async def invalidate(self, position: int, symbol: str = "EURUSD") -> None:
        await self.ref.ask(Invalidate({BARS: {symbol: position}}), 1.0)

    async def store_is(self, level: str) -> None:
        await self.system.find(f"{BASE}/store").tell(Report(level))
        await settled()


async def settled() -> None:
    """Let everybody do what they can: virtual time moves only when nobody can do any more."""
    await anyio.sleep(0.001)


@asynccontextmanager
async def caching(
    cache: SharedCache | None = None, *, observe: Observe | None = None, make: Callable[[], Any] | None = None
) -> AsyncIterator[Caching]:
    """The cache's actor in a system of its own."""
    shared, desk = cache or SharedCache(), Desk()
    async with TestSystem() as system, anyio.create_task_group() as group:
        await system.start_child(ChildSpec("store", StoreDouble, args=(desk,)))
        args = (make or (lambda: shared), Calls(system, BASE))
        await system.start_child(ChildSpec("cache", CacheActor, args=args, kwargs={"inline": True, "observe": observe}))
        yield Caching(system, desk, shared, group)
