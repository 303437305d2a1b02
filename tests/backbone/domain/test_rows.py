"""Frames of a few plain rows: no columns until they are asked for, and then the same as by the long way."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from backbone import Dimension, Frame
from backbone.domain.conversion import records_to_arrow
from tests.backbone.quotes import QUOTE, START, Quote


class Foreign(msgspec.Struct):
    symbol: str
    ts: datetime
    price: float
    spread: float


def the_long_way(dimension: Dimension, rows: list[dict[str, object]]) -> Frame:
    return Frame.from_arrow(dimension, records_to_arrow(dimension, rows))


def any_value(rng: random.Random, dimension: Dimension, name: str) -> object:
    if name == "ts":
        zone = rng.choice([UTC, timezone(timedelta(hours=2)), ZoneInfo("America/New_York")])
        if dimension is Dimension.DAILY_BARS:
            return datetime(2024, 3, rng.randrange(8, 12), tzinfo=zone)
        return (START + timedelta(microseconds=rng.randrange(4))).astimezone(zone)
    if name == "interval":
        return rng.choice(["1h", "5m", "1d"])
    if dimension.kinds[name] == "int64":
        return rng.randrange(3)
    if dimension.kinds[name] == "double":
        return rng.choice([None, 1, 1.5, -0.0, float("nan"), float("inf"), np.float64(2.5), 2**53])
    if name in dimension.key:
        return rng.choice(["A", "B", "é", "中", "𝄞", "a b"])
    return rng.choice([None, "", "X", "中"])


@pytest.mark.parametrize("dimension", Dimension)
def test_plain_rows_become_the_same_frame_as_by_the_long_way(dimension: Dimension) -> None:
    rng = random.Random(dimension.value)
    numbered = dimension in {Dimension.TRADES, Dimension.QUOTES}
    for _ in range(300):
        names = [name for name in dimension.key if name != "sequence" or not numbered or rng.random() < 0.5]
        names += rng.sample(dimension.values, rng.randrange(len(dimension.values) + 1))
        rng.shuffle(names)
        rows = [{name: any_value(rng, dimension, name) for name in names} for _ in range(rng.choice([1, 1, 2, 7]))]
        frame, expected = Frame.from_records(dimension, rows), the_long_way(dimension, rows)
        assert frame.cells is not None or (numbered and len(rows) > 1)
        assert (len(frame), frame.symbols, frame.span_us) == (len(expected), expected.symbols, expected.span_us)
        assert frame == expected
        assert frame.canonical_bytes() == expected.canonical_bytes()
        assert frame.to_arrow().validate(full=True) is None


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"symbol": " "},
        {"symbol": None},
        {"symbol": 5},
        {"symbol": "A\0"},
        {"symbol": "A\ud800"},
        {"symbol": "é" * 600},
        {"ts": START.replace(tzinfo=None)},
        {"ts": START.date()},
        {"ts": None},
        {"ts": "2024-01-01T00:00:00Z"},
        {"ts": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
        {"bid": "1.1"},
        {"bid": True},
        {"bid": 10**400},
        {"venue": "A\0"},
        {"venue": 5},
        {"sequence": 2**63},
        {"sequence": 1.5},
        {"price": 1.0},
    ],
)
def test_a_mistake_is_refused_by_the_same_words_in_a_mapping_as_by_the_long_way(change: dict[str, object]) -> None:
    row = {**QUOTE, **change}
    with pytest.raises((ValueError, TypeError)) as expected:
        the_long_way(Dimension.QUOTES, [row])
    for rows in ([row], [QUOTE, row]):
        with pytest.raises(expected.type) as given:
            Frame.from_records("quotes", rows)
        assert str(given.value) == str(expected.value) or len(rows) > 1


@pytest.mark.parametrize("change", [{"bid": Decimal("1.5")}, {"bid": np.int64(2)}, {"sequence": np.int64(2)}])
def test_values_that_are_not_plain_are_converted_as_ever(change: dict[str, object]) -> None:
    row = {**QUOTE, **change}
    assert Frame.from_records("quotes", [row]) == the_long_way(Dimension.QUOTES, [row])


def test_structs_are_rows_as_mappings_are() -> None:
    plain = Quote("EURUSD", START, 1.1, 1.2)
    for row in (plain, Quote("EURUSD", START, 1.1, 1.2, "LMAX")):
        given: dict[str, object] = {k: v for k, v in msgspec.structs.asdict(row).items() if v is not msgspec.UNSET}
        frame = Frame.from_records("quotes", [row])
        assert frame.cells is not None
        assert frame == Frame.from_records("quotes", [given]) == the_long_way(Dimension.QUOTES, [given])
    mixed: list[Any] = [plain, {**QUOTE, "bid": 1.3}]
    assert Frame.from_records("quotes", mixed) == the_long_way(Dimension.QUOTES, [QUOTE, {**QUOTE, "bid": 1.3}])
    with pytest.raises(ValueError, match=r"quotes: unknown column 'price', 'spread'; the columns are symbol, ts"):
        Frame.from_records("quotes", [Foreign("EURUSD", START, 1.1, 0.1)])
    with pytest.raises(TypeError, match="allowed is a list of mappings or msgspec Structs, one for each row"):
        Frame.from_records("quotes", plain)  # type: ignore[arg-type]


def test_frames_with_and_without_columns_are_joined_in_the_order_given() -> None:
    def quote(bid: float, micro: int) -> Frame:
        return Frame.from_records("quotes", [{**QUOTE, "bid": bid, "ts": START + timedelta(microseconds=micro)}])

    frames = [quote(1.0, 2), quote(2.0, 1), quote(3.0, 2), quote(4.0, 0), quote(5.0, 1)]
    expected = Frame.concat([Frame.from_arrow("quotes", frame.to_arrow()) for frame in frames])
    for columns in range(2 ** len(frames)):
        given = [
            Frame.from_arrow("quotes", frame.to_arrow()) if columns >> at & 1 else frame
            for at, frame in enumerate(frames)
        ]
        assert Frame.concat(given) == expected
    assert expected.column("bid").tolist() == [4.0, 2.0, 5.0, 1.0, 3.0]


def test_names_that_are_refused_for_their_length_are_not_remembered() -> None:
    """Thousands of looked at names are, and each could be of any size."""

    def refused(start: str) -> None:
        with pytest.raises(ValueError, match="bytes given; allowed are 1,024"):
            Frame.from_records("quotes", [{**QUOTE, "symbol": start + "x" * 1_000_000}])

    refused("")
    tracemalloc.start()
    try:
        for n in range(10):
            refused(str(n))
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()
