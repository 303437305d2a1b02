"""An export that somebody reads stays until he has done, whatever CURRENT names meanwhile; who is dead reads none."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import files
from backbone.domain.status import Status
from backbone.export import holding, shelf
from backbone.export.errors import ExportMissing
from backbone.export.files import Disk, hash_of
from backbone.export.messages import RunSpark
from backbone.export.spark.run import run_spark
from tests.backbone.export.kit import Bench, bench, trades
from tests.backbone.export.spark.kit import STARTED, fake, settings

HOLDER = """
import sys
from pathlib import Path
from backbone.export.shelf import held
with held(Path(sys.argv[1])) as (folder, _):
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, {"export.keep": 1}) as made:
        yield made


async def another(desk: Bench) -> Any:
    """One more row, and an export of it, beside which the ones before are too many."""
    count = (await desk.rows_in_store(trades(range(1)).dimension)).num_rows
    await desk.put(trades(range(count, count + 1)), f"row {count}")
    return await desk.export()


async def test_an_export_that_is_read_stays_and_goes_with_the_first_export_behind_that(desk: Bench) -> None:
    first = await another(desk)
    with shelf.held(desk.root) as (folder, _), shelf.held(desk.root, first.id):
        second = await another(desk)
        assert (second.status, second.removed, folder.name) == (Status.OK, (), first.id)
        assert second.note == f"{first.id} would go, and somebody reads it: the next export removes it"
        assert shelf.verify(desk.root, first.id).status is Status.OK
    third = await another(desk)
    assert (third.removed, third.note) == (tuple(sorted((first.id, second.id))), "")


async def test_a_verification_in_the_midst_of_which_the_export_is_one_too_many_reads_all_of_it(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await another(desk)
    await desk.put(trades(range(1, 2)), "row 1")
    removed = list[str]()

    def meanwhile(path: Path) -> str:
        newer = desk.root / "export-00000000000000ff"
        if not newer.exists():
            newer.mkdir()
            (desk.root / "CURRENT").write_text(newer.name)
            keep: dict[str, Any] = {"keep": 1, "keep_days": 0}
            removed.extend(shelf.prune(desk.root, Disk(), desk.clock.now().replace(year=2030), **keep).gone)
        return hash_of(path)

    monkeypatch.setattr(shelf, "hash_of", meanwhile)
    found = shelf.verify(desk.root)
    assert (found.id, found.status, found.problems, removed) == (first.id, Status.OK, (), [])


async def test_who_died_holds_nothing(desk: Bench) -> None:
    first = await another(desk)
    async with await anyio.open_process([sys.executable, "-c", HOLDER, str(desk.root)]) as reader:
        assert reader.stdout is not None
        assert (await reader.stdout.receive()).decode().strip() == first.id
        second = await another(desk)
        assert second.removed == ()
        reader.kill()
        await reader.wait()
    third = await another(desk)
    assert third.removed == tuple(sorted((first.id, second.id)))


async def test_the_export_that_a_job_of_spark_works_on_stays_until_it_ends(desk: Bench, tmp_path: Path) -> None:
    first = await another(desk)
    python = fake(tmp_path, STARTED + "wait()\n")
    working = anyio.Event()
    async with anyio.create_task_group() as group:

        async def work() -> None:
            await run_spark(settings(desk.root, python), RunSpark("validate"), lambda _: working.set())

        group.start_soon(work)
        await working.wait()
        assert (await another(desk)).removed == ()
        assert (desk.root / first.id).is_dir()
        group.cancel_scope.cancel()
    assert first.id in (await another(desk)).removed


async def test_who_comes_too_late_gets_the_current_one_or_is_told(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await another(desk)
    second = await another(desk)
    found = shelf.chosen(desk.root, second.id)
    late = [(desk.root / first.id, found[1])]
    chosen = shelf.chosen
    monkeypatch.setattr(shelf, "chosen", lambda root, name: late.pop() if late else chosen(root, name))
    with shelf.held(desk.root) as (folder, _):
        assert folder.name == second.id
    late.append((desk.root / first.id, found[1]))
    with pytest.raises(ExportMissing, match=f"{first.id} was removed"), shelf.held(desk.root, first.id):
        pass


async def test_one_that_is_being_removed_is_begun_by_nobody(desk: Bench) -> None:
    report = await another(desk)
    folder = desk.root / report.id
    with holding.unread(folder) as free:
        assert free
        with pytest.raises(ExportMissing, match="is being removed"), shelf.held(desk.root, report.id):
            pass
    with holding.reading(folder), holding.unread(folder) as free:
        assert not free


async def test_one_that_loses_its_name_is_begun_by_nobody_in_that_moment(desk: Bench) -> None:
    first, tries = await another(desk), list[str]()

    class Watched(Disk):
        def rename(self, old: Path, new: Path) -> None:
            if old.name == first.id:
                with pytest.raises(holding.Gone), holding.reading(old):
                    pass
                tries.append(old.name)
            super().rename(old, new)

    await desk.put(trades(range(1, 2)), "row 1")
    await desk.export(disk=Watched())
    assert tries == [first.id]


async def test_what_was_locked_under_a_name_that_is_another_folders_now_is_not_held(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk.root / (await another(desk)).id
    locked = fcntl.flock

    def late(handle: int, how: int) -> None:
        folder.rename(folder.with_name(".removed-meanwhile"))
        locked(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(holding.Gone), holding.reading(folder):
        pass


async def test_exports_of_versions_without_the_file_are_held_and_removed_as_well(desk: Bench) -> None:
    first = await another(desk)
    (desk.root / first.id / holding.HELD).unlink()
    with shelf.held(desk.root):
        assert (await another(desk)).removed == ()
    assert first.id in (await another(desk)).removed
    assert shelf.verify(desk.root).status is Status.OK


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOLCK])
async def test_where_nothing_can_be_locked_an_export_is_read_without(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    await another(desk)

    def refused(handle: int, how: int) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refused)
    assert shelf.verify(desk.root).status is Status.OK


async def test_what_root_made_while_he_read_belongs_to_the_owner_of_the_export(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk.root / (await another(desk)).id
    made, given = folder / holding.HELD, list[tuple[Path, int, int]]()
    made.unlink()

    def give(handle: int, user: int, group: int) -> None:
        given.append((Path(f"/proc/self/fd/{handle}").readlink(), user, group))

    monkeypatch.setattr(os, "fchown", give)
    assert shelf.verify(desk.root).status is Status.OK
    assert given == [(made, folder.stat().st_uid, folder.stat().st_gid)]
    made.unlink()
    somebodys = desk.root / "somebodys"
    somebodys.touch()
    lock_file = files.lock_file

    def meanwhile(path: Path) -> int:
        os.link(somebodys, path)
        return lock_file(path)

    monkeypatch.setattr(holding, "lock_file", meanwhile)
    assert shelf.verify(desk.root).status is Status.OK
    assert len(given) == 1


async def test_a_full_disk_is_no_reason_to_keep_what_would_make_room(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await another(desk)
    (desk.root / first.id / holding.HELD).unlink()

    def full(path: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    await desk.put(trades(range(1, 2)), "row 1")
    keep: dict[str, Any] = {"keep": 1, "keep_days": 0}
    (desk.root / "CURRENT").write_text("export-00000000000000ff")
    monkeypatch.setattr(holding, "lock_file", full)
    assert shelf.prune(desk.root, Disk(), desk.clock.now().replace(year=2030), **keep).gone == [first.id]
