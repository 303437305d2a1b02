"""What a validation tells, beside what Spark itself reads: as much as a line to the parent takes."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from backbone.export.errors import ContentDiffers
from backbone.export.layout import MANIFEST
from backbone.export.shelf import verify
from backbone.export.spark.jobs import validate
from backbone.export.spark.jobs.looking import judged
from backbone.export.spark.jobs.reading import address_of, rows_of
from backbone.export.spark.wire import LONGEST, Done, Job, encode
from tests.backbone.export.kit import TRADES, Bench, bench, trades
from tests.backbone.export.spark.kit import Spark


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, {"export.mapped": True}) as made:
        await made.put(trades(range(50)))
        await made.export()
        yield made


def _validated(desk: Bench) -> Done:
    job = Job(kind="validate", root=str(desk.root), export=desk.current.name)
    return validate.run(Spark(), job, lambda _: None)


async def test_however_much_is_wrong_it_is_one_line_to_the_parent(desk: Bench) -> None:
    folder = desk.current / "trades"
    for n in range(8_000):
        (folder / f"{n:05d}-{'é' * 100}").touch()
    done = _validated(desk)
    assert len(encode(done)) < LONGEST
    assert len(done.problems) == 401
    assert done.problems[-1] == "and 7600 more"
    assert "does not belong there" in done.problems[0]


async def test_what_a_run_that_was_cut_off_has_left_is_no_problem_to_either(desk: Bench) -> None:
    (desk.current / ".part-0.parquet.tmp").touch()
    (desk.current / "stranger").touch()
    told = ("stranger does not belong there",)
    assert _validated(desk).problems == verify(desk.root).problems == told


async def test_what_a_manifest_says_of_itself_is_judged(desk: Bench) -> None:
    manifest = desk.manifest
    (job,) = manifest.jobs
    failed = msgspec.structs.replace(job, status="fail", why="disk full", rows=51)
    (desk.current / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, jobs=(failed,))))
    told = _validated(desk).problems
    assert "trades: disk full" in told
    assert any("its job wrote 1 with 51" in each for each in told)


async def test_another_mapped_file_is_told(desk: Bench) -> None:
    (entry,) = desk.manifest.files
    assert entry.mapped is not None
    line = msgspec.json.encode(entry)
    assert judged(str(desk.current), "parquet", line) == (50, [])
    (desk.current / entry.mapped.path).write_bytes(b"other")
    _, (problem,) = judged(str(desk.current), "parquet", line)
    assert f"{entry.mapped.path} beside it is missing, or its SHA-256 is another" in problem


@pytest.mark.parametrize("wrong", ["missing", "longer", "stranger"])
async def test_nothing_is_made_of_other_files_than_the_manifest_names(desk: Bench, wrong: str) -> None:
    (entry,) = desk.manifest.files
    path = desk.current / entry.path
    if wrong == "missing":
        path.unlink()
    elif wrong == "longer":
        path.unlink()
        path.write_bytes(b"x" * (entry.bytes + 1))
    else:
        path.with_name("part-1.parquet").touch()
    with pytest.raises(ContentDiffers, match="backbone export verify tells all that is wrong"):
        rows_of(None, desk.current, desk.manifest, TRADES)


def test_a_folder_is_taken_by_its_letters() -> None:
    assert address_of(Path("/a b/ex*[1]{2}?\\")) == r"file:///a b/ex\*\[1\]\{2\}\?\\"
