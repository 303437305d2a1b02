"""A part that falls is restarted alone, ever later, and for as long as the backbone is open; on the virtual clock."""

import anyio
import pytest

from actors import ActorRestarting
from actors.testing import TestSystem
from backbone import StoreUnavailable
from backbone.testing import Faults, embedded
from tests.backbone.facade.kit import BARS, bars

PARTS = ("store", "cache", "stream/relay", "ingest", "retention")


async def test_a_part_that_keeps_falling_is_tried_ever_later_and_ends_nobody() -> None:
    faults = Faults()
    async with TestSystem(seed=1) as system, embedded(faults=faults, system=system) as backbone:
        await backbone.record(bars())
        faults.crash_store(30)
        with pytest.raises(StoreUnavailable, match="being restarted"):
            await backbone.outbox()
        entry = backbone.roster().find("/test/backbone/store")
        assert entry is not None
        assert entry.state == "backoff"
        await anyio.sleep(3600)
        assert (await backbone.fetch(BARS)).num_rows == 3
        delays = [event.delay for event in system.recorded(ActorRestarting) if event.path.endswith("/store")]
        assert 25 <= len(delays) <= 30  # two requests that meet it at once are one fall
        assert 0.1 <= delays[0] <= 0.12
        assert all(30 <= delay <= 36 for delay in delays[10:])
        others = {name: backbone.roster().find(f"/test/backbone/{name}") for name in PARTS[1:]}
        assert {name: entry.incarnation for name, entry in others.items() if entry} == dict.fromkeys(PARTS[1:], 1)


async def test_what_the_cache_has_is_served_while_the_store_is_restarted_and_says_stale() -> None:
    faults = Faults()
    async with TestSystem() as system, embedded(faults=faults, system=system) as backbone:
        await backbone.record(bars())
        await backbone.fetch(BARS)
        faults.crash_store(30)
        with pytest.raises(StoreUnavailable):
            await backbone.outbox()
        frame = await backbone.fetch(BARS)
        assert (frame.num_rows, frame.stale) == (3, True)


async def test_a_store_that_is_down_when_its_actor_is_restarted_is_looked_for_every_two_seconds() -> None:
    faults = Faults()
    async with TestSystem() as system, embedded(faults=faults, system=system) as backbone:
        await backbone.record(bars())
        faults.crash_store()
        faults.store_down()
        await anyio.sleep(600)
        entry = backbone.roster().find("/test/backbone/store")
        assert entry is not None
        assert (entry.state, entry.health.level, entry.incarnation) == ("running", "failed", 2)
        faults.store_up()
        await anyio.sleep(2.5)
        assert not (await backbone.fetch(BARS)).stale


async def test_a_part_that_ran_well_for_a_while_is_restarted_at_once_again() -> None:
    faults = Faults()
    async with TestSystem(seed=1) as system, embedded(faults=faults, system=system) as backbone:
        for _ in range(5):
            faults.crash_store()
            await backbone.outbox()
            await anyio.sleep(6)
        delays = [event.delay for event in system.recorded(ActorRestarting) if event.path.endswith("/store")]
        assert len(delays) == 5
        assert max(delays) <= 0.12
