"""Whom the files of a database are for: nobody but their owner, whatever the umask."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import duckdb
import pytest

from backbone.domain import Dimension, Frame
from backbone.domain.identifiers import ingest_id, new_run_id
from backbone.store.duckdb import DuckDBStore
from backbone.store.records import Chunk

DAILY = Dimension.DAILY_BARS
NOBODY = 65534


def chunk(day: int = 1) -> Chunk:
    frame = Frame.from_records(DAILY, [{"symbol": "CANARY", "ts": datetime(2024, 1, day, tzinfo=UTC), "close": 1.0}])
    return Chunk(ingest_id("csv", frame), new_run_id(), "csv", frame)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """A process whose files are for everybody."""
    before = os.umask(0)
    yield
    assert os.umask(before) == 0, "the store changed the umask of the process"


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user of the machine can enter, unlike pytest's."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


async def written(path: Path, *, inline: bool = False) -> DuckDBStore:
    store = DuckDBStore(path, inline=inline)
    await store.open()
    await store.migrate()
    await store.write(chunk())
    return store


@pytest.mark.parametrize("inline", [False, True])
async def test_folders_and_the_file_are_for_their_owner_alone(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "a" / "data" / "b.duckdb"
    store = await written(path, inline=inline)
    assert (mode(tmp_path / "a"), mode(path.parent), mode(path)) == (0o700, 0o700, 0o600)
    await store.close()
    assert [each.name for each in path.parent.iterdir()] == ["b.duckdb"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux may a thread have an umask of its own")
async def test_so_is_the_log_each_time_that_it_is_made_anew(tmp_path: Path) -> None:
    """DuckDB removes it as it folds it into the file, and makes the next one itself."""
    path, log = tmp_path / "b.duckdb", tmp_path / "b.duckdb.wal"
    store = DuckDBStore(path, wal_limit="1KB")
    await store.open()
    await store.migrate()
    modes = set()
    for day in range(1, 6):
        await store.write(chunk(day))
        modes |= {mode(each) for each in (path, log) if each.exists()}
    await store.close()
    store = await written(path)
    assert modes | {mode(log)} == {0o600}
    await store.close()


async def test_files_of_an_earlier_release_are_taken_back_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mine" / "b.duckdb"
    path.parent.mkdir(mode=0o755)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET checkpoint_threshold = '1GB'; PRAGMA disable_checkpoint_on_shutdown")
        connection.execute("CREATE TABLE other (number INTEGER)")
    log = Path(f"{path}.wal")
    assert (mode(path), mode(log)) == (0o666, 0o666)
    store = await written(path)
    assert (mode(path.parent), mode(path), mode(log)) == (0o755, 0o600, 0o600)
    assert f"other users could look into {path}" in caplog.text
    await store.close()


async def test_a_file_system_without_rights_keeps_nobody_from_their_rows_and_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    path = tmp_path / "b.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE other (number INTEGER)")
    monkeypatch.setattr(Path, "chmod", refuse)
    for each in (path, tmp_path / "new.duckdb"):
        await (await written(each)).close()
    assert f"other users may look into {path}: the file system does not let that be changed" in caplog.text
    assert "alone now" not in caplog.text


@pytest.mark.parametrize(("more", "expected"), [((), 0o700), (("backbone.sock",), 0o700), (("notes.txt",), 0o755)])
async def test_the_usual_folder_is_taken_back_where_it_holds_nothing_but_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], expected: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir(mode=0o755)
    for name in more:
        (tmp_path / "data" / name).touch()
    store = await written(Path("data/backbone.duckdb"))
    assert mode(tmp_path / "data") == expected
    await store.close()


async def test_a_folder_in_which_others_may_write_is_left_so_and_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    store = await written(tmp_path / "open" / "b.duckdb")
    assert "lets other users lay and replace files in it (mode 0777); chmod 700 it" in caplog.text
    assert (mode(tmp_path / "open"), mode(tmp_path / "open" / "b.duckdb")) == (0o777, 0o600)
    await store.close()


async def test_a_link_is_followed_to_where_the_file_is_to_be(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o755)
    (tmp_path / "b.duckdb").symlink_to(tmp_path / "disk" / "real.duckdb")
    store = await written(tmp_path / "b.duckdb")
    assert (tmp_path / "b.duckdb").is_symlink()
    assert mode(tmp_path / "disk" / "real.duckdb") == 0o600
    await store.close()


READ = f"""
import os, sys
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
for path in sys.argv[1:]:
    try:
        with open(path, "rb") as file:
            print("read", path, len(file.read()))
    except PermissionError:
        print("refused")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux may a thread have an umask of its own")
async def test_another_user_of_the_machine_reads_nothing(open_place: Path) -> None:
    """Neither in a folder that was made for the store, nor in one that everybody can enter."""
    (open_place / "wide").mkdir(mode=0o755)
    stores = [await written(open_place / folder / "b.duckdb") for folder in ("data", "wide")]
    paths = [f"{open_place}/{folder}/b.duckdb{side}" for folder in ("data", "wide") for side in ("", ".wal")]
    (open_place / "control").touch()
    said = await anyio.run_process([sys.executable, "-c", READ, *paths, str(open_place / "control")])
    assert said.stdout.decode().splitlines() == [*["refused"] * 4, f"read {open_place}/control 0"]
    for store in stores:
        await store.close()
