"""Reads from exports on the real server: whatever happens, they give what the store alone gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backbone import Backbone, load_settings
from backbone.store.timescale import since as asked
from tests.backbone.history.play import Differs, Play
from tests.backbone.history.virtual.test_property import ignoring_the_ledger, short_of_the_edge
from tests.services.stores import empty

ACTS = 25


def play_of(seed: int, dsn: str, root: Path) -> Play:
    overrides = {
        "store.backend": "timescale",
        "export.path": str(root),
        "export.reads": True,
        "export.mapped": seed % 2 == 0,
        "cache.backend": "off",
        "control.enabled": False,
        "quality.session": "24x7",
    }
    settings = load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=overrides)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Backbone]:
        async with Backbone.open(settings) as backbone:
            yield backbone

    return Play(seed, opened, root)


@pytest.mark.parametrize("seed", range(3))
async def test_a_window_is_what_the_store_holds(seed: int, dsn: str, tmp_path: Path) -> None:
    await empty(dsn)
    play = play_of(seed, dsn, tmp_path)
    await play.run(ACTS)
    assert play.history_rows


@pytest.mark.parametrize("bug", [ignoring_the_ledger, short_of_the_edge])
async def test_a_bug_is_found(bug: object, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "stretches_of", bug)

    async def played() -> None:
        for seed in range(10):
            await empty(dsn)
            await play_of(seed, dsn, tmp_path / str(seed)).run(ACTS)

    with pytest.raises(Differs):
        await played()
