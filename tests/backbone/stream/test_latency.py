"""Latencies: exact percentiles of known samples, and bounded memory."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from backbone import Dimension
from backbone.stream.latency import Latencies

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def fed(samples: list[float], dimension: Dimension = Dimension.QUOTES, into: Latencies | None = None) -> Latencies:
    latencies = into or Latencies()
    for sample in samples:
        latencies.record(NOW, NOW + timedelta(milliseconds=sample), dimension)
    return latencies


def test_known_samples_give_exact_percentiles() -> None:
    overall = fed([float(n) for n in range(100, 0, -1)]).summary().overall
    assert overall is not None
    assert (overall.count, overall.min, overall.max, overall.avg) == (100, 1.0, 100.0, 50.5)
    assert (overall.p50, overall.p95, overall.p99) == (50.0, 95.0, 99.0)


@pytest.mark.parametrize(
    ("samples", "percentiles"),
    [([7.0], (7.0, 7.0, 7.0)), ([1.0, 3.0], (1.0, 3.0, 3.0)), ([5.0, 1.0, 3.0], (3.0, 5.0, 5.0))],
    ids=str,
)
def test_a_percentile_is_a_sample_that_was_seen(samples: list[float], percentiles: tuple[float, ...]) -> None:
    overall = fed(samples).summary().overall
    assert overall is not None
    assert (overall.p50, overall.p95, overall.p99) == percentiles


def test_each_dimension_has_its_own_and_all_count_overall() -> None:
    latencies = fed([10.0], Dimension.TRADES, fed([1.0, 2.0]))
    summary = latencies.summary()
    assert {dimension: spread.count for dimension, spread in summary.dimensions.items()} == {
        Dimension.QUOTES: 2,
        Dimension.TRADES: 1,
    }
    assert summary.overall is not None
    assert summary.overall.max == summary.dimensions[Dimension.TRADES].min == 10.0


def test_nothing_seen_is_nothing_told() -> None:
    assert Latencies().summary().overall is None
    assert Latencies().facts() == {}


def test_clocks_that_disagree_give_no_negative_latency() -> None:
    assert fed([-5.0]).facts() == {"count": 1, "p50_ms": 0.0, "p95_ms": 0.0, "p99_ms": 0.0}


def test_percentiles_are_of_the_newest_samples_and_counts_of_all() -> None:
    latencies = fed([1000.0] * 4096)
    fed([1.0] * 4096, into=latencies)
    overall = latencies.summary().overall
    assert overall is not None
    assert (overall.count, overall.max, overall.p99) == (8192, 1000.0, 1.0)


def test_percentiles_of_any_samples_are_those_of_their_order() -> None:
    """However many there are, in whatever order they came, and where many are equal."""
    draw = random.Random(7)
    for count in (1, 2, 19, 20, 21, 100, 4095, 4096, 5000):
        samples = [draw.choice((1.0, draw.uniform(0, 50))) for _ in range(count)]
        overall = fed(samples).summary().overall
        newest = sorted(round(each * 1000) for each in samples[-4096:])
        assert overall is not None
        for share, told in ((50, overall.p50), (95, overall.p95), (99, overall.p99)):
            assert round(told * 1000) == newest[-(-share * len(newest) // 100) - 1]
