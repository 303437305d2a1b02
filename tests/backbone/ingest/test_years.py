"""The years that files may speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from backbone import IngestPlan
from backbone.sources.csv import CsvSource
from backbone.testing import embedded


@pytest.mark.parametrize(("earliest", "inserted"), [(1800, 1), (1600, 2)])
async def test_times_outside_the_years_of_the_settings_are_quarantined(
    tmp_path: Path, earliest: int, inserted: int
) -> None:
    path = tmp_path / "wheat.csv"
    path.write_text("date,open,high,low,close\n1702-03-01,1,2,1,2\n1902-03-01,1,2,1,2\n", encoding="utf-8")
    plan = IngestPlan(dimensions=["daily"], symbols=["WHEAT"], path=path)
    async with embedded(overrides={"sources.earliest": earliest}) as backbone:
        run = await backbone.ingest(plan)
    assert (run.inserted, run.quarantined) == (inserted, 2 - inserted)


@pytest.mark.parametrize("years", [{"earliest": 0}, {"earliest": 2000, "latest": 1999}])
def test_years_that_are_none_are_refused(years: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give years from 1 to 9999"):
        CsvSource("wheat.csv", "daily", **years)  # type: ignore[arg-type]
