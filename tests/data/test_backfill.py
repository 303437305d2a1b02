"""Days of real prices that were lost come back by a backfill that is killed twice: each table has its hash again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backbone import Backbone, Dimension
from tests.data.test_same_content import FILES, FOLDER, plan
from tests.faults.backfilling import Killed, filled, kept, lose, settings_of, symbol_days

BARS, TRADES = Dimension.INTRADAY_BARS, Dimension.TRADES
LOST = {BARS: 30, TRADES: 5}
WINDOWS = {
    BARS: {"start": datetime(2007, 1, 1, tzinfo=UTC), "end": datetime(2019, 1, 1, tzinfo=UTC)},
    TRADES: {"start": datetime(2013, 10, 7, tzinfo=UTC), "end": datetime(2013, 10, 12, tzinfo=UTC)},
}
pytestmark = pytest.mark.skipif(FOLDER is None, reason="needs the real prices beside the project")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_days_that_were_lost_come_back(seed: int, tmp_path: Path) -> None:
    assert FOLDER is not None
    path, chance = tmp_path / "store.duckdb", random.Random(seed)
    async with Backbone.open(settings_of(path)) as backbone:
        for dimension in LOST:
            await backbone.ingest(plan(dimension, FOLDER / FILES[dimension][0], source="parquet"))
        had = {each: await backbone.fetch(each) for each in LOST}
    folder = kept(tmp_path, list(had.values()))
    for dimension, number in LOST.items():
        assert lose(path, dimension, chance.sample(symbol_days(had[dimension]), number)) > number
    async with Backbone.open(settings_of(path)) as backbone:
        for dimension, frame in had.items():
            assert (await backbone.fetch(dimension)).fingerprint != frame.fingerprint
    filled(path, folder, WINDOWS, Killed(BARS, 12))
    filled(path, folder, WINDOWS, Killed(TRADES, 3))  # within a day of trades
    filled(path, folder, WINDOWS)
    async with Backbone.open(settings_of(path)) as backbone:
        for dimension, frame in had.items():
            assert (await backbone.fetch(dimension)).fingerprint == frame.fingerprint
