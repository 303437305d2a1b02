"""A good answer, changed at random: either rows come out or a reason why not, and never anything else."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension
from backbone.settings import Settings
from backbone.settings.sections.providers import ProvidersSettings, YahooSettings
from backbone.sources.errors import SourceError
from backbone.sources.http.opening import Connection
from backbone.sources.http.timing import Timing
from backbone.sources.http.transport import Answer, Bounds
from backbone.sources.yahoo.source import YahooSource
from tests.backbone.sources.shapes import FIRST, START, chart
from tests.campaigns import so_many

GOOD = chart(
    rows=4,
    adjclose=[1.0, 2.0, 3.0, 4.0],
    events={
        "dividends": {str(FIRST): {"amount": 0.24, "date": FIRST}},
        "splits": {str(FIRST): {"date": FIRST, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}},
    },
)
ODD: list[Any] = [
    None, True, -1, 0, 1e308, -1e308, 10**30, -(10**30), 1e-320, "", "NaN", "x" * 2000, "\x00", "\ud83d\ude00", "é",
    [], {}, [[]], {"a": {}}, "America/New_York", "../../etc", FIRST * 1000, 253_402_300_800,
]  # fmt: skip
SERVED = [Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.TRADES, Dimension.MACRO_EVENTS]


class Canned:
    """A transport that has one answer."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str], bounds: Bounds, timing: Timing
    ) -> Answer:
        return Answer(200, {}, self._body)

    def forget(self) -> None: ...

    def cut(self) -> None: ...

    def close(self) -> None: ...


def outcome(body: bytes, dimension: Dimension) -> None:
    quick = ProvidersSettings(attempts=1, max_bytes=10**6, yahoo=YahooSettings(rate=1000.0))
    interval = "1h" if dimension is Dimension.INTRADAY_BARS else None
    source = YahooSource(
        dimension,
        symbols=["ACME"],
        interval=interval,
        start=START,
        end=datetime(2024, 3, 5, tzinfo=UTC),
        settings=Settings(providers=quick),
        connection=Connection(quick, transport=Canned(body)),
    )
    with suppress(SourceError):
        for chunk in source.chunks():
            assert chunk.frame.dimension is dimension
            assert all(row.reason for row in chunk.quarantined)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inside for place in places(each, (*at, key)))]


PLACES = places(GOOD)[1:]


@pytest.mark.campaign
@settings(max_examples=so_many(300, part=100))
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=1, max_size=3), st.sampled_from(SERVED)
)
def test_a_value_of_another_kind_is_rows_or_a_reason(
    changes: list[tuple[tuple[Any, ...], Any]], dimension: Dimension
) -> None:
    body = json.loads(json.dumps(GOOD))
    for place, value in changes:
        inside = body
        try:
            for key in place[:-1]:
                inside = inside[key]
            inside[place[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    outcome(json.dumps(body).encode(), dimension)


@pytest.mark.campaign
@settings(max_examples=so_many(300, part=100))
@given(st.integers(0, 2**32), st.sampled_from(SERVED))
def test_bytes_that_were_changed_lost_or_doubled_are_rows_or_a_reason(seed: int, dimension: Dimension) -> None:
    rng = random.Random(seed)
    body = bytearray(json.dumps(GOOD).encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body))
        piece = body[at : at + rng.randint(1, 30)]
        match rng.randrange(4):
            case 0:
                body[at] = rng.randrange(256)
            case 1:
                del body[at : at + len(piece)]
            case 2:
                body[at:at] = piece
            case _:
                body[at:at] = rng.choice([b"NaN", b"1e999", b"[", b"{", b'"', b"\xff", b"\\u0000", b",", b"9" * 400])
    outcome(bytes(body), dimension)
