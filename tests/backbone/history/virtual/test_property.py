"""Whatever happens, reads that use exports give what the store alone gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backbone import Backbone
from backbone.store.duckdb import since as asked
from backbone.store.records import Query
from backbone.store.since import Changes, Since, Stretch, stretches_of
from backbone.testing import embedded
from tests.backbone.history.play import Differs, Play
from tests.campaigns import so_many

ACTS = 20


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


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(so_many(20, part=2)))  # one with mapped files, one with two exports kept
async def test_a_window_is_what_the_store_holds(seed: int, tmp_path: Path, hasty: None) -> None:
    play = play_of(seed, tmp_path)
    await play.run(ACTS)
    assert play.history_rows


def ignoring_the_ledger(query: Query, since: Since, changes: Changes) -> tuple[Stretch, ...]:
    return stretches_of(query, since, Changes(changes.known, changes.cut_us))


def short_of_the_edge(query: Query, since: Since, changes: Changes) -> tuple[Stretch, ...]:
    found = stretches_of(query, since, changes)
    return tuple(each._replace(end_us=each.end_us - 1) for each in found if each.end_us > each.start_us)


@pytest.mark.parametrize("bug", [ignoring_the_ledger, short_of_the_edge])
async def test_a_bug_is_found(bug: object, tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "stretches_of", bug)

    async def played() -> None:
        for seed in range(20):
            await play_of(seed, tmp_path / str(seed)).run(ACTS)

    with pytest.raises(Differs):
        await played()
