"""Where an export waits for the disk: beside the event loop, in threads that nothing else needs, and not for ever."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone
from backbone.domain.status import Status
from backbone.export import run, shelf
from backbone.export.errors import ExportBusy, ExportFailed
from backbone.export.files import Disk
from backbone.export.layout import CURRENT
from backbone.export.report import ExportReport
from backbone.testing import embedded
from tests.backbone.export.kit import Bench, bench, trades
from tests.programs import ROOT

SHORT = 0.5  # a step of a disk that answers takes far less also where the machine is busy


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


@pytest.fixture
async def short(tmp_path: Path) -> AsyncIterator[Bench]:
    """Whose exports wait for the disk no longer than that."""
    async with bench(tmp_path, {"export.write_seconds": SHORT}) as made:
        yield made


class Hanging(Disk):
    """A disk that does not answer until it is there again."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.waiting = 0

    def open(self, path: Path) -> Any:
        if path.suffix == ".tmp" and "symbol=" in str(path):
            self.waiting += 1
            self.there.wait()
        return super().open(path)


async def test_a_disk_that_hangs_keeps_nobody_else_from_a_thread(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    disk, reports = Hanging(), []

    async def export() -> None:
        reports.append(await desk.export(disk=disk))

    async with anyio.create_task_group() as group:
        try:
            group.start_soon(export)
            with anyio.fail_after(60):
                while not disk.waiting:
                    await anyio.lowlevel.checkpoint()
                other = asyncio.get_running_loop().run_in_executor(None, lambda: "free")
                while not other.done():
                    await anyio.lowlevel.checkpoint()
        finally:
            disk.there.set()
    assert [each.status for each in reports] == [Status.OK]


@pytest.mark.parametrize(("room", "name"), [(run, "manifest_of"), (shelf, "current"), (run, "Claim")])
async def test_what_looks_at_the_disk_holds_up_no_loop(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, room: Any, name: str
) -> None:
    looks: list[bool] = []
    look: Callable[..., Any] = getattr(room, name)

    def noted(*given: Any) -> Any:
        looks.append(threading.current_thread() is threading.main_thread())
        return look(*given)

    await desk.put(trades(range(5)))
    monkeypatch.setattr(room, name, noted)
    await desk.export()
    assert looks
    assert not any(looks)


async def test_its_threads_end_with_the_export(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    await desk.export()
    with anyio.fail_after(60):
        while any(each.name.startswith("export") for each in threading.enumerate()):
            await anyio.lowlevel.checkpoint()


async def hung(desk: Bench, disk: Hanging) -> None:
    """An export that is given up because the disk does not answer."""
    await desk.put(trades(range(5)))
    with pytest.raises(ExportFailed, match=rf"exports has not answered for {SHORT:g} s: 1 steps hang; CURRENT names"):
        await desk.export(disk=disk)


async def answers(desk: Bench) -> ExportReport:
    """The first export that nobody is in the way of."""
    with anyio.fail_after(60):
        while True:
            with suppress(ExportBusy):
                return await desk.export()
            await anyio.lowlevel.checkpoint()


async def test_an_export_to_a_disk_that_hangs_is_given_up_and_goes_on_when_that_answers(short: Bench) -> None:
    disk = Hanging()
    await hung(short, disk)
    with pytest.raises(ExportBusy):  # the step that hangs may do something yet
        await short.export()
    disk.there.set()
    report = await answers(short)
    assert (report.status, report.rows, report.current) == (Status.OK, 5, report.id)
    assert short.rows_in_export(trades(range(1)).dimension) == trades(range(5))
    assert not list(short.root.rglob("*.tmp"))


async def test_what_is_written_behind_the_back_of_an_export_that_was_given_up_is_never_published(short: Bench) -> None:
    class HangsBeforeCurrent(Hanging):
        def put(self, path: Path, data: bytes) -> None:
            if path.name == CURRENT:
                self.waiting += 1
                self.there.wait()
            super().put(path, data)

        def open(self, path: Path) -> Any:
            return Disk.open(self, path)

    disk = HangsBeforeCurrent()
    await hung(short, disk)
    disk.there.set()
    with anyio.fail_after(60):
        while any(each.name.startswith("export") for each in threading.enumerate()):
            await anyio.lowlevel.checkpoint()
    assert not (short.root / CURRENT).exists()
    assert (await answers(short)).kept == 1


async def test_who_calls_an_export_off_does_not_wait_for_the_disk(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    disk = Hanging()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: desk.export(disk=disk))
        while not disk.waiting:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert not disk.there.is_set()
    disk.there.set()
    assert (await answers(desk)).status is Status.OK


async def test_slow_is_not_hung(short: Bench) -> None:
    class Slow(Disk):
        def finish(self, file: Any) -> None:
            threading.Event().wait(SHORT * 0.7)
            super().finish(file)

    await short.put(trades(range(3), "A"))
    await short.put(trades(range(3), "B"), "b")
    assert (await short.export(disk=Slow())).status is Status.OK


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


async def test_a_disk_that_hangs_costs_a_bounded_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HangsAtOnce(Hanging):
        def folder(self, path: Path) -> None:
            self.waiting += 1
            self.there.wait()

    disk = HangsAtOnce()
    monkeypatch.setattr(run, "Disk", lambda: disk)
    overrides = {"export.path": str(tmp_path / "x"), "export.write_seconds": SHORT, "store.inline": False}
    async with embedded(overrides=overrides) as backbone:
        for _ in range(5):
            with pytest.raises(ExportFailed, match="has not answered"):
                await backbone.export()
        assert disk.waiting == 3
    disk.there.set()


def test_a_program_ends_though_the_disk_it_exports_to_hangs(tmp_path: Path) -> None:
    program = """
import asyncio, sys, threading
from backbone import Backbone, load_settings
from backbone.export.errors import ExportFailed
from backbone.export.files import Disk
from tests.backbone.export.kit import trades
Disk.finish = lambda *_: threading.Event().wait()
async def main():
    overrides = {"export.path": sys.argv[1], "export.write_seconds": 0.3}
    overrides |= {"store.path": ":memory:", "control.enabled": False}
    async with Backbone.open(load_settings(profile="embedded", env={}, overrides=overrides)) as backbone:
        await backbone.record(trades(range(5)))
        try:
            await backbone.export()
        except ExportFailed:
            print("given up")
asyncio.run(main())
"""
    given = [sys.executable, "-c", program, str(tmp_path / "x")]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert done.stdout == "given up\n"
