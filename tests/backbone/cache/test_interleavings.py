"""Write, invalidate, miss and fill in any order: what is served is never older than what was promised.

Two processes share a Redis (a double of it) and keep the hottest windows themselves. One of them relays. Each round is
a window of its own, with a few writes, some drops, a server that is emptied, or restarted without its newest second,
and readers in both processes. It is the rows that are looked at, not the position that is said of them.
`make test-seeds` plays 10,000 rounds.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import NamedTuple

import anyio
import pytest

from actors import Actor, ActorRef, ChildSpec, handles
from actors.testing import TestSystem
from backbone.cache.actor import CacheActor
from backbone.cache.at_hand import AtHand
from backbone.cache.messages import Fetch, ForgetWindows, Invalidate
from backbone.cache.policy import Policy
from backbone.calls import Calls
from backbone.domain import Frame
from backbone.store.messages import ReadRows
from backbone.store.records import Query, ReadResult
from tests.backbone.cache.kit import query_of
from tests.backbone.cache.redis_double import Keys, RedisDouble, cache_on
from tests.backbone.facade.kit import BARS, bars
from tests.campaigns import so_many

ROUNDS = 500
SEEDS = so_many(20, part=2)
NEAR_FOR = 0.25
MOST_WRITES = 4


class State(NamedTuple):
    """What a store holds of a window: how often it was written, and how often rows of it were dropped."""

    writes: int = 0
    drops: int = 0


@cache
def rows(state: State) -> Frame:
    return bars(1, close=1.0 + state.writes + 10 * state.drops)


def seen(frame: Frame) -> State:
    drops, writes = divmod(round(frame.to_arrow().column("close")[0].as_py() - 1.0), 10)
    return State(writes, drops)


class Window:
    """One round: what was committed, and who was told of it when."""

    def __init__(self, number: int, before: int) -> None:
        self.query = query_of(f"S{number}")
        self.symbol = self.query.symbols[0]
        self.positions = [before]
        self.now = State()
        self.told = [(float("-inf"), State())]

    def tell(self, state: State) -> None:
        """From now on the process that relays serves no less, and the other one soon."""
        known = self.told[-1][1]
        self.told.append((anyio.current_time(), State(max(known.writes, state.writes), max(known.drops, state.drops))))

    def known(self, at: float) -> State:
        return [state for when, state in self.told if when <= at][-1]


class World:
    """What all processes share."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.redis = RedisDouble(anyio.current_time)
        self.on_disk: Keys = self.redis.saved()
        self.windows: dict[str, Window] = {}
        self.position = 0
        self.hits = self.fetches = self.at_once = 0
        self.at_hand: dict[ActorRef, AtHand] = {}

    def window(self) -> Window:
        made = Window(len(self.windows), self.position)
        self.windows[made.symbol] = made
        return made

    async def pause(self) -> None:
        await anyio.sleep(self.chance.choice([0.0, 0.0, 0.001, 0.01, 0.1]))  # virtual


class Store(Actor):
    """Reads what is committed at some moment between question and answer."""

    def __init__(self, world: World) -> None:
        self._world = world

    @handles
    def read(self, message: ReadRows) -> None:
        self.context.run_task(self._read(message.query), reply=self.context.defer_reply())

    async def _read(self, query: Query) -> ReadResult:
        await self._world.pause()
        window = self._world.windows[query.symbols[0]]
        found, position = window.now, window.positions[window.now.writes]
        await self._world.pause()
        return ReadResult(rows(found), position)


async def write(world: World, window: Window, relay: ActorRef, both: list[ActorRef]) -> None:
    """Commit, invalidate, publish: who ingested and who was told read on it at once."""
    for _ in range(world.chance.randint(1, MOST_WRITES)):
        await world.pause()
        world.position += 1
        window.positions.append(world.position)
        window.now = committed = State(window.now.writes + 1, window.now.drops)
        if world.chance.random() < 0.5:
            await fetch(world, window, world.chance.choice(both), relay, at_least=committed.writes)  # as it ingested
        await world.pause()
        await relay.ask(Invalidate({BARS: {window.symbol: window.positions[committed.writes]}}), 5.0)
        window.tell(committed)
        await fetch(world, window, world.chance.choice(both), relay, at_least=committed.writes)  # on the update


async def drop(world: World, window: Window, relay: ActorRef) -> None:
    if world.chance.random() < 0.3:
        await world.pause()
        window.now = dropped = State(window.now.writes, window.now.drops + 1)
        await world.pause()
        await relay.ask(ForgetWindows(), 5.0)
        window.tell(State(0, dropped.drops))


async def harm(world: World) -> None:
    await world.pause()
    what = world.chance.choice(["emptied", "restarted", "", ""])
    if what == "emptied":
        world.redis.flush()
    elif what == "restarted":
        world.redis.restart(world.on_disk)


async def read(world: World, window: Window, process: ActorRef, relay: ActorRef) -> None:
    for _ in range(4):
        await world.pause()
        await fetch(world, window, process, relay)


async def fetch(world: World, window: Window, process: ActorRef, relay: ActorRef, at_least: int = 0) -> None:
    known = window.known(anyio.current_time() - (0 if process is relay else NEAR_FOR))
    wanted = window.positions[at_least]
    fetched = await world.at_hand[process].window(window.query, wanted) if world.chance.random() < 0.5 else None
    world.at_once += fetched is not None
    if fetched is None:
        fetched = await process.ask(Fetch(window.query, wanted), 30.0)
    found = seen(fetched.frame)
    assert found.writes >= max(at_least, known.writes), (window.symbol, found, known, at_least)
    assert found.drops >= known.drops, (window.symbol, found, known)
    world.fetches += 1
    world.hits += fetched.hit


@asynccontextmanager
async def processes(world: World) -> AsyncIterator[list[ActorRef]]:
    """Cache actors that share nothing but the server."""

    def make() -> object:
        policy = Policy(capacity=8)
        return cache_on(world.redis, anyio.current_time, pause=world.pause, near_for=NEAR_FOR, policy=policy)

    async with TestSystem() as system:
        await system.start_child(ChildSpec("store", Store, args=(world,)))
        args = (make, Calls(system, "/test"))
        for n in range(2):
            at_hand = AtHand()
            spec = ChildSpec(f"cache-{n}", CacheActor, args=args, kwargs={"inline": True, "at_hand": at_hand})
            world.at_hand[await system.start_child(spec)] = at_hand
        yield [*world.at_hand]


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_what_is_served_is_never_older_than_what_was_promised(seed: int) -> None:
    world = World(seed)
    async with processes(world) as both:
        relay = both[0]
        for _ in range(ROUNDS):
            window = world.window()
            world.on_disk = world.redis.saved() if world.chance.random() < 0.3 else world.on_disk
            async with anyio.create_task_group() as group:
                group.start_soon(write, world, window, relay, both)
                group.start_soon(drop, world, window, relay)
                group.start_soon(harm, world)
                for process in both:
                    group.start_soon(read, world, window, process, relay)
    assert world.fetches > world.hits > world.fetches / 10
    assert world.at_once > world.hits / 10
    assert {"get", "put", "invalidate", "clear"} <= set(world.redis.asked)
