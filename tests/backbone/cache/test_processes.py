"""Several processes over one cache, in any order of events: one load at a time, and never older than what is known."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from actors import Actor, ActorRef, ChildSpec, handles
from actors.testing import TestSystem
from backbone.cache.actor import CacheActor
from backbone.cache.messages import Fetch, Invalidate
from backbone.calls import Calls
from backbone.domain import Frame
from backbone.store.messages import ReadRows
from backbone.store.records import Query, ReadResult
from tests.backbone.cache.kit import SharedCache
from tests.backbone.facade.kit import BARS, bars

PROCESSES, READERS, ROUNDS = 3, 12, 25
SYMBOLS = ("A", "B", "C")
QUERIES = [Query(BARS, ("A",)), Query(BARS, ("B",)), Query(BARS, ("A", "B")), Query(BARS)]
FRAME: Frame = bars(1)


class World:
    """What was committed, and up to where every process was told of it."""

    def __init__(self, seed: int, emptied: float) -> None:
        self.emptied = emptied
        self.chance = random.Random(seed)
        self.cache = SharedCache()
        self.committed = dict.fromkeys(SYMBOLS, 0)
        self.told = dict.fromkeys(SYMBOLS, 0)
        self.position = 0
        self.reads = self.fetches = 0

    def newest(self, query: Query, of: dict[str, int]) -> int:
        return max(of[symbol] for symbol in query.symbols or SYMBOLS)

    async def pause(self) -> None:
        await anyio.sleep(self.chance.choice([0.0, 0.001, 0.01, 0.1]))  # virtual


class Store(Actor):
    """Reads what is committed at some moment between question and answer."""

    def __init__(self, world: World) -> None:
        self._world = world

    @handles
    def read(self, message: ReadRows) -> None:
        self.context.run_task(self._read(message.query), reply=self.context.defer_reply())

    async def _read(self, query: Query) -> ReadResult:
        world = self._world
        world.reads += 1
        await world.pause()
        position = world.newest(query, world.committed)
        await world.pause()
        return ReadResult(FRAME, position)


async def commit(world: World, relay: ActorRef) -> None:
    """One relay tells the cache that all processes share."""
    for _ in range(4 * ROUNDS):
        await world.pause()
        symbol = world.chance.choice(SYMBOLS)
        world.position += 1
        world.committed[symbol] = position = world.position
        await world.pause()
        await relay.ask(Invalidate({BARS: {symbol: position}}), 5.0)
        world.told[symbol] = position
        if world.chance.random() < world.emptied:
            await world.cache.server.clear()  # the server was emptied


async def fetch(world: World, process: ActorRef) -> None:
    for _ in range(ROUNDS):
        await world.pause()
        query = world.chance.choice(QUERIES)
        at_least = world.newest(query, world.committed) if world.chance.random() < 0.3 else 0
        known = max(at_least, world.newest(query, world.told))
        fetched = await process.ask(Fetch(query, at_least), 30.0)
        assert fetched.position >= known, (query, at_least, known)
        world.fetches += 1


@asynccontextmanager
async def processes(world: World) -> AsyncIterator[list[ActorRef]]:
    """Cache actors that share nothing but the cache."""
    async with TestSystem() as system:
        await system.start_child(ChildSpec("store", Store, args=(world,)))
        args = (lambda: world.cache, Calls(system, "/test"))
        specs = [ChildSpec(f"cache-{n}", CacheActor, args=args, kwargs={"inline": True}) for n in range(PROCESSES)]
        yield [await system.start_child(spec) for spec in specs]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("emptied", [0.0, 0.1])
async def test_no_process_serves_what_is_older_than_asked_for_or_than_what_was_told(seed: int, emptied: float) -> None:
    world = World(seed, emptied)
    async with processes(world) as actors, anyio.create_task_group() as group:
        group.start_soon(commit, world, actors[0])
        for number in range(READERS):
            group.start_soon(fetch, world, actors[number % PROCESSES])
    assert world.fetches == READERS * ROUNDS
    assert world.reads < world.fetches


async def test_however_many_processes_ask_for_a_window_the_store_is_read_once() -> None:
    world = World(seed=1, emptied=0.0)
    async with processes(world) as actors, anyio.create_task_group() as group:
        for number in range(READERS):
            group.start_soon(actors[number % PROCESSES].ask, Fetch(QUERIES[0]), 30.0)
    assert world.reads == 1
