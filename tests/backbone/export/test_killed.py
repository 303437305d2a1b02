"""Killed between any two steps, or out of disk: CURRENT names a whole export, and the next one goes on."""

from __future__ import annotations

import errno
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from backbone import Frame
from backbone.domain.status import Status
from backbone.export import shelf
from backbone.export.errors import ExportFailed
from backbone.export.files import Disk
from tests.backbone.export.kit import TRADES, Bench, bench, files_in, trades

STEPS = ("open", "write", "finish", "rename", "link", "append", "put", "folder", "remove", "sync")
SEED = 16


class Killed(BaseException):
    """From here on nothing reaches the disk."""


class Counting(Disk):
    """A disk that counts its steps, and ends at one of them.

    Args:
        last: the step at which it ends; None: never.
        error: what that step and all behind it raise.
    """

    def __init__(self, last: int | None = None, error: BaseException | None = None) -> None:
        self.steps = 0
        self._last = last
        self._error = Killed() if error is None else error

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in STEPS:
            self.steps += 1
            if self._last is not None and self.steps > self._last:
                raise self._error
        return found


class Full(Disk):
    """A disk that has room for so many bytes.

    Args:
        room: how many.
    """

    def __init__(self, room: int) -> None:
        self._room = room

    def write(self, file: BinaryIO, data: bytes) -> None:
        if len(data) > self._room:
            file.write(data[: self._room])
            self._room = 0
            raise OSError(errno.ENOSPC, "No space left on device")
        self._room -= len(data)
        super().write(file, data)


async def filled(desk: Bench) -> None:
    """An export that is whole, and rows that came later: one file is to be linked, two are to be written."""
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC")]))
    assert (await desk.export()).status is Status.OK
    await desk.put(Frame.concat([trades(range(50, 60), "BAC"), trades(range(9), "IBM")]), "more")


async def steps_of_a_whole_export(desk: Bench, root: Path) -> tuple[int, dict[str, bytes]]:
    whole, disk = desk.beside(root), Counting()
    await whole.export(disk=disk)
    return disk.steps, files_in(whole.current)


@pytest.mark.parametrize("mapped", [False, True], ids=["", "mapped"])
async def test_killed_before_any_step_current_names_a_whole_export_and_the_next_one_goes_on(
    tmp_path: Path, mapped: bool
) -> None:
    async with bench(tmp_path, {"export.keep": 1, "export.mapped": mapped}) as filled_desk:
        await filled(filled_desk)
        steps, wanted = await steps_of_a_whole_export(filled_desk, tmp_path / "whole")
        points = random.Random(SEED).sample(range(steps), 8 if mapped else 20)
        for point in sorted({0, *points, steps - 1}):
            desk = filled_desk.beside(tmp_path / f"at {point}")
            old = desk.current.name
            with pytest.raises(Killed):
                await desk.export(disk=Counting(point))
            assert shelf.verify(desk.root).status is Status.OK, f"killed at step {point} of {steps}"
            killed_in = desk.current.name
            report = await desk.export()
            assert report.status is Status.OK
            assert shelf.verify(desk.root).problems == (), f"killed at step {point} of {steps}"
            assert files_in(desk.current) == wanted
            assert [entry.mapped is not None for entry in desk.manifest.files] == [mapped] * 3
            assert killed_in in {old, report.id}
            assert [each.state for each in shelf.listing(desk.root).exports] == ["current"]
            assert sorted(path.name for path in desk.root.iterdir()) == [".lock", "CURRENT", report.id]


async def test_killed_again_and_again_it_still_comes_to_its_end(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    async with bench(tmp_path, {"export.keep": 1}) as desk:
        await filled(desk)
        steps, wanted = await steps_of_a_whole_export(desk, tmp_path / "whole")
        for _ in range(25):
            try:
                await desk.export(disk=Counting(chance.randrange(steps)))
            except Killed:
                assert shelf.verify(desk.root).status is Status.OK
        assert (await desk.export()).status is Status.OK
        assert files_in(desk.current) == wanted
        assert shelf.verify(desk.root).problems == ()
        assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def outcome_on(desk: Bench, disk: Disk) -> tuple[tuple[str, ...], str]:
    """The issues of the job that failed, and why; where not even a manifest could be written, what was raised."""
    try:
        report = await desk.export(disk=disk)
    except ExportFailed as error:
        return ("write_failed",), str(error)
    assert report.status is Status.FAILED
    return report.jobs[0].issues, report.jobs[0].why


@pytest.mark.parametrize(
    ("room", "mapped"), [*((room, False) for room in (0, 100, 900, 3000, 6000, 9000)), (3000, True), (9000, True)]
)
async def test_a_full_disk_fails_the_export_and_leaves_current_and_no_half_of_a_file(
    tmp_path: Path, room: int, mapped: bool
) -> None:
    async with bench(tmp_path, {"export.mapped": mapped}) as desk:
        await filled(desk)
        named = desk.current
        issues, why = await outcome_on(desk, Full(room))
        assert issues == ("write_failed",)
        assert "No space left" in why
        assert desk.current == named
        assert shelf.verify(desk.root).status is Status.OK
        assert not [*desk.root.rglob("*.parquet.tmp"), *desk.root.rglob("*.arrow.tmp")]
        assert (await desk.export()).status is Status.OK
        assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.backbone.export.kit import bench
from tests.backbone.export.test_killed import Counting, filled

class Deadly(Counting):
    def __getattribute__(self, name):
        try:
            return super().__getattribute__(name)
        except BaseException:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with bench(Path(sys.argv[1])) as desk:
        if not (desk.root / "CURRENT").exists():
            await filled(desk)
        await desk.export(disk=Deadly(int(sys.argv[2])))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", [3, 17, 29, 41, 53])
async def test_a_process_that_is_killed_leaves_a_whole_export_and_no_lock(tmp_path: Path, point: int) -> None:
    root = Path(__file__).parents[3]
    killed = subprocess.run([sys.executable, "-c", VICTIM, str(tmp_path), str(point)], cwd=root, check=False)  # noqa: ASYNC221
    assert killed.returncode == -9
    async with bench(tmp_path) as desk:
        assert shelf.verify(desk.root).status is Status.OK
        assert (await desk.export()).status is Status.OK
        assert shelf.verify(desk.root).problems == ()
        assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
