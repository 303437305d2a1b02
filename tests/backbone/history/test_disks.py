"""Disks of other machines are told from our own by the system's table of mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backbone.history.disks import is_remote
from tests.backbone.history.kit import facts, from_export, trades
from tests.backbone.history.kit import reading as opened

LINE = "36 35 {device} / /mnt/exports rw,noatime master:1 - {kind} server:/exports rw,errors=continue\n"


def mounts(folder: Path, kind: str) -> Path:
    device = folder.stat().st_dev
    path = folder / "mountinfo"
    other = LINE.format(device="0:999999", kind="nfs4")
    path.write_text(other + LINE.format(device=f"{os.major(device)}:{os.minor(device)}", kind=kind))
    return path


@pytest.mark.parametrize(
    ("kind", "remote"),
    [
        ("nfs4", True),
        ("cifs", True),
        ("fuse.sshfs", True),
        ("virtiofs", True),
        ("ext4", False),
        ("fuseblk", False),
        ("overlay", False),
    ],
)
def test_the_type_of_the_file_system_says_so(tmp_path: Path, kind: str, remote: bool) -> None:
    assert is_remote(tmp_path, mounts(tmp_path, kind)) is remote


def test_where_the_system_does_not_say_it_is_our_own(tmp_path: Path) -> None:
    assert not is_remote(tmp_path, tmp_path / "nothing")
    (tmp_path / "odd").write_text("1 2\n\n3 4 5\n")
    assert not is_remote(tmp_path, tmp_path / "odd")
    with pytest.raises(FileNotFoundError):
        is_remote(tmp_path / "gone")


async def test_files_of_another_machine_are_not_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.history.volume.is_remote", lambda folder: True)
    async with opened(tmp_path) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        for path in (tmp_path / "exports").rglob("_part-0.arrow"):
            path.unlink()
        assert await from_export(backbone) == (trades(0, 1), 2)
        assert facts(backbone)["damaged"] == {}
