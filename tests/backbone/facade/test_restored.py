"""The database file was put back to an earlier copy: a subscriber is told what is undone, or gets what is right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backbone import Backbone
from backbone.store.errors import PositionLost
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars


async def record(opened: Backbone, *closes: float) -> None:
    for close in closes:
        await opened.record(bars(1, close=close))


async def tokens_of_what_is_undone(path: Path) -> list[str]:
    """Of three changes; then the file is put back to when it had the first alone."""
    overrides, copy = {"store.path": str(path)}, path.with_suffix(".copy")
    async with embedded(overrides=overrides) as opened:
        await record(opened, 1.0)
    shutil.copy(path, copy)
    async with embedded(overrides=overrides) as opened, opened.subscribe(BARS, start="earliest") as updates:
        await record(opened, 1.1, 1.2)
        tokens = [(await anext(updates)).resume for _ in range(3)]
    shutil.copy(copy, path)
    return tokens


@pytest.mark.parametrize("after", [(2.0,), (2.0, 3.0), (2.0, 3.0, 4.0)])
async def test_a_token_of_what_was_undone_is_lost_also_when_new_changes_have_its_position(
    tmp_path: Path, after: tuple[float, ...]
) -> None:
    path = tmp_path / "b.duckdb"
    overrides, tokens = {"store.path": str(path)}, await tokens_of_what_is_undone(path)
    async with embedded(overrides=overrides) as opened:
        await record(opened, *after)
        for token in tokens[1:]:
            with pytest.raises(PositionLost, match="restored"):
                async with opened.subscribe(BARS, start=token) as updates:
                    await anext(updates)
        async with opened.subscribe(BARS, start=tokens[0]) as updates:
            got = [(await anext(updates)).frame.to_arrow().column("close")[0].as_py() for _ in after]
    assert tuple(got) == after


async def test_a_token_of_what_was_undone_is_lost_also_when_no_change_has_its_position(tmp_path: Path) -> None:
    path = tmp_path / "b.duckdb"
    overrides, token = {"store.path": str(path)}, (await tokens_of_what_is_undone(path))[-1]
    for close in (2.0, 3.0):  # each opening goes on at a later block of positions
        async with embedded(overrides=overrides) as opened:
            await record(opened, close)
    async with embedded(overrides=overrides) as opened:
        with pytest.raises(PositionLost, match="restored"):
            async with opened.subscribe(BARS, start=token) as updates:
                await anext(updates)
