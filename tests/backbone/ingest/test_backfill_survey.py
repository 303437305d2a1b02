"""Which gaps are worth being filled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone import load_settings
from backbone.ingest.backfill_messages import BackfillRequest
from backbone.ingest.backfill_survey import Survey
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars

WEEK = datetime(2018, 6, 4, tzinfo=UTC)
END = WEEK + timedelta(days=4, hours=20)
SERVER = {"store.url": "postgresql://backbone@127.0.0.1/backbone"}
KEPT = {**SERVER, "retention.enabled": True}


@pytest.mark.parametrize(
    ("profile", "overrides", "missing"),
    [
        ("timescale", KEPT, 57),
        ("timescale", {**SERVER, "retention.enabled": False}, 107),
        ("embedded", {"retention.enabled": True}, 107),
    ],
)
async def test_what_retention_would_drop_again_is_not_asked_for(
    profile: str, overrides: dict[str, object], missing: int
) -> None:
    """It drops nothing of an embedded store, and nothing that nobody let it."""
    request = BackfillRequest(
        dimension=BARS, source="csv", symbols=["EURUSD", "USDJPY"], interval="1h", start=WEEK, end=END
    )
    settings = load_settings(profile=profile, overrides=overrides)
    async with embedded() as backbone:
        await backbone.record(bars(10, start=WEEK + timedelta(hours=50)))
        survey = Survey(request, lambda question: backbone._ask("store", question), settings)
        found = await survey.look(datetime(2026, 1, 5, tzinfo=UTC))
    pair, other = found.series
    assert (pair.missing, other.missing) == (missing, 0 if missing == 57 else 117)
    told = ["retention drops rows from before 2018-06-06 02:00 UTC: looked at from then on", ""][missing == 107]
    assert pair.note == told
    assert other.note.startswith(told[:30])
