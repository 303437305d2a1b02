"""The steps of an export on the disk: nothing that others laid there is written through."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone.export.files import Disk


@pytest.mark.parametrize("step", ["open", "append", "put"])
def test_what_lies_in_the_folder_of_an_export_is_not_followed(step: str, tmp_path: Path) -> None:
    """Somebody who may write there lays links under the names that come next."""
    theirs, name = tmp_path / "theirs", tmp_path / "part-0.parquet.tmp"
    theirs.write_text("theirs")
    for link in (name, tmp_path / f".{name.name}.tmp"):
        link.symlink_to(theirs)
    disk = Disk()
    if step == "open":
        with disk.open(name) as file:
            disk.write(file, b"ours")
        assert name.read_bytes() == b"ours"
    elif step == "put":
        disk.put(name, b"ours")
        assert name.read_bytes() == b"ours"
    else:
        with pytest.raises(OSError, match="symbolic"):
            disk.append(name, b"ours")
    assert theirs.read_text() == "theirs"
