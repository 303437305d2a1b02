"""A provider that fails, its schedule, the gate, and what another process learns of them, side by side."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import anyio
import msgspec
import pytest

from backbone import Backbone, Dimension
from backbone.facade.running import run_answers
from tests.backbone.ingest.market_kit import Provider, desk, installed, refusing

HOUR = 3600.0
DAILY = Dimension.DAILY_BARS


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return installed(monkeypatch)


async def seen(backbone: Backbone) -> list[object]:
    """What is seen of the gate, the schedule, the scheduler's line, the journal and freshness."""
    answers = {name: answer for name, answer in run_answers(backbone).items() if name in {"runs", "schedule"}}
    schedule = msgspec.json.decode(await answers["schedule"]({}))
    runs = msgspec.json.decode(await answers["runs"]({"limit": 10_000, "dimension": "daily_bars"}))["runs"]
    fresh = await backbone.freshness([DAILY])
    line = backbone.roster().find(f"{backbone.path}/scheduler")
    assert line is not None
    gate = backbone.gate(DAILY, "AAPL")
    return [
        f"{gate.level} {'; '.join(each.partition(':')[0] for each in gate.reasons)}".strip(),
        f"{'runs' if schedule['running'] else 'stopped'} {schedule['consecutive_failures']}",
        line.health.level,
        " ".join(row["status"] for row in runs),
        str(fresh.status),
    ]


async def test_what_is_said_of_a_provider_that_fails_and_comes_back_agrees_everywhere(
    provider: Provider,
) -> None:
    options: dict[str, Any] = {
        "gate__interval": 3600.0,
        "gate__refresh": 3600.0,
        "gate__stream_down": "ignored",
        "gate__lagging": "ignored",
    }
    monday_evening = datetime.fromisoformat("2026-03-02T22:00:00+00:00")
    async with desk(
        monday_evening, schedule__enabled=True, schedule__sessions=False, market__daily_lookback=5, **options
    ) as backbone:
        await anyio.sleep(300)
        backbone.gate(DAILY, "AAPL")
        await anyio.sleep(300)
        assert await seen(backbone) == ["ok", "runs 0", "ok", "ok", "ok"]
        provider.trouble = refusing("no route to the desk")
        await anyio.sleep(HOUR)
        assert await seen(backbone) == ["degraded run", "runs 1", "degraded", "failed ok", "ok"]
        await anyio.sleep(2 * HOUR)
        assert await seen(backbone) == ["degraded run", "stopped 3", "failed", "failed failed failed ok", "ok"]
        await anyio.sleep(72 * HOUR)
        gate, *_, fresh = await seen(backbone)
        assert (gate, fresh) == ("blocked stale; run", "failed")
        provider.trouble = lambda _at, _dimension: None
        await run_answers(backbone)["resume"]({})
        await anyio.sleep(600)
        assert (await seen(backbone))[1:] == ["runs 0", "ok", "ok failed failed failed ok", "ok"]
        await anyio.sleep(2 * HOUR)
        assert (await seen(backbone))[0] == "ok"
