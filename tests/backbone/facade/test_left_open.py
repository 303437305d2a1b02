"""A backbone that was left has no file open, also where somebody in it was killed; no garbage has to be collected."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def left_open(folder: Path) -> list[str]:
    links = Path("/proc/self/fd")
    if not links.is_dir():
        pytest.skip("this system does not list open files")
    return [str(path) for each in links.iterdir() if (path := each.resolve()).is_relative_to(folder)]


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("kills", [1, 2])
async def test_a_killed_store_leaves_no_file_open(tmp_path: Path, inline: bool, kills: int) -> None:
    overrides = {"store.path": str(tmp_path / "b.duckdb"), "store.inline": inline}
    killed = []
    async with embedded(overrides=overrides) as opened:
        for close in range(kills):
            await opened.record(bars(1, close=1.0 + close))
            killed.append(opened.system.find("/embedded/backbone/store"))
            await killed[-1].kill()
        assert (await opened.fetch(BARS)).num_rows == 1
    assert left_open(tmp_path) == []


@pytest.mark.parametrize("inline", [True, False])
async def test_a_store_that_was_killed_last_of_all_leaves_no_file_open(tmp_path: Path, inline: bool) -> None:
    overrides = {"store.path": str(tmp_path / "b.duckdb"), "store.inline": inline}
    async with embedded(overrides=overrides) as opened:
        await opened.record(bars(1))
        await opened.system.find("/embedded/backbone/store").kill()
    assert left_open(tmp_path) == []
