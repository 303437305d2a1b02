"""Databases that went apart, as by a restore, and other versions of what writes: no file is taken for another."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from backbone import Frame
from backbone.domain.schema import arrow_schema
from backbone.domain.status import Status
from backbone.export import layout, shelf
from backbone.export.known import Known
from backbone.store.snapshots import PartFacts
from tests.backbone.export.kit import TRADES, Bench, bench, files_in, trades


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


def at_price(price: float) -> Frame:
    """A day of trades, of which only the price differs."""
    rows = trades(range(20)).to_arrow()
    place = rows.schema.get_field_index("price")
    return Frame.from_arrow(TRADES, rows.set_column(place, "price", pa.array([price] * rows.num_rows, pa.float64())))


@pytest.fixture
async def apart(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of two databases: a backup, and what became of the same database after it, with exports of both."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    async with bench(before) as desk:
        await desk.put(trades(range(5), "OLD"))
    shutil.copytree(before, after)
    async with bench(after) as desk:
        await desk.put(at_price(100.0))
    return before, after


@pytest.mark.parametrize("as_many", [True, False], ids=["the same numbers", "further on"])
async def test_a_restored_database_does_not_take_over_files_of_what_was_lost(
    apart: tuple[Path, Path], as_many: bool
) -> None:
    before, after = apart
    async with bench(after) as desk:
        lost = await desk.export()
        made = files_in(desk.current)
    shutil.copytree(after / "exports", before / "exports")
    async with bench(before) as desk:
        await desk.put(at_price(99.0))
        if not as_many:
            await desk.put(trades(range(3), "MORE"))
        report = await desk.export()
        assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)
        assert shelf.verify(desk.root).status is Status.OK
        assert report.id != lost.id
        assert files_in(desk.root / lost.id) == made


async def test_a_whole_export_is_not_written_into_by_another_version(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.put(trades(range(5)))
    first = await desk.export()
    monkeypatch.setattr(layout, "package_version", lambda: "99.0.0")
    second = await desk.export()
    assert second.id != first.id
    assert (second.linked, second.written) == (1, 0)
    assert desk.current.name == second.id


async def test_files_with_other_columns_are_not_taken_over(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.put(trades(range(5)))
    await desk.export()
    monkeypatch.setattr(layout, "arrow_schema", lambda dimension: arrow_schema(dimension).remove(3))
    again = await desk.export()
    assert (again.linked, again.kept, again.written) == (0, 0, 1)


async def test_files_of_another_database_are_not_taken_over_whatever_their_version(desk: Bench) -> None:
    await desk.put(trades(range(5)))
    await desk.export()
    [entry] = desk.manifest.files
    facts = PartFacts(entry.part, entry.rows, entry.earliest, entry.latest, entry.version)
    files = layout.layout_of(desk.settings.export, "parquet")
    snapshot = await desk.store.open_snapshot("test", 60.0)
    other = msgspec.structs.replace(snapshot, generation="another")
    folder = desk.root / "export-0123456789abcdef"
    assert Known(desk.root, folder, snapshot, files).find(facts, entry.path) == (desk.current / entry.path, entry)
    assert Known(desk.root, folder, other, files).find(facts, entry.path) is None
