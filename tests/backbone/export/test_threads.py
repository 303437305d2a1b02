"""Where an export waits for the disk: beside the event loop, in threads that nothing else needs, and not for ever."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from backbone.domain.status import Status
from backbone.export import files, run, shelf
from backbone.export.errors import ExportBusy, ExportFailed
from backbone.export.files import Claim, Disk
from backbone.export.layout import CURRENT
from backbone.export.report import ExportReport
from tests.backbone.export.kit import SHORT, Bench, Hanging, bench, trades
from tests.programs import ROOT


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


@pytest.fixture
async def short(tmp_path: Path) -> AsyncIterator[Bench]:
    """Whose exports wait for the disk no longer than that."""
    async with bench(tmp_path, {"export.write_seconds": SHORT}) as made:
        yield made


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


class HangsAtCurrent(Disk):
    """It hangs as CURRENT gets its name, or as an export is removed."""

    def __init__(self, *, named: bool) -> None:
        self.there = threading.Event()
        self._named = named

    def rename(self, old: Path, new: Path) -> None:
        if not self._named and new.name == CURRENT:
            self.there.wait()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        if self._named and ".removed-" in str(path):
            self.there.wait()
        super().remove(path)


@pytest.mark.parametrize(
    ("named", "said"),
    [(False, "CURRENT names either what it named before or this export"), (True, "CURRENT names this export: ")],
)
async def test_what_current_names_is_not_asserted_where_it_is_not_known(
    short: Bench, monkeypatch: pytest.MonkeyPatch, named: bool, said: str
) -> None:
    export = msgspec.structs.replace(short.settings.export, keep=1)
    monkeypatch.setattr(short, "settings", msgspec.structs.replace(short.settings, export=export))
    await short.put(trades(range(5)))
    first = await short.export()
    await short.put(trades(range(5, 9)), "later")
    disk = HangsAtCurrent(named=named)
    with pytest.raises(ExportFailed, match=said):
        await short.export(disk=disk)
    assert (short.current.name != first.id) is named
    disk.there.set()
    report = await answers(short)
    assert (report.rows, report.current == report.id) == (9, True)


async def test_a_folder_that_can_not_be_locked_is_refused_and_nothing_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with suppress(FileNotFoundError):
        Claim(tmp_path / "missing")
    gc.collect()
    assert told == []


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


def test_a_large_file_is_brought_to_the_disk_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Noting(Disk):
        def finish(self, file: Any) -> None:
            sizes.append(os.fstat(file.fileno()).st_size)
            super().finish(file)

    monkeypatch.setattr(files, "SYNC_BYTES", 100)
    with Noting().creating(tmp_path / "x") as sink:
        for _ in range(5):
            sink.write(b"x" * 60)
    assert sizes == [120, 240, 300]


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
