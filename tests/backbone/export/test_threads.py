"""Where an export waits for the disk: beside the event loop, and in threads that nothing else needs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone.domain.status import Status
from backbone.export import run, shelf
from backbone.export.files import Disk
from tests.backbone.export.kit import Bench, bench, trades


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
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


@pytest.mark.parametrize(("room", "name"), [(run, "manifest_of"), (shelf, "current"), (run, "locked")])
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
