"""What a job writes has its place when all of it was read again, and not before; whoever is killed leaves nothing."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.export.derived import DERIVED
from backbone.export.errors import ContentDiffers, ExportBusy
from backbone.export.files import Disk, locked
from backbone.export.layout import MANIFEST
from backbone.export.spark.jobs.derived import Derived, derive
from backbone.export.spark.wire import Done, Job
from tests.backbone.export.spark.kit import Spark

KEY = ("symbol", "n")
SYMBOLS = ("AIG", "x.parquet", "BTC%2FUSD", 'it\'s "so"')
Write = Callable[[str], int | None]


def _write(place: str) -> int:
    """Files of three rows in a folder for each symbol, and what Spark leaves beside them."""
    for symbol in SYMBOLS:
        folder = Path(place, f"symbol={symbol}")
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"n": [1, 2, 3]}), folder / "part-00000-5c1e.c000.zstd.parquet")
        (folder / ".part-00000-5c1e.c000.zstd.parquet.crc").touch()
    Path(place, "_SUCCESS").touch()
    return 3 * len(SYMBOLS)


def _derived(root: Path, write: Write = _write) -> Done:
    job = Job(kind="compact", root=str(root), export="export-1")
    return derive(Spark(), job, ["n"], write, lambda _: None)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_have_plain_names_whatever_the_symbol_is_called(tmp_path: Path) -> None:
    done = _derived(tmp_path)
    assert (done.rows, done.files, done.kept) == (12, 4, False)
    folder = Path(done.folder)
    assert _names(folder) == sorted([MANIFEST, *(f"symbol={symbol}/part-0.parquet" for symbol in SYMBOLS)])
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Derived)
    assert {each.path for each in manifest.files} | {MANIFEST} == set(_names(folder))
    assert manifest.rows == 12


def test_what_is_there_whole_is_kept_and_what_was_spoilt_is_made_anew(tmp_path: Path) -> None:
    done = _derived(tmp_path)
    assert _derived(tmp_path).kept
    spoilt = Path(done.folder, "symbol=AIG", "part-0.parquet")
    spoilt.write_bytes(b"spoilt")
    assert not _derived(tmp_path).kept
    assert pq.read_table(spoilt, partitioning=None).num_rows == 3


def _wrong_count(place: str) -> int:
    return _write(place) + 1


def _wrong_order(place: str) -> None:
    Path(place).mkdir()
    pq.write_table(pa.table({"n": [2, 1]}), Path(place, "a.parquet"))


def _full(place: str) -> int:
    _write(place)
    raise OSError("no space left")


@pytest.mark.parametrize(
    ("write", "why"),
    [(_wrong_count, "12 rows were written of 13"), (_wrong_order, "is not in order"), (_full, "no space left")],
)
def test_what_is_not_as_it_should_be_is_not_taken_and_leaves_nothing(tmp_path: Path, write: Write, why: str) -> None:
    with pytest.raises((ContentDiffers, OSError), match=why):
        _derived(tmp_path, write)
    assert _names(tmp_path / DERIVED) == [".lock"]


def test_what_a_killed_job_has_left_goes_with_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / DERIVED / ".staging-compact-all-00"
    _write(str(left))
    _derived(tmp_path)
    assert not left.exists()


def test_who_comes_while_another_job_writes_is_told(tmp_path: Path) -> None:
    (tmp_path / DERIVED).mkdir()
    with locked(tmp_path / DERIVED), pytest.raises(ExportBusy, match=DERIVED):
        _derived(tmp_path)


def test_every_name_is_on_the_disk_before_the_folder_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = Disk.sync, Disk.rename

    def synced(disk: Disk, folder: Path) -> None:
        steps.append(folder.name)
        sync(disk, folder)

    def renamed(disk: Disk, old: Path, new: Path) -> None:
        steps.append(f"-> {new.name}")
        rename(disk, old, new)

    monkeypatch.setattr(Disk, "sync", synced)
    monkeypatch.setattr(Disk, "rename", renamed)
    place = Path(_derived(tmp_path).folder)
    before = steps[: steps.index(f"-> {place.name}")]
    assert {f"symbol={symbol}" for symbol in SYMBOLS} <= set(before)
