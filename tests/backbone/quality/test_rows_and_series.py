"""Checks of single rows, the screening of impossible ones, and spikes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Frame
from backbone.quality.anomalies import spikes
from backbone.quality.checks import CHECKS
from backbone.quality.screening import screen

T0 = datetime(2018, 6, 4, 10, tzinfo=UTC)
BAR = {"symbol": "A", "interval": "1h", "ts": T0, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0}
QUOTE = {"symbol": "A", "ts": T0, "sequence": 1, "bid": 10.0, "ask": 10.1, "bid_size": 1.0, "ask_size": 1.0}
TRADE = {"symbol": "A", "ts": T0, "sequence": 1, "price": 10.0, "size": 100.0}
EVENT = {"calendar": "US", "event": "CPI", "ts": T0, "actual": -1.0}


def frame_of(dimension: str, *records: dict[str, object]) -> Frame:
    return Frame.from_records(dimension, list(records))


@pytest.mark.parametrize(
    ("dimension", "record", "found"),
    [
        ("intraday", BAR, []),
        ("intraday", BAR | {"volume": None}, []),
        ("intraday", BAR | {"high": 12.0, "low": 12.0, "open": 12.0, "close": 12.0}, []),
        ("intraday", BAR | {"close": float("inf")}, ["infinite_value"]),
        ("intraday", BAR | {"low": 0.0}, ["non_positive_price"]),
        ("intraday", BAR | {"low": -1.0}, ["non_positive_price"]),
        ("intraday", BAR | {"volume": -1.0}, ["negative_size"]),
        ("intraday", BAR | {"high": 8.0}, ["high_below_low"]),
        ("intraday", BAR | {"close": None}, ["no_price", "missing_price"]),
        ("intraday", BAR | {"close": float("nan")}, ["no_price", "missing_price"]),
        ("intraday", BAR | {"open": None}, ["missing_price"]),
        ("intraday", BAR | {"close": 12.5}, ["inconsistent_bar"]),
        ("intraday", BAR | {"open": 8.5}, ["inconsistent_bar"]),
        ("quotes", QUOTE, []),
        ("quotes", QUOTE | {"bid": None}, []),
        ("quotes", QUOTE | {"bid": 10.1}, []),
        ("quotes", QUOTE | {"bid": 10.2}, ["crossed_quote"]),
        ("quotes", QUOTE | {"bid": None, "ask": None}, ["no_price", "missing_price"]),
        ("quotes", QUOTE | {"ask_size": -1.0}, ["negative_size"]),
        ("trades", TRADE, []),
        ("trades", TRADE | {"price": 0.0}, ["non_positive_price"]),
        ("trades", TRADE | {"size": -1.0}, ["negative_size"]),
        ("macro", EVENT, []),
        ("macro", EVENT | {"actual": float("-inf")}, ["infinite_value"]),
    ],
)
def test_what_each_check_finds(dimension: str, record: dict[str, object], found: list[str]) -> None:
    frame = frame_of(dimension, record)
    assert [check.code for check in CHECKS if check.find(frame).any()] == found


def test_impossible_rows_are_screened_out_and_odd_ones_stay() -> None:
    negative: dict[str, object] = {"close": -1.0, "volume": -2.0}
    changes: list[dict[str, object]] = [{}, negative, {"close": 12.5}, {"high": 8.0}, {"open": None}, {"close": None}]
    rows = [{**BAR, "ts": T0 + timedelta(hours=n), **change} for n, change in enumerate(changes)]
    good, bad = screen(frame_of("intraday", *rows))
    assert good.num_rows == 2
    assert [(row.location.partition(" #")[0], row.reason) for row in bad] == [
        ("A 1h 2018-06-04T11:00:00Z", "has a price of zero or less; has a negative size"),
        ("A 1h 2018-06-04T12:00:00Z", "opens or closes outside its low and high"),
        ("A 1h 2018-06-04T13:00:00Z", "has a high below its low"),
        ("A 1h 2018-06-04T15:00:00Z", "has no price to go by"),
    ]
    assert bad[0].excerpt == "open=10.0 high=12.0 low=9.0 close=-1.0 volume=-2.0"


def test_two_bad_rows_of_one_key_have_two_locations_and_the_same_row_has_one() -> None:
    rows = [{**BAR, "close": close} for close in (-1.0, -2.0, -1.0)]
    first, second, again = (screen(frame_of("intraday", row))[1][0].location for row in rows)
    assert first == again != second


def test_a_good_frame_passes_the_screen_untouched() -> None:
    frame = frame_of("intraday", BAR)
    assert screen(frame) == (frame, ())
    assert screen(frame)[0] is frame
    empty = Frame.empty("quotes")
    assert screen(empty) == (empty, ())


def test_the_excerpt_of_a_rejected_row_is_safe_to_print() -> None:
    _, bad = screen(frame_of("trades", TRADE | {"price": 0.0, "venue": "\x1b[31m" + "x" * 500}))
    assert bad[0].excerpt.isprintable()
    assert len(bad[0].excerpt) == 200


def random_walk(seed: int, n: int = 500) -> np.ndarray:
    walk: np.ndarray = 1.2 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-4, n)))
    return walk


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), place=st.integers(0, 499), up=st.booleans())
def test_an_injected_spike_is_found_and_nothing_else(seed: int, place: int, up: bool) -> None:
    prices = random_walk(seed)
    assert spikes(prices)[0].size == 0
    prices[place] *= 1.01 if up else 0.99
    places, scores = spikes(prices)
    assert places.tolist() == [place]
    assert abs(scores[0]) > 12
    assert bool(scores[0] > 0) is up


def test_a_jump_that_stays_is_news_not_a_spike() -> None:
    prices = random_walk(1)
    prices[250:] *= 1.02
    assert spikes(prices)[0].size == 0


@pytest.mark.parametrize(
    "prices", [[], [1.0], [1.0, 2.0], [1.0] * 100, [float("nan")] * 20, [0.0, -1.0] * 10, [1.0, 1.1] * 20]
)
def test_series_without_enough_to_judge_have_no_spikes(prices: list[float]) -> None:
    assert spikes(np.array(prices))[0].size == 0


def test_missing_prices_are_passed_over() -> None:
    prices = random_walk(2)
    prices[100:110] = np.nan
    prices[300] *= 1.05
    assert spikes(prices)[0].tolist() == [300]
