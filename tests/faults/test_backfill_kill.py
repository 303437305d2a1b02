"""A backfill that is killed on the way goes on, and ends in the table that there was."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from backbone import Backbone
from tests.backbone.facade.kit import BARS, plan
from tests.faults.backfilling import Killed, filled, kept, lose, settings_of, symbol_days

SEED = 2026


@pytest.mark.slow
async def test_days_that_were_lost_come_back_though_the_backfill_is_killed_twice(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    async with Backbone.open(settings_of(path)) as backbone:
        await backbone.ingest(plan())
        had = await backbone.fetch(BARS)
    assert had.start is not None
    wanted = {BARS: {"start": had.start, "end": had.end}}
    folder = kept(tmp_path, [had])
    lost = random.Random(SEED).sample(symbol_days(had), 30)
    assert lose(path, BARS, lost) > 300
    for chunk in (7, 11):
        filled(path, folder, wanted, Killed(BARS, chunk))
    filled(path, folder, wanted)
    async with Backbone.open(settings_of(path)) as backbone:
        assert (await backbone.fetch(BARS)).fingerprint == had.fingerprint
