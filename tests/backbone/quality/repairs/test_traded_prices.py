"""Years of daily bars as they were traded: every known split is brought in, and no crash is taken for one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.quality.repair import Remedies, find
from backbone.sources.actions import Action, Actions

PLACES = [folder / "shared" / "data" / "us_equities_1d.parquet" for folder in Path(__file__).parents]
TRADED = next((path for path in PLACES if path.is_file()), None)
SPLITS = [
    ("AAPL", "2000-06-21", 2.0),
    ("AAPL", "2005-02-28", 2.0),
    ("AAPL", "2014-06-09", 7.0),
    ("AAPL", "2020-08-31", 4.0),
    ("AIG", "1998-08-03", 1.5),
    ("AIG", "2000-07-31", 1.5),
    ("AIG", "2009-07-01", 0.05),
    ("BAC", "2004-08-30", 2.0),
    ("GOOG", "2014-04-03", 2.002),
    ("IBM", "1999-05-27", 2.0),
    ("QQQ", "2000-03-20", 2.0),
]
"""As the companies announced them; the prices of the file are unadjusted."""
LEFT = {("AAPL", "2000-09-29"), ("AIG", "2008-09-15"), ("AIG", "2008-09-17"), ("AIG", "2008-09-19")}
"""Moves of about a half or to the double that no split made."""

pytestmark = pytest.mark.skipif(TRADED is None, reason="daily bars of US shares lie not beside the project")


def traded() -> Frame:
    assert TRADED is not None
    return Frame.from_arrow(Dimension.DAILY_BARS, pq.read_table(TRADED))


def remedies(*actions: Action) -> Remedies:
    return Remedies(
        unit="repair",
        split="repair",
        dividend="repair",
        missing="repair",
        minor=lambda _symbol: True,
        actions=Actions(actions),
    )


def halves(frame: Frame, close: NDArray[np.float64]) -> set[tuple[str, str]]:
    """Where closes go to less than 0.6 or more than 1.7 of the one before."""
    symbols, days = frame.column("symbol"), frame.column("ts").astype("datetime64[D]").astype(str)
    moves = np.abs(np.diff(np.log(close)))
    rows = 1 + np.flatnonzero((moves > 0.51) & (symbols[1:] == symbols[:-1]))
    return {(symbols[row], days[row]) for row in rows.tolist()}


def test_every_known_split_is_brought_in_and_crashes_stay() -> None:
    given = traded()
    found = find(
        given, remedies(*(Action(symbol=s, day=date.fromisoformat(day), split=ratio) for s, day, ratio in SPLITS))
    )
    close = given.column("close").copy()
    close[found.rows] = found.values["close"]
    splits = {(symbol, day) for symbol, day, ratio in SPLITS if ratio != 1.5}
    assert halves(given, given.column("close")) == splits | LEFT
    assert halves(given, close) == LEFT
    told = set(zip(given.column("symbol")[found.rows].tolist(), found.why, strict=True))
    for symbol, day, _ in SPLITS:
        assert any(whose == symbol and day in text for whose, text in told), (symbol, day)


def test_without_known_splits_nothing_is_touched() -> None:
    assert not len(find(traded(), remedies()).rows)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 0.5, 0.1, 100.0])
def test_a_split_that_there_was_not_touches_nothing(ratio: float) -> None:
    """On every hundredth day, of every symbol."""
    given = traded()
    days = given.column("ts").astype("datetime64[D]").astype(object)
    known = {(symbol, date.fromisoformat(day)) for symbol, day, _ in SPLITS}
    actions = [
        Action(symbol=symbol, day=day, split=ratio)
        for symbol, day in zip(given.column("symbol")[::100].tolist(), days[::100].tolist(), strict=True)
        if all(whose != symbol or abs((day - other).days) > 30 for whose, other in known)
    ]
    assert len(actions) > 300
    found = find(given, remedies(*actions))
    assert not len(found.rows), found.why[:1]
