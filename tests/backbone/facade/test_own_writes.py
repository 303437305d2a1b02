"""Who has written reads what they wrote: by the position that they ask for, and by the relay that invalidates.

The two cover each other, so each is tested with the other one switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from backbone import Backbone, Dimension
from backbone.cache.memory import MemoryCache
from backbone.facade.reading import Reader
from backbone.testing import Faults, embedded
from tests.backbone.facade.kit import BARS, START, bars, plan
from tests.backbone.facade.test_cycle import drained

HOUR = timedelta(hours=1)


@pytest.fixture
def no_invalidation(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(self: MemoryCache, dimension: Dimension, positions: Mapping[str, int]) -> None:
        """Hears of no change."""

    monkeypatch.setattr(MemoryCache, "invalidate", deaf)


@pytest.fixture
def no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "saw", lambda *_: None)


async def rows_of(backbone: Backbone) -> int:
    return (await backbone.fetch(BARS, symbols=["EURUSD"])).num_rows


@pytest.mark.usefixtures("no_invalidation")
async def test_what_was_recorded_is_read_without_any_invalidation() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1))
        assert await rows_of(backbone) == 1
        await backbone.record(bars(1, start=START + HOUR))
        assert await rows_of(backbone) == 2


@pytest.mark.usefixtures("no_invalidation")
async def test_what_was_ingested_is_read_without_any_invalidation() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1, start=START - 10_000 * HOUR))
        assert await rows_of(backbone) == 1
        run = await backbone.ingest(plan())
        assert await rows_of(backbone) == 1 + run.inserted


@pytest.mark.usefixtures("no_invalidation")
async def test_what_was_recorded_by_an_actor_that_fell_before_it_could_answer_is_read() -> None:
    faults = Faults()
    async with embedded(faults=faults) as backbone:
        await backbone.record(bars(1))
        assert await rows_of(backbone) == 1
        faults.crash_ingest(after_write=2)
        result = await backbone.record(bars(1, start=START + HOUR))
        assert (result.unchanged, result.position) == (1, (await backbone.outbox()).newest)
        assert await rows_of(backbone) == 2


@pytest.mark.usefixtures("no_invalidation")
async def test_rows_that_were_there_already_make_nobody_forget_what_was_written_before() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1))
        assert await rows_of(backbone) == 1
        await backbone.record(bars(1, start=START + HOUR))
        assert (await backbone.record(bars(2))).position == 0
        assert await rows_of(backbone) == 2


@pytest.mark.usefixtures("no_position")
async def test_what_was_published_is_read_by_those_who_do_not_know_its_position() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(1))
        await drained(backbone)
        assert await rows_of(backbone) == 1
        await backbone.record(bars(1, start=START + HOUR))
        await drained(backbone)
        assert await rows_of(backbone) == 2


@pytest.mark.usefixtures("no_position")
async def test_who_reads_on_an_update_never_reads_what_was_before_it() -> None:
    async with embedded() as backbone, backbone.subscribe(BARS, symbols=["EURUSD"]) as updates:
        for hour in range(5):
            await backbone.record(bars(1, start=START + hour * HOUR))
            await anext(updates)
            assert await rows_of(backbone) == hour + 1
