"""Files of exports take up no more than they must, and are hashed no more often."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from backbone.history.errors import Damaged
from backbone.history.files import File, Hashes
from tests.backbone.history.kit import DAY, ONE_DAY, from_export, handles, trades
from tests.backbone.history.kit import files as files_of
from tests.backbone.history.kit import reading as opened


async def test_frames_that_are_held_keep_no_file_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(*range(20)))
        await backbone.export()
        days = [DAY + day * ONE_DAY for day in range(20)]
        held = [(await from_export(backbone, start=day, end=day))[0] for day in days]
        assert len(handles(tmp_path / "exports")) <= len(files_of(tmp_path))
        await backbone.export(anew=True)
        assert handles(tmp_path / "exports") == []
        assert [frame.start for frame in held] == days


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "Parquet"])
async def test_what_is_closed_is_let_go_of(tmp_path: Path, mapped: bool) -> None:
    async with opened(tmp_path, **{"export.mapped": mapped, "export.keep": 1}) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        assert (await from_export(backbone))[1] == 3
        assert len(handles(tmp_path / "exports")) == 3
        await backbone.record(trades(3))
        await backbone.export()
        assert handles(tmp_path / "exports") == []


async def test_a_large_file_of_parquet_is_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.history.files.WHOLE_BYTES", 0)
    async with opened(tmp_path, **{"export.mapped": False}) as backbone:
        stored = trades(*np.linspace(0, 0.9, 70_000))
        await backbone.record(stored)
        await backbone.export()
        assert await from_export(backbone) == (stored, stored.num_rows)
        [path] = files_of(tmp_path, "part-0.parquet")
        assert pq.ParquetFile(path).num_row_groups == 2
        start = DAY + 0.89 * ONE_DAY
        part, held = await from_export(backbone, start=start)
        assert (part, held) == (stored.select(start=start), part.num_rows)
        os.truncate(path, path.stat().st_size // 2)
        assert await from_export(backbone) == (stored, 0)


def test_a_file_is_hashed_once_for_as_long_as_it_stays_as_it_is(tmp_path: Path) -> None:
    path, hashes, made = tmp_path / "file", Hashes(), list[str]()
    path.write_bytes(b"a" * 3_000_000)

    def require(wanted: str) -> None:
        file = File(path, 3_000_000)

        def hashed() -> str:
            made.append(file.hash())
            return made[-1]

        hashes.require(file, wanted, hashed)

    right = sha256(path.read_bytes()).hexdigest()
    for _ in range(3):
        require(right)
    assert made == [right]
    path.unlink()
    path.write_bytes(b"b" * 3_000_000)
    for _ in range(2):
        with pytest.raises(Damaged, match="its SHA-256 is another"):
            require(right)
    assert len(made) == 2
    with pytest.raises(Damaged, match="has 3000000 bytes of 5"):
        File(path, 5)


def test_a_file_that_is_replaced_while_it_is_opened_is_not_taken_for_the_one_that_is_watched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * 10)
    file = File(path, 10)
    assert file.mapped().to_pybytes() == b"a" * 10
    (tmp_path / "other").write_bytes(b"b" * 10)
    (tmp_path / "other").replace(path)
    with pytest.raises(Damaged, match="was replaced while it was opened"):
        file.mapped()


async def test_of_many_parts_so_many_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.history.opened.MOST_OPEN", 3)
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(*range(10)))
        await backbone.export()
        for _ in range(2):
            frame, held = await from_export(backbone, end=DAY + 10 * ONE_DAY)
            assert (frame, held) == (trades(*range(10)), 10)
            assert len(handles(tmp_path / "exports")) == 3
