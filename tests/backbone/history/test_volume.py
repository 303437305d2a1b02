"""Which export is read: one that can't be made sense of is passed by, and nothing falls over it."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from backbone import Backbone
from backbone.calls import Calls
from backbone.export.manifest import token_of
from backbone.history.actor import Look
from backbone.history.messages import ExplainRow
from backbone.store.since_messages import NoteExport
from tests.backbone.history.kit import DAY, TRADES, current, facts, files, from_export, handles, trades
from tests.backbone.history.kit import reading as opened


async def look(backbone: Backbone) -> None:
    """Have it look which export is current, and wait for it."""
    history = Calls(backbone.system, backbone.path).ref("history")
    await history.tell(Look())
    await history.ask(ExplainRow(TRADES, "AIG", DAY), 5.0)


@pytest.mark.parametrize(
    "changed",
    [
        lambda manifest: manifest[: len(manifest) // 2],
        lambda _: b"",
        lambda _: b"[]",
        lambda manifest: manifest.replace(b'"trades"', b'"fills"'),
    ],
    ids=["cut off", "empty", "another shape", "a dimension of a later version"],
)
async def test_a_manifest_that_can_not_be_read_is_passed_by(tmp_path: Path, changed: Any) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        path = current(tmp_path) / "manifest.json"
        path.write_bytes(changed(path.read_bytes()))
        await look(backbone)
        assert await from_export(backbone) == (trades(0, 1), 0)
        assert "no current export" in facts(backbone)["why_not"]
    async with opened(tmp_path) as backbone:
        assert await from_export(backbone) == (trades(0, 1), 0)
        await backbone.export()
        assert await from_export(backbone) == (trades(0, 1), 2)


@pytest.mark.parametrize("name", ["", "..", "no such\n", "a\0b", "\udcff"], ids=repr)
async def test_a_current_that_names_no_export_is_passed_by(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        (tmp_path / "exports" / "CURRENT").write_bytes(name.encode(errors="surrogateescape"))
        await look(backbone)
        assert await from_export(backbone) == (trades(0, 1), 0)
        assert "no current export" in facts(backbone)["why_not"]


async def test_an_export_with_the_columns_of_another_version_is_not_read(tmp_path: Path) -> None:
    async with opened(tmp_path, **{"export.mapped": False}) as backbone:
        await backbone.record(trades(0))
        await backbone.export()
        folder, [path] = current(tmp_path), files(tmp_path, "part-0.parquet")
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["venue"]), path)
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
        manifest["files"][0] |= {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes()).hexdigest()}
        del manifest["columns"]["trades"]["venue"]
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
        await Calls(backbone.system, backbone.path).ask("store", NoteExport(token_of(folder), 10**15), 5.0)
        await look(backbone)
        assert await from_export(backbone) == (trades(0), 0)
        assert "wrote trades with other columns; export anew" in facts(backbone)["why_not"]


async def test_a_copy_under_another_name_is_not_read_and_what_is_no_longer_current_is_let_go_of(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        assert (await from_export(backbone))[1] == 2
        assert len(handles(tmp_path / "exports")) == 2
        shutil.copytree(current(tmp_path), tmp_path / "exports" / "export-0000000000000000")
        (tmp_path / "exports" / "CURRENT").write_text("export-0000000000000000\n")
        await look(backbone)
        assert handles(tmp_path / "exports") == []
        assert await from_export(backbone) == (trades(0, 1), 0)
        assert "its manifest is that of export-" in facts(backbone)["why_not"]


async def test_a_file_that_another_process_has_mended_is_read_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        path = files(tmp_path)[0]
        shutil.copy(path, tmp_path / "kept")
        path.write_bytes(b"damaged")
        assert await from_export(backbone) == (trades(0, 1), 0)
        await look(backbone)
        assert facts(backbone)["level"] == "degraded"
        assert (await from_export(backbone))[1] == 1
        (tmp_path / "kept").replace(path)
        await look(backbone)
        assert facts(backbone)["level"] == "ok"
        assert (await from_export(backbone))[1] == 2
