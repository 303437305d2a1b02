"""What jobs made of exports stays as long as those, and then as long as it is one of the newest of its job."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from backbone.domain.dimension import Dimension
from backbone.export.derived import DERIVED, prune_derived
from backbone.export.files import Disk, locked
from backbone.export.layout import MANIFEST
from backbone.export.spark.jobs.derived import Derived
from backbone.export.spark.wire import Job, JobKind
from tests.backbone.export.kit import DAY, Bench, bench, trades

NOW = DAY + timedelta(days=100)


def called(name: str, kind: JobKind = "ohlc") -> str:
    """The name of the folder of a result."""
    return f"{kind}-{name}-0123456789abcdef"


def made(root: Path, name: str, export: str, day: int, kind: JobKind = "ohlc", interval: int = 60) -> Path:
    """A result of a job over an export, of so many days before now."""
    folder = root / DERIVED / called(name, kind)
    (folder / "symbol=A").mkdir(parents=True)
    (folder / "symbol=A" / "part-0.parquet").write_bytes(b"rows")
    job = Job(kind=kind, root=str(root), export=export, dimension=Dimension.TRADES, interval=interval, spelled="x")
    manifest = Derived(
        job=job, version="1", spark="4", generated_at=NOW - timedelta(days=day), key=(), rows=1, files=()
    )
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return folder


def pruned(root: Path, keep: int = 2, keep_days: int | None = None, now: datetime = NOW) -> list[str]:
    return prune_derived(root, Disk(), now, keep=keep, keep_days=keep_days)


def left(root: Path) -> set[str]:
    return {each.name for each in (root / DERIVED).iterdir() if each.name != ".lock"}


def test_the_newest_of_each_job_stay_and_all_of_exports_that_are_there(tmp_path: Path) -> None:
    there = "export-00000000000000aa"
    (tmp_path / there).mkdir()
    for day in range(5):
        made(tmp_path, str(day), f"export-000000000000000{day}", day)
    made(tmp_path, "hours", "export-0000000000000009", 50, interval=3600)
    made(tmp_path, "compact", "export-0000000000000009", 50, "compact", 0)
    made(tmp_path, "there", there, 90)
    assert pruned(tmp_path) == [f"{DERIVED}/{called(str(day))}" for day in (2, 3, 4)]
    stay = {called("0"), called("1"), called("hours"), called("compact", "compact"), called("there")}
    assert left(tmp_path) == stay
    assert pruned(tmp_path) == []


def test_what_is_too_old_goes_unless_its_export_is_there(tmp_path: Path) -> None:
    there = "export-00000000000000aa"
    (tmp_path / there).mkdir()
    made(tmp_path, "old", "export-0000000000000001", 8)
    made(tmp_path, "old-there", there, 8)
    made(tmp_path, "young", "export-0000000000000001", 6)
    assert pruned(tmp_path, 9, keep_days=7) == [f"{DERIVED}/{called('old')}"]


def test_what_is_none_of_ours_stays_and_so_does_what_a_link_leads_to(tmp_path: Path) -> None:
    assert pruned(tmp_path) == []
    theirs = tmp_path / "elsewhere"
    made(theirs, "x", "export-0000000000000001", 9)
    folder = tmp_path / DERIVED
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / MANIFEST).write_text('{"job": "mine"}')
    (folder / "file").touch()
    link = called("link")
    (folder / link).symlink_to(theirs / DERIVED / called("x"))
    assert pruned(tmp_path, keep=0) == []
    assert left(tmp_path) == {"notes", "file", link}
    assert not (folder / ".lock").exists()
    assert (theirs / DERIVED / called("x") / MANIFEST).exists()


def test_a_copy_of_a_result_under_another_name_is_its_owners(tmp_path: Path) -> None:
    first = made(tmp_path, "x", "export-0000000000000001", 9)
    for name in ("keep", f"{first.name} (copy)", ".removed-mine", "compact-x-0123456789abcdef"):
        shutil.copytree(first, first.with_name(name))
    assert pruned(tmp_path, keep=0) == [f"{DERIVED}/{first.name}"]
    copies = {"keep", f"{first.name} (copy)", ".removed-mine", "compact-x-0123456789abcdef"}
    assert left(tmp_path) == copies


@pytest.mark.parametrize(
    "manifest",
    [
        b'{"job": {"kind": "ohlc", "export": "\xff"}, "generated_at": "2024-01-01T00:00:00Z"}',
        b'{"job": {"kind": "ohlc", "export": "x"}, "generated_at": "2024-01-01T00:00:00"}',
        b'{"job": ' + b"[" * 100_000,
        b"",
    ],
    ids=["no text", "no zone", "deep", "empty"],
)
def test_what_can_not_be_read_is_left_alone_and_in_the_way_of_nothing(tmp_path: Path, manifest: bytes) -> None:
    (made(tmp_path, "strange", "export-0000000000000001", 9) / MANIFEST).write_bytes(manifest)
    made(tmp_path, "x", "export-0000000000000001", 9)
    folder = made(tmp_path, "folder", "export-0000000000000001", 9)
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    assert pruned(tmp_path, keep=0) == [f"{DERIVED}/{called('x')}"]
    assert left(tmp_path) == {called("strange"), called("folder")}


def test_a_removal_that_was_cut_off_never_looks_whole_and_is_gone_on_with(tmp_path: Path) -> None:
    class Full(Disk):
        def remove(self, path: Path) -> None:
            raise OSError("cut off")

    made(tmp_path, "x", "export-0000000000000001", 9)
    with pytest.raises(OSError, match="cut off"):
        prune_derived(tmp_path, Full(), NOW, keep=0, keep_days=None)
    assert left(tmp_path) == {f".removed-{called('x')}"}
    assert pruned(tmp_path) == []
    assert left(tmp_path) == set()


def test_while_a_job_writes_nothing_is_removed(tmp_path: Path) -> None:
    made(tmp_path, "x", "export-0000000000000001", 9)
    with locked(tmp_path / DERIVED):
        assert pruned(tmp_path, keep=0) == []
    assert pruned(tmp_path, keep=0) == [f"{DERIVED}/{called('x')}"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, {"export.keep": 1}) as made:
        yield made


async def test_an_export_removes_them_and_says_so(desk: Bench) -> None:
    await desk.put(trades(range(1)))
    first = await desk.export()
    desk.clock.at = NOW
    for day, name in enumerate(("b", "a")):
        made(desk.root, name, first.id, day)
    assert (await desk.export()).removed == ()
    await desk.put(trades(range(1, 2)), "later")
    assert (await desk.export()).removed == (first.id, f"{DERIVED}/{called('a')}")
    assert left(desk.root) == {called("b")}
