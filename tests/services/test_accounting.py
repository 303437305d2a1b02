"""No row goes without a word on TimescaleDB and plain PostgreSQL either, and the order of a file means the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone import Backbone, Dimension, Frame, IngestPlan
from backbone.settings import Settings, load_settings
from backbone.sources.errors import SourceError
from tests.backbone.ingest.field import ingests
from tests.backbone.ingest.tables import accounted
from tests.backbone.ingest.test_accounting import BLANK, CLEAR, KINDS, on_the_page, plan, written
from tests.backbone.ingest.test_order import Trade, csv_of, stored
from tests.services.stores import empty

TRADES: list[list[Trade]] = [
    [(2, "A", 1.0, None), (1, "A", 3.0, None), (1, "A", 2.0, None), (1, "A", 3.0, None), (0, "A", 1.0, None)],
    [(0, "A", 1.0, None), (2, "B", 1.0, None), (0, "A", 1.0, None), (2, "B", 2.0, None), (0, "A", 2.0, None)],
    [(0, "A", 1.0, 7), (0, "A", -1.0, 7), (1, "A", 2.0, 8), (0, "A", 4.0, 7), (1, "B", 2.0, 8)],
]
"""Newest first; in order of receipt; of one key."""


def settings(dsn: str, **more: object) -> Settings:
    store = {"store.backend": "timescale", "store.statement_timeout": 20.0, "store.pool_size": 2}
    overrides = {**store, "control.enabled": False, **more}
    return load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)


async def test_each_kind_of_row_has_its_reason(dsn: str, tmp_path: Path) -> None:
    path = written(tmp_path / "trades.csv", [*KINDS, *BLANK, *KINDS])
    async with Backbone.open(settings(dsn)) as backbone:
        first = await backbone.ingest(plan(path, 7))
        again = await backbone.ingest(plan(path, 7))
    for run in (first, again):
        accounted(run)
        on_the_page(run)
        assert run.rows_read == len(CLEAR) + 2 * len(KINDS)
    assert again.inserted == 0


@pytest.mark.parametrize("trades", TRADES, ids=["newest first", "as received", "one key"])
async def test_where_chunks_end_does_not_matter(dsn: str, tmp_path: Path, trades: list[Trade]) -> None:
    path = csv_of(tmp_path / "trades.csv", trades)
    (right,) = await stored(path, [len(trades)])
    for rows in (1, 2, len(trades)):
        await empty(dsn)
        async with Backbone.open(settings(dsn)) as backbone:
            accounted(await backbone.ingest(IngestPlan(dimensions=[Dimension.TRADES], path=path, chunk_rows=rows)))
            table: Frame = await backbone.fetch(Dimension.TRADES)
        assert table.fingerprint == right.fingerprint


@pytest.mark.skipif(not ingests(), reason="needs the files beside the project")
async def test_the_counts_of_files_that_people_have_add_up(dsn: str) -> None:
    by_settings: dict[tuple[str, ...], list[IngestPlan]] = {}
    for given in ingests():
        by_settings.setdefault(given.set, []).append(given.plan())
    runs = 0
    for chosen, plans in by_settings.items():
        async with Backbone.open(settings(dsn, **dict(each.split("=", 1) for each in chosen))) as backbone:
            for each in plans:
                try:
                    run = await backbone.ingest(each)
                except SourceError:
                    continue
                accounted(run)
                on_the_page(run)
                runs += 1
    assert runs
