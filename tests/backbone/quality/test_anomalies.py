"""False ticks: an injected one is found with all that is said of it, random walks give none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.quality.anomalies import CRITICAL_Z, MOST_ANOMALIES, SPIKE_Z, false_ticks, spikes
from backbone.quality.merging import merge
from backbone.quality.report import assess

T0 = datetime(2020, 3, 2, 9, 30, tzinfo=UTC)
WALKS = 2_000


def walk(seed: int, rows: int = 400, fat: bool = False) -> NDArray[np.float64]:
    """Prices of a seeded random walk, with normal steps or with those of Student's t of five degrees of freedom."""
    random = np.random.default_rng(seed)
    steps = random.standard_t(5, rows) if fat else random.normal(size=rows)
    prices: NDArray[np.float64] = 50 * np.exp(np.cumsum(steps * 1e-3))
    return prices


def stamps(rows: int) -> NDArray[np.int64]:
    return int(T0.timestamp() * 1e6) + 60_000_000 * np.arange(rows, dtype=np.int64)


def bars(prices: NDArray[np.float64], symbol: str = "A") -> Frame:
    records = [
        {"symbol": symbol, "interval": "1m", "ts": T0 + timedelta(minutes=n)} | dict.fromkeys(("open", "close"), price)
        for n, price in enumerate(prices.tolist())
    ]
    return Frame.from_records(
        "intraday_bars", [row | {"high": row["open"], "low": row["open"], "volume": 1.0} for row in records]
    )


@pytest.mark.parametrize(("fat", "name"), [(False, "normal"), (True, "Student's t, 5 degrees of freedom")])
def test_random_walks_give_no_anomaly(fat: bool, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    alarms = sum(spikes(walk(seed, fat=fat))[0].size for seed in range(WALKS))
    with capsys.disabled():
        print(f"\n  {name}: {alarms} false alarms in {WALKS:,} walks of 400 steps")  # noqa: T201 - the rate is a result
    assert alarms == 0 if not fat else alarms / (WALKS * 400) < 1e-5


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("factor", [1.05, 0.9, 100.0, 0.01])
def test_an_injected_spike_is_found_with_its_baseline(seed: int, factor: float) -> None:
    prices = walk(seed)
    place = 20 + seed * 17
    before, after = prices[place - 1], prices[place + 1]
    prices[place] *= factor
    places, [found] = false_ticks(prices, stamps(400), "A", first=1_000)
    assert places.tolist() == [1_000 + place]
    assert found.index == 1_000 + place
    assert found.symbol == "A"
    assert found.timestamp == T0 + timedelta(minutes=place)
    assert found.price == prices[place]
    assert found.baseline == pytest.approx((before * after) ** 0.5)
    assert abs(found.z_score) > SPIKE_Z
    assert (found.z_score > 0) is (factor > 1)
    assert found.severity == ("critical" if abs(found.z_score) >= CRITICAL_Z else "warning")


@pytest.mark.parametrize(("place", "neighbour"), [(0, 1), (399, 398)])
def test_at_an_end_the_price_beside_it_is_the_baseline(place: int, neighbour: int) -> None:
    prices = walk(3)
    prices[place] *= 1.5
    _, [found] = false_ticks(prices, stamps(400), "A")
    assert found.index == place
    assert found.baseline == pytest.approx(prices[neighbour])


def test_prices_that_are_missing_are_no_baseline() -> None:
    prices = walk(4)
    prices[[199, 201, 202]] = [np.nan, 0.0, np.nan]
    prices[200] *= 1.5
    _, [found] = false_ticks(prices, stamps(400), "A")
    assert found.index == 200
    assert found.baseline == pytest.approx((prices[198] * prices[203]) ** 0.5)


def test_a_report_describes_the_worst_and_counts_all() -> None:
    prices = walk(5, rows=2_000)
    prices[10:1_990:40] *= 1.2
    prices[810] *= 1.5
    report = assess(bars(prices), calendar="24x7", interval="1m")
    [spike] = [finding for finding in report.findings if finding.code == "spike"]
    assert spike.count == 50
    assert len(report.anomalies) == MOST_ANOMALIES
    assert max(report.anomalies, key=lambda each: each.z_score).index == 810
    assert [each.index for each in report.anomalies] == sorted(each.index for each in report.anomalies)


def test_anomalies_of_parts_are_placed_among_the_rows_of_all() -> None:
    prices = walk(6, rows=800)
    prices[[100, 600]] *= 1.3
    whole = bars(prices)
    parts = [
        assess(whole.slice(first, 400), calendar="24x7", interval="1m", start=None, end=None) for first in (0, 400)
    ]
    merged = merge(parts)
    assert [each.index for each in merged.anomalies] == [100, 600]
    assert [each.timestamp for each in merged.anomalies] == [T0 + timedelta(minutes=n) for n in (100, 600)]


def test_quotes_are_judged_by_the_middle_of_bid_and_ask() -> None:
    prices = walk(7, rows=100)
    prices[50] *= 2
    rows = [
        {"symbol": "A", "ts": T0 + timedelta(seconds=n), "sequence": n, "bid": price * 0.999, "ask": price * 1.001}
        for n, price in enumerate(prices.tolist())
    ]
    [found] = assess(Frame.from_records(Dimension.QUOTES, rows), calendar="24x7").anomalies
    assert found.index == 50
    assert found.price == pytest.approx(prices[50])


@pytest.mark.parametrize("steps", [(1.05, 1.05), (1.05, 0.98)])
def test_prices_that_go_on_or_come_back_in_part_are_no_false_tick(steps: tuple[float, float]) -> None:
    prices = walk(11)
    prices[200:] *= steps[0]
    prices[201:] *= steps[1]
    assert spikes(prices)[0].size == 0
