"""What looks after reads from exports is killed and comes back while others read and export: no read hangs or lies."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone, Frame
from backbone.calls import Calls
from backbone.export.layout import CURRENT
from backbone.history import reading as rooms
from backbone.history.volume import Volume, volume_of
from tests.backbone.history.kit import DAY, TRADES, current, facts, files, from_export, trades
from tests.backbone.history.kit import reading as opened

PATIENCE = 120.0


async def kill(backbone: Backbone) -> None:
    await Calls(backbone.system, backbone.path).ref("history").kill()


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "in threads"])
async def test_reads_and_exports_are_right_while_it_is_killed_again_and_again(tmp_path: Path, inline: bool) -> None:
    quick = {"supervision.backoff": 0.005, "supervision.backoff_most": 0.01, "supervision.restarts": 1000}
    async with opened(tmp_path, **{"store.inline": inline, "export.keep": 1, **quick}) as backbone:
        stored, done = trades(0, 1, 2), anyio.Event()
        given, told = [stored], 0  # what was ever given to be stored, and the last of it that is known to be
        await backbone.record(stored)
        await backbone.export()

        async def kill_it() -> None:
            while not done.is_set():
                await kill(backbone)
                await anyio.lowlevel.checkpoint()

        async def read() -> None:
            while not done.is_set():
                before = told
                assert await backbone.fetch(TRADES, symbols=["AIG"]) in given[before:]
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            with anyio.fail_after(PATIENCE):
                for task in (kill_it, read, read):
                    group.start_soon(task)
                for n in range(3, 9):
                    stored = Frame.concat([stored, trades(n)])
                    given.append(stored)
                    await backbone.record(trades(n))
                    told += 1
                    report = await backbone.export()
                    assert (report.status, report.current) == ("ok", current(tmp_path).name)
                done.set()
        with anyio.fail_after(PATIENCE):
            while "export" not in facts(backbone):  # between two lives there are none
                await anyio.lowlevel.checkpoint()
        assert await from_export(backbone, start=None, end=None) == (stored, 9)
        assert facts(backbone)["export"] == report.id


async def test_a_read_that_finds_damage_while_it_is_gone_goes_on_with_the_store(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        for path in files(tmp_path):
            path.unlink()
        await kill(backbone)
        assert await backbone.fetch(TRADES, symbols=["AIG"]) == trades(0, 1, 2)
        await backbone.record(trades(3))
        await kill(backbone)
        assert (await backbone.export()).status == "ok"
        assert await backbone.fetch(TRADES, symbols=["AIG"]) == trades(0, 1, 2, 3)


async def test_why_is_answered_while_it_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        for _ in range(3):
            await kill(backbone)
            with anyio.fail_after(PATIENCE):
                [found] = (await backbone.why("AIG", DAY)).found
            assert found.read_from


async def test_a_look_that_was_overtaken_does_not_bring_an_older_export_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look reads a manifest slowly, an export is published meanwhile, and then it is done."""
    async with opened(tmp_path, **{"store.inline": False}) as backbone:
        await backbone.record(trades(0, 1))
        first = await backbone.export()
        seen, go_on = threading.Event(), threading.Event()

        def slow(root: Path) -> Volume:
            found = volume_of(root)
            if found.folder.name == first.id and not seen.is_set():
                seen.set()
                go_on.wait()
            return found

        monkeypatch.setattr(rooms, "volume_of", slow)
        (tmp_path / "exports" / CURRENT).write_text(f"{first.id}\n\n")  # another stamp, the same export
        made: list[Any] = []
        async with anyio.create_task_group() as group:
            await kill(backbone)  # the next incarnation looks
            with anyio.fail_after(PATIENCE):
                while not seen.is_set():
                    await anyio.lowlevel.checkpoint()
            await backbone.record(trades(2))

            async def export() -> None:
                made.append(await backbone.export())

            group.start_soon(export)
            with anyio.fail_after(PATIENCE):
                while current(tmp_path).name == first.id:
                    await anyio.lowlevel.checkpoint()
            go_on.set()
        with anyio.fail_after(PATIENCE):
            while "export" not in facts(backbone):
                await anyio.lowlevel.checkpoint()
        assert facts(backbone)["export"] == made[0].id
