"""Whether a run of a provider is healthy: by what was due, and not by how many rows came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from backbone import IngestPlan
from backbone.operations.telemetry.events import Telemetry
from backbone.sources.port import Cursor
from tests.backbone.ingest import market_kit
from tests.backbone.ingest.market_kit import KIND, Printed, Provider, desk, installed

FRIDAY_NIGHT = datetime(2026, 3, 6, 22, tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT"]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(monkeypatch)


@pytest.mark.parametrize(
    ("hours", "silent", "status", "why"),
    [
        (36, {"AAPL", "MSFT"}, "ok", ""),  # nothing comes on a Sunday, and nothing is due
        (72 + 25, {"AAPL", "MSFT"}, "failed", "0 rows came"),  # Monday's bar is a trading day late by now
        (72 + 25, {"MSFT"}, "degraded", "1 of 2 symbols are missing: MSFT"),
        (72 + 25, set(), "ok", ""),
    ],
)
async def test_what_was_not_due_is_not_missing(
    provider: Provider, hours: int, silent: set[str], status: str, why: str
) -> None:
    heard: list[Telemetry] = []
    async with desk(FRIDAY_NIGHT) as backbone:
        await backbone.ingest(IngestPlan(dimensions=["daily"], symbols=SYMBOLS, source=KIND, period="10d"))
        await anyio.sleep(hours * 3600)
        provider.silent = silent
        backbone.telemetry.listen(heard.append, ["telemetry.ingest.health"])
        await backbone.ingest(IngestPlan(dimensions=["daily"], symbols=SYMBOLS, source=KIND, period="2d"))
        await anyio.sleep(60)
    [told] = heard
    assert told.payload.status == status, told.payload
    assert why in "; ".join(told.payload.why)


class Following(Printed):
    """The same as a provider that is asked for the newest there is."""

    lag = timedelta(0)

    def follow(self, cursor: Cursor) -> None:
        """It is told by the plan."""

    def stop(self) -> None:
        """It waits for nobody."""


async def test_rows_that_are_late_lower_the_score_of_their_run(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_kit, "Printed", Following)
    async with desk(FRIDAY_NIGHT) as backbone:
        plan = IngestPlan(dimensions=["daily"], symbols=SYMBOLS, source=KIND, period="10d")
        timely = await backbone.ingest(plan)
        provider.behind = 3
        late = await backbone.ingest(plan)
    assert timely.quality is not None
    assert (timely.quality.score, timely.quality.status) == (1.0, "ok")
    assert late.quality is not None
    assert (late.quality.status, late.quality.findings[0].code) == ("failed", "stale")
