"""A backbone whose exports go to a disk that does not answer: what it says, and what that costs."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from backbone import Backbone
from backbone.export import run
from backbone.export.errors import ExportBusy, ExportFailed
from backbone.export.files import Disk
from backbone.testing import embedded
from tests.backbone.export.kit import SHORT, Hanging, trades


def health(backbone: Backbone) -> tuple[str, str]:
    entry = backbone.roster().find(f"{backbone.path}/export")
    assert entry is not None
    return entry.health.level, entry.health.why


async def until(backbone: Backbone, level: str) -> str:
    with anyio.fail_after(60):
        while health(backbone)[0] != level:
            await anyio.lowlevel.checkpoint()
    return health(backbone)[1]


async def test_the_roster_says_why_and_a_backbone_closes_though_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Hanging()
    monkeypatch.setattr(run, "Disk", lambda: disk)
    root = tmp_path / "exports"
    overrides = {"export.path": str(root), "export.write_seconds": SHORT, "store.inline": False}
    async with embedded(overrides=overrides) as backbone:
        await backbone.record(trades(range(5)))
        for refused in (ExportFailed, ExportBusy):
            with pytest.raises(refused, match=f"exports has not answered for {SHORT:g} s"):
                await backbone.export()
            assert "1 steps hang" in await until(backbone, "degraded")
        disk.there.set()
        with anyio.fail_after(60):
            while True:
                with suppress(ExportBusy):
                    assert (await backbone.export()).rows == 5
                    break
        assert await until(backbone, "ok") == ""
        disk.there.clear()
        disk.waiting = 0
        with pytest.raises(ExportFailed):
            await backbone.export(anew=True)
    assert not disk.there.is_set()
    disk.there.set()


async def test_a_disk_that_was_mounted_anew_is_written_to_though_the_old_step_never_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks: list[Disk] = [Hanging(), Disk()]
    monkeypatch.setattr(run, "Disk", lambda: disks.pop(0) if len(disks) > 1 else disks[0])
    root, first = tmp_path / "exports", disks[0]
    assert isinstance(first, Hanging)
    overrides = {"export.path": str(root), "export.write_seconds": SHORT, "store.inline": False}
    async with embedded(overrides=overrides) as backbone:
        await backbone.record(trades(range(5)))
        with pytest.raises(ExportFailed):
            await backbone.export()
        await until(backbone, "degraded")
        root.rename(tmp_path / "gone")
        assert (await backbone.export()).rows == 5
        assert await until(backbone, "ok") == ""
        assert (await backbone.export()).kept == 1
    assert not first.there.is_set()
    first.there.set()


async def test_what_an_export_of_a_life_before_has_left_behind_is_known_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Hanging()
    monkeypatch.setattr(run, "Disk", lambda: disk)
    overrides = {"export.path": str(tmp_path / "exports"), "export.write_seconds": SHORT, "store.inline": False}
    async with embedded(overrides=overrides) as backbone:
        await backbone.record(trades(range(5)))
        with pytest.raises(ExportFailed):
            await backbone.export()
    async with embedded(overrides=overrides) as backbone:
        assert "1 steps hang; look after that disk" in await until(backbone, "degraded")
        with pytest.raises(ExportBusy, match="exports has not answered"):
            await backbone.export()
    disk.there.set()


async def test_a_folder_that_answers_again_is_written_to_though_another_one_never_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"dead": threading.Event(), "back": threading.Event()}

    class Two(Disk):
        def folder(self, path: Path) -> None:
            if path.name in there:
                there[path.name].wait()
            super().folder(path)

    monkeypatch.setattr(run, "Disk", Two)
    overrides = {"export.write_seconds": SHORT, "store.inline": False}
    async with embedded(overrides=overrides) as backbone:
        await backbone.record(trades(range(5)))
        for name in ("dead", "back", "back", "back", "back"):
            with pytest.raises(ExportFailed, match=f"{name} has not answered"):
                await backbone.export(to=tmp_path / name)
        there["back"].set()
        with anyio.fail_after(60):
            while True:
                with suppress(ExportFailed):
                    assert (await backbone.export(to=tmp_path / "back")).rows == 5
                    break
    there["dead"].set()


class HangsAtOnce(Hanging):
    """At the first step."""

    def folder(self, path: Path) -> None:
        self.waiting += 1
        self.there.wait()


async def test_folders_of_many_names_on_a_disk_that_hangs_cost_a_bounded_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HangsAtOnce()
    monkeypatch.setattr(run, "Disk", lambda: disk)
    async with embedded(overrides={"export.write_seconds": 0.05, "store.inline": False}) as backbone:
        for day in range(12):
            with pytest.raises(ExportFailed, match="hang"):
                await backbone.export(to=tmp_path / str(day))
        with pytest.raises(ExportFailed, match="12 exports hang"):
            await backbone.export(to=tmp_path / "last")
        assert disk.waiting <= 12
    disk.there.set()


async def test_a_disk_that_hangs_costs_a_bounded_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HangsAtOnce()
    monkeypatch.setattr(run, "Disk", lambda: disk)
    overrides = {"export.path": str(tmp_path / "x"), "export.write_seconds": SHORT, "store.inline": False}
    async with embedded(overrides=overrides) as backbone:
        for _ in range(5):
            with pytest.raises(ExportFailed, match="has not answered"):
                await backbone.export()
        assert disk.waiting == 3
    disk.there.set()
