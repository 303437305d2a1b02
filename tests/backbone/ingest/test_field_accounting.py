"""Of files as people have them, too, every row that was read became something or has its reason on the page."""

from __future__ import annotations

import json

import pytest

from backbone.domain.report import cell
from backbone.sources.errors import SourceError
from backbone.testing import embedded
from tests.backbone.ingest.field import Ingest, ingests
from tests.backbone.ingest.tables import accounted

CASES = ingests()


@pytest.mark.skipif(not CASES, reason="needs the files beside the project")
@pytest.mark.parametrize("given", CASES, ids=[f"{each.case} {n}" for n, each in enumerate(CASES)])
async def test_the_counts_of_each_file_add_up(given: Ingest) -> None:
    async with embedded(overrides=given.settings()) as backbone:
        try:
            run = await backbone.ingest(given.plan())
        except SourceError:
            return  # refused as a whole: nothing is stored, nothing is counted
        kept_aside = await backbone.quarantined(limit=10_000)
    accounted(run)
    assert len(kept_aside) == run.quarantined
    assert all(row.reason for row in kept_aside)
    body, page = json.loads(run.to_json()), run.to_markdown()
    assert all(f"| {cell(why)} | {rows} |" in page for why, rows in body["left_out"].items())
