"""The providers that the docs show run as they stand: one of thirty lines, by its entry point, and one over ccxt."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from backbone import IngestPlan
from backbone.sources.errors import InputInvalid, SourceUnavailable
from backbone.sources.port import ProviderSource
from backbone.testing import embedded

DOCS = Path(__file__).parents[2] / "docs"
NOW = datetime(2024, 3, 4, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a module with entry points where Python finds installed packages."""

    def put(name: str, code: str, points: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        facts = tmp_path / f"{name}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return put


async def test_the_provider_of_thirty_lines_is_found_by_its_entry_point_and_does_what_the_page_says(
    install: Install,
) -> None:
    page = (DOCS / "how-to/providers.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (points,) = re.findall(r'\[project\.entry-points\."(backbone\.sources)"\]\n(\w+) = "(\S+)"\n', page)
    assert len(code.splitlines()) <= 32
    install("ratesheet", code, "[{}]\n{} = {}\n".format(*points))
    async with embedded() as backbone:
        run = await backbone.ingest(IngestPlan(dimensions=["daily"], symbols=["EURUSD"], source="ratesheet"))
        assert (run.inserted, run.quarantined, run.source) == (2, 1, "ratesheet")
        (row,) = await backbone.quarantined()
        assert (row.location, row.reason) == ("EURUSD 2024-03-06", "'n/a' is no rate")
        with pytest.raises(SourceUnavailable, match="GBPUSD is not published yet"):
            await backbone.ingest(IngestPlan(dimensions=["daily"], symbols=["GBPUSD"], source="ratesheet"))


class Exchange:
    """An exchange as ccxt has them: hourly candles since midnight, pages of 500, and what a test wants to go wrong."""

    candles: ClassVar[dict[str, list[list[Any]] | Exception]] = {}
    page: ClassVar[int] = 500
    asked: ClassVar[int] = 0

    def __init__(self, settings: dict[str, Any]) -> None:
        assert settings["enableRateLimit"]

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[Any]]:
        assert timeframe == "1h"
        held = self.candles[symbol]
        if isinstance(held, Exception):
            raise held
        type(self).asked += 1
        return [each for each in held if each[0] >= since or self.page < 0][: min(limit, abs(self.page))]


class BaseError(Exception):
    pass


class NetworkError(BaseError):
    pass


@pytest.fixture
def ccxt(monkeypatch: pytest.MonkeyPatch, install: Install) -> type[Exchange]:
    """The package as far as the example uses it; it is no dependency."""
    module = ModuleType("ccxt")
    vars(module).update(kraken=Exchange, BaseError=BaseError, NetworkError=NetworkError)
    monkeypatch.setitem(sys.modules, "ccxt", module)
    for name, value in (("candles", {}), ("page", 500), ("asked", 0)):
        monkeypatch.setattr(Exchange, name, value)
    code = (DOCS / "examples/ccxt_source.py").read_text()
    install("ccxt_source", code, "[backbone.sources]\nkraken = ccxt_source:kraken\n")
    return Exchange


def candles(hours: int) -> list[list[Any]]:
    """Of the last hours; the last one is under way."""
    start = NOW.replace(minute=0) - (hours - 1) * HOUR
    return [[int((start + n * HOUR).timestamp()) * 1000, 1.0, 2.0, 0.5, 1.5, 10.0] for n in range(hours)]


def plan(*symbols: str, **changes: Any) -> IngestPlan:
    return IngestPlan(dimensions=["intraday"], symbols=symbols, interval="1h", source="kraken", **changes)


async def test_candles_of_an_exchange_come_in_without_the_one_that_is_not_over(ccxt: type[Exchange]) -> None:
    ccxt.candles = {"BTC/USD": candles(1203), "ETH/USD": NetworkError("timed out"), "DOGE/USD": BaseError("no market")}
    async with embedded() as backbone:
        from ccxt_source import CcxtSource  # type: ignore[import-not-found]  # installed by the fixture

        source = CcxtSource(
            "kraken", "intraday", symbols=["BTC/USD"], interval="1h", start=NOW - 1203 * HOUR, now=lambda: NOW
        )
        assert isinstance(source, ProviderSource)
        assert sum(chunk.frame.num_rows for chunk in source.chunks()) == 1202
        run = await backbone.ingest(plan("BTC/USD", "ETH/USD", "DOGE/USD", start=NOW - 10 * HOUR, end=NOW))
        assert (run.inserted, run.quarantined) == (10, 2)
        assert {row.location: row.reason for row in await backbone.quarantined()} == {
            "kraken ETH/USD": "kraken gives no answer of ETH/USD: timed out",
            "kraken DOGE/USD": "kraken refuses DOGE/USD: no market",
        }


async def test_an_exchange_whose_pages_are_shorter_loses_none_and_one_that_repeats_itself_is_left(
    ccxt: type[Exchange],
) -> None:
    ccxt.candles, ccxt.page = {"BTC/USD": candles(1000)}, 300
    window = {"start": NOW - 700 * HOUR, "end": NOW}
    async with embedded() as backbone:
        assert (await backbone.ingest(plan("BTC/USD", **window))).inserted == 700
        ccxt.asked, ccxt.page = 0, -200  # whatever it is asked for, it gives its oldest
        assert (await backbone.ingest(plan("BTC/USD", **window))).rows_read == 0
    assert ccxt.asked == 1


async def test_a_candle_that_is_none_is_kept_aside(ccxt: type[Exchange]) -> None:
    odd = candles(3)
    odd[1][4] = None
    odd.append([odd[2][0] - 1, 1.0])
    ccxt.candles = {"BTC/USD": odd}
    async with embedded() as backbone:
        run = await backbone.ingest(plan("BTC/USD", start=NOW - 4 * HOUR, end=NOW))
        assert (run.inserted, run.quarantined) == (2, 2)


async def test_an_exchange_that_is_not_there_fails_the_run(ccxt: type[Exchange]) -> None:
    async with embedded() as backbone:
        for error, expected in ((NetworkError("timed out"), SourceUnavailable), (BaseError("no"), InputInvalid)):
            ccxt.candles = {"BTC/USD": error}
            with pytest.raises(expected):
                await backbone.ingest(plan("BTC/USD"))
