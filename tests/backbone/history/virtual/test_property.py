"""Whatever happens, reads that use exports give what the store alone gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backbone import Backbone
from backbone.store import since as judged
from backbone.store.since import Changes, Since, Stretch
from backbone.testing import embedded
from tests.backbone.history.play import Differs, Play

ACTS = 40


def play_of(seed: int, folder: Path) -> Play:
    folder.mkdir(parents=True, exist_ok=True)
    path, root = folder / "store.duckdb", folder / "exports"
    overrides = {
        "store.path": str(path),
        "export.path": str(root),
        "export.reads": True,
        "export.mapped": seed % 2 == 0,
        "export.keep": 1 + seed % 2,
        "cache.backend": "off",
        "quality.session": "24x7",
    }

    @asynccontextmanager
    async def opened() -> AsyncIterator[Backbone]:
        async with embedded(overrides=overrides) as backbone:
            yield backbone

    return Play(seed, opened, root, path)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pulls the plug here: no file waits for the disk."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.mark.parametrize("seed", range(12))
async def test_a_window_is_what_the_store_holds(seed: int, tmp_path: Path, hasty: None) -> None:
    play = play_of(seed, tmp_path)
    await play.run(ACTS)
    assert play.history_rows
