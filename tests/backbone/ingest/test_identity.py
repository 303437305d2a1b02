"""What names a source: its kind, and of a file its whole path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backbone import IngestPlan, samples
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS


def planned(path: Path) -> IngestPlan:
    return IngestPlan(dimensions=[BARS], symbols=["EURUSD"], interval="1h", source="csv", path=path)


async def test_two_files_of_one_name_are_two_sources_and_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
        shutil.copy(samples.eurusd_1h(), tmp_path / folder / "bars.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "monday" / "bars.csv")
    async with embedded() as backbone:
        monday, tuesday, link = [
            (await backbone.ingest(planned(tmp_path / name))).source
            for name in ("monday/bars.csv", "tuesday/bars.csv", "link.csv")
        ]
    assert monday == f"csv:{(tmp_path / 'monday' / 'bars.csv').resolve()}"
    assert monday != tuesday
    assert link == monday


async def test_a_relative_path_and_the_whole_one_are_the_same_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(samples.eurusd_1h(), tmp_path / "bars.csv")
    monkeypatch.chdir(tmp_path)
    async with embedded() as backbone:
        whole = await backbone.ingest(planned(tmp_path / "bars.csv"))
        again = await backbone.ingest(planned(Path("../") / tmp_path.name / "bars.csv"))
    assert again.source == whole.source
    assert again.unchanged == whole.inserted
