"""Windows that are had without a message: what the actor would say at the same moment, and nothing once it is gone."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actors import ChildSpec
from actors.testing import TestSystem
from backbone import BackboneClosed, StoreUnavailable
from backbone.cache.actor import CacheActor
from backbone.cache.at_hand import AtHand
from backbone.cache.memory import MemoryCache
from backbone.cache.messages import Fetch, Invalidate
from backbone.cache.policy import Policy
from backbone.calls import Calls
from backbone.testing import Faults, embedded
from tests.backbone.cache.kit import BASE, QUERY, Desk, StoreDouble
from tests.backbone.facade.kit import BARS, bars


async def test_a_window_is_at_hand_from_when_it_is_kept_until_it_is_invalidated_or_the_actor_falls() -> None:
    at_hand, desk = AtHand(), Desk()
    async with TestSystem() as system, anyio.create_task_group() as group:
        await system.start_child(ChildSpec("store", StoreDouble, args=(desk,)))
        args, kwargs = (lambda: MemoryCache(Policy()), Calls(system, BASE)), {"inline": True, "at_hand": at_hand}
        assert await at_hand.window(QUERY, 0) is None
        cache = await system.start_child(ChildSpec("cache", CacheActor, args=args, kwargs=kwargs))
        assert await at_hand.window(QUERY, 0) is None
        group.start_soon(cache.ask, Fetch(QUERY), 5.0)
        (await desk.next()).answer(5)
        await anyio.sleep(0.001)
        found = await at_hand.window(QUERY, 5)
        assert found is not None
        assert (found.hit, found.position) == (True, 5)
        assert await at_hand.window(QUERY, 6) is None
        await cache.ask(Invalidate({BARS: {"EURUSD": 6}}), 5.0)
        assert await at_hand.window(QUERY, 0) is None
        group.start_soon(cache.ask, Fetch(QUERY), 5.0)
        (await desk.next()).answer(7)
        await anyio.sleep(0.001)
        assert await at_hand.window(QUERY, 0) is not None
        await cache.kill()
        assert await at_hand.window(QUERY, 0) is None
        await anyio.sleep(60)
        assert cache.incarnation == 2
        assert await at_hand.window(QUERY, 0) is None


async def test_who_fetches_cached_windows_without_a_pause_lets_others_work() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    async with embedded() as backbone, anyio.create_task_group() as group:
        await backbone.record(bars(3))
        await backbone.fetch(BARS)
        group.start_soon(others)
        for _ in range(200):
            await backbone.fetch(BARS)
        group.cancel_scope.cancel()
    assert turns > 5


async def test_a_cached_window_is_stale_once_the_store_is_known_to_be_down_and_gone_once_all_is_closed() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(bars(3))
        assert not (await backbone.fetch(BARS)).stale
        faults.store_down()
        with pytest.raises(StoreUnavailable):
            await backbone.symbols(BARS)
        assert (await backbone.fetch(BARS)).stale
    with pytest.raises(BackboneClosed):
        await backbone.fetch(BARS)
