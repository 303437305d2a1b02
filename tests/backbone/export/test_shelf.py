"""The folder of exports: what else lies there stays, what is to go goes, and what was changed is found."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.domain.status import Status
from backbone.export import shelf
from backbone.export.errors import ExportMissing
from backbone.export.files import Disk, hash_of
from backbone.export.messages import RunExport
from tests.backbone.export.kit import MACRO, Bench, bench, loaded, parquet, trades


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


async def changed(desk: Bench) -> None:
    """One more row, so that the next export is another one."""
    count = (await desk.rows_in_store(trades(range(1)).dimension)).num_rows
    await desk.put(trades(range(count, count + 1)), f"row {count}")


@pytest.mark.parametrize("name", ["export-2024", "export-of-last-year", ".removed-mine", "export-0123456789ABCDEF"])
async def test_folders_of_somebody_else_are_no_exports_and_stay(desk: Bench, name: str) -> None:
    theirs = desk.root / name / "deep" / "work.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("a year of work")
    await changed(desk)
    report = await desk.export()
    assert report.removed == ()
    assert theirs.read_text() == "a year of work"
    assert [each.id for each in shelf.listing(desk.root).exports] == [report.id]


async def test_exports_without_rows_take_the_place_of_none_that_has_some(tmp_path: Path) -> None:
    async with bench(tmp_path, {"export.keep": 2}) as desk:
        await changed(desk)
        first = await desk.export()
        await changed(desk)
        second = await desk.export()
        for name in ("TYPO", "ANOTHER"):
            desk.clock.at = desk.clock.at.replace(year=desk.clock.at.year + 1)
            assert (await desk.export(RunExport((MACRO,), (name,)))).rows == 0
        assert {each.state for each in shelf.listing(desk.root).exports} == {"current", "whole", "empty"}
        again = await desk.export()
        assert (again.id, len(again.removed)) == (second.id, 2)
        assert {each.id for each in shelf.listing(desk.root).exports} == {first.id, second.id}


async def test_a_removal_that_was_cut_off_stands_in_the_way_of_none(desk: Bench) -> None:
    await changed(desk)
    first = await desk.export()
    await changed(desk)
    second = await desk.export()
    (desk.root / first.id / "manifest.json").unlink()
    rest = desk.root / f".removed-{first.id}" / "trades"
    rest.mkdir(parents=True)
    (rest / "part-0.parquet").write_bytes(b"of the removal that was cut off")
    again = await desk.export()
    assert (again.id, again.removed) == (second.id, (first.id,))
    assert {path.name for path in desk.root.iterdir()} == {second.id, "CURRENT", ".lock"}


class Clinging(Disk):
    """A disk that lets go of nothing."""

    def remove(self, path: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))


async def test_what_cannot_be_removed_is_told_and_the_export_has_not_failed(tmp_path: Path) -> None:
    async with bench(tmp_path, {"export.keep": 1}) as desk:
        await changed(desk)
        await desk.export()
        await changed(desk)
        report = await desk.export(disk=Clinging())
        assert report.status is Status.DEGRADED
        assert "can't be removed" in report.note
        assert (report.current, desk.current.name) == (report.id, report.id)
        assert (await desk.export()).status is Status.OK
        assert [each.id for each in shelf.listing(desk.root).exports] == [report.id]


@pytest.mark.parametrize("text", [b"\xff\xfe\x00e", b"../elsewhere\n", b"\n", b"export-0000000000000000\n"])
async def test_a_current_that_names_nothing_is_told_and_the_next_export_mends_it(desk: Bench, text: bytes) -> None:
    await changed(desk)
    report = await desk.export()
    (desk.root / "CURRENT").write_bytes(text)
    assert [each.state for each in shelf.listing(desk.root).exports] == ["whole"]
    with pytest.raises(ExportMissing):
        shelf.verify(desk.root)
    assert (await desk.export()).current == report.id
    assert shelf.verify(desk.root).status is Status.OK


async def test_a_file_that_is_gone_from_disk_and_manifest_is_missed_by_its_job(desk: Bench) -> None:
    await changed(desk)
    await desk.put(trades(range(9), "BAC"))
    await desk.export()
    path = desk.current / "manifest.json"
    text = path.read_text()
    gone = loaded(path)["files"][0]["path"]
    (desk.current / gone).unlink()
    entries = desk.manifest.files
    path.write_bytes(_without_first(text, len(entries)))
    found = shelf.verify(desk.root)
    assert found.status is Status.FAILED
    assert found.problems == ("manifest.json names 1 files of trades with 9 rows; its job wrote 2 with 10",)


def _without_first(text: str, files: int) -> bytes:
    manifest = msgspec.json.decode(text)
    assert len(manifest["files"]) == files
    manifest["files"] = manifest["files"][1:]
    return msgspec.json.encode(manifest)


async def test_an_export_under_another_name_is_not_the_one_that_was_written(desk: Bench) -> None:
    await changed(desk)
    await desk.export()
    other = desk.root / "export-00000000000000ff"
    desk.current.rename(other)
    found = shelf.verify(desk.root, other.name)
    assert found.status is Status.FAILED
    assert "manifest" in found.problems[0]


async def test_a_file_that_cannot_be_read_is_found_and_written_anew(desk: Bench) -> None:
    await changed(desk)
    first = await desk.export()
    [path] = desk.current.rglob("*.parquet")
    data = path.read_bytes()
    path.unlink()
    path.symlink_to(path)
    assert shelf.verify(desk.root).status is Status.FAILED
    await desk.put(trades(range(9), "BAC"))
    report = await desk.export()
    assert (report.status, report.written, report.linked) == (Status.OK, 2, 0)
    assert [each.read_bytes() for each in desk.current.rglob("symbol=AIG/*.parquet")] == [data]
    assert shelf.verify(desk.root).status is Status.OK
    assert shelf.verify(desk.root, first.id).status is Status.FAILED


async def test_other_bytes_of_the_same_rows_are_found(desk: Bench) -> None:
    await changed(desk)
    await desk.export()
    [path] = desk.current.rglob("*.parquet")
    with parquet(path) as file:
        pq.write_table(file.read(), path, compression="none")
    found = shelf.verify(desk.root)
    assert [problem.partition(": ")[2] for problem in found.problems] == ["its SHA-256 is another"]


async def test_other_rows_are_found_where_the_manifest_was_changed_with_them(desk: Bench) -> None:
    await changed(desk)
    await desk.export()
    [entry] = desk.manifest.files
    path = desk.current / entry.path
    with parquet(path) as file:
        table = file.read()
    place = table.schema.get_field_index("price")
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array([7.0])), path)
    manifest = desk.current / "manifest.json"
    manifest.write_text(manifest.read_text().replace(entry.sha256, hash_of(path)))
    assert shelf.verify(desk.root).problems == (f"{entry.path} holds other values in price",)


async def test_a_manifest_that_is_no_text_any_more_keeps_no_export_from_being_made(desk: Bench) -> None:
    await changed(desk)
    await desk.export()
    manifest = desk.current / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"AIG", b"\xff\xff\xff"))
    await changed(desk)
    report = await desk.export()
    assert (report.status, report.rows, report.current) == (Status.OK, 2, report.id)
