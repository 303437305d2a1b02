"""Bars of the labelled set: right ones, drawn around what is real, and the same with a fault planted in them."""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backbone.domain import Dimension, Frame
from backbone.sources.actions import Action

DATA = Path(__file__).parents[3] / "data" / "repairs"
BEFORE, AFTER = 100, 60
PRICES = ("open", "high", "low", "close")
Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Case:
    """A line of the labelled set."""

    name: str
    symbol: str
    rule: str
    fault: str
    event: date
    amount: str
    level: float
    source: str

    @property
    def actions(self) -> list[Action]:
        """What is known besides the bars."""
        if self.rule == "split":
            return [Action(symbol=self.symbol, day=self.event, split=float(self.amount))]
        if self.rule == "dividend":
            return [Action(symbol=self.symbol, day=self.event, dividend=float(self.amount))]
        return []


def cases() -> list[Case]:
    """The labelled set."""
    return [
        Case(**{**row, "event": date.fromisoformat(row["event"]), "level": float(row["level"])})  # type: ignore[arg-type]
        for row in lines("labelled.csv")
    ]


def lines(name: str) -> list[dict[str, str]]:
    """The rows of a file of the set, without its comment."""
    text = (DATA / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in text if not line.startswith("#")))


def right(case: Case) -> Columns:
    """What the bars should be: in the shares, the unit and with the dividends of the newest of them."""
    level = case.level / float(case.amount) if case.rule == "split" else case.level
    columns = drawn(case.name, level, BEFORE + AFTER)
    factor = np.ones(BEFORE + AFTER)
    for at in (BEFORE - 70, BEFORE + 40):
        factor[:at] *= 0.995  # dividends that are in, and that nobody asks about
    if case.rule == "dividend":
        factor[:BEFORE] *= 1 - float(case.amount) / columns["close"][BEFORE - 1]
    columns["adj_close"] = columns["close"] * factor
    return columns


def drawn(seed: str, level: float, rows: int) -> Columns:
    """Bars of a seeded random walk that passes a level at row ``BEFORE - 1``, a day's moves of 1.5 %."""
    random = np.random.default_rng(zlib.crc32(seed.encode()))
    walk = np.cumsum(random.normal(0, 0.015, rows))
    close = level * np.exp(walk - walk[min(BEFORE, rows) - 1])
    opened = np.concatenate((close[:1], close[:-1])) * np.exp(random.normal(0, 0.003, rows))
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(0, 0.004, rows)))
    low = np.minimum(opened, close) * np.exp(-np.abs(random.normal(0, 0.004, rows)))
    volume = np.rint(np.exp(random.normal(14, 0.4, rows)))
    return {"open": opened, "high": high, "low": low, "close": close, "volume": volume}


def faulty(case: Case) -> Columns:
    """The same as a vendor gave it: with the fault, and rounded to six digits."""
    columns = {name: values.copy() for name, values in right(case).items()}
    {"split": _split, "dividend": _dividend, "unit": _unit, "missing": _missing}[case.rule](case, columns)
    return {name: rounded(values) for name, values in columns.items()}


def _split(case: Case, columns: Columns) -> None:
    ratio = float(case.amount)
    rows, power = {
        "before": (slice(0, BEFORE), 1),
        "late": (slice(0, BEFORE + 3), 1),
        "early": (slice(0, BEFORE - 3), 1),
        "block": (slice(BEFORE - 30, BEFORE - 18), 1),
        "day": (slice(BEFORE, BEFORE + 1), -1),
        "twice": (slice(0, BEFORE), -1),
        "adjusted": (slice(0, BEFORE), 1),
    }[case.fault]
    for name in ("adj_close",) if case.fault == "adjusted" else (*PRICES, "adj_close"):
        columns[name][rows] *= ratio**power
    if case.fault != "adjusted":
        columns["volume"][rows] /= ratio**power


def _dividend(case: Case, columns: Columns) -> None:
    paid = float(case.amount) / columns["close"][BEFORE - 1]
    booked = {"not": 0.0, "twice": 2 * paid - paid**2, "hundredfold": 100 * paid, "hundredth": paid / 100}[case.fault]
    columns["adj_close"][:BEFORE] *= (1 - booked) / (1 - paid)


def _unit(case: Case, columns: Columns) -> None:
    every = (*PRICES, "adj_close")
    if case.fault == "cells":
        for name, row in (("low", BEFORE), ("open", BEFORE + 7), ("high", BEFORE + 9), ("close", BEFORE + 21)):
            columns[name][row] /= 100
        return
    rows, names, by = {
        "rows": ([BEFORE, BEFORE + 1, BEFORE + 2, BEFORE + 20], every, 0.01),
        "up": ([BEFORE - 40, BEFORE + 5, BEFORE + 6], every, 100.0),
        "end": (range(BEFORE + AFTER - 7, BEFORE + AFTER), every, 0.01),
        "start": (range(12), every, 0.01),
        "adj_close": (range(BEFORE, BEFORE + 5), ("adj_close",), 0.01),
    }[case.fault]
    for name in names:
        columns[name][list(rows)] *= by


def _missing(case: Case, columns: Columns) -> None:
    columns[case.fault][[BEFORE, BEFORE + 9, BEFORE + 31]] = np.nan if case.fault == "close" else 0.0


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Six digits, as text files have them."""
    return np.array([float(f"{value:.6g}") for value in values.tolist()])


def frame(symbol: str, first: date, columns: Columns) -> Frame:
    """Daily bars on weekdays."""
    days, day = list[datetime](), datetime(first.year, first.month, first.day, tzinfo=UTC)
    while len(days) < len(columns["close"]):
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    stamps = pa.array(days, pa.timestamp("us", "UTC"))
    table = pa.table({"symbol": [symbol] * len(days), "ts": stamps, **{n: pa.array(v) for n, v in columns.items()}})
    return Frame.from_arrow(Dimension.DAILY_BARS, table)


def first_day(event: date) -> date:
    """The weekday from which on the event is row ``BEFORE``."""
    day, left = event, BEFORE
    while left:
        day -= timedelta(days=1)
        left -= day.weekday() < 5
    return day


def control(row: dict[str, str]) -> Frame:
    """Real closes between drawn bars that lead up to them and away from them."""
    given = [each.partition("/") for each in row["closes"].split()]
    closes = np.array([float(close) for close, _, _ in given])
    ahead = drawn(row["name"], closes[0], 60)
    behind = drawn(row["name"] + "!", closes[-1], 60)
    scale = closes[0] / ahead["close"][-1], closes[-1] / behind["close"][0]
    opened = np.concatenate((closes[:1], closes[:-1]))
    low = np.minimum(opened, closes)
    for place, (_, _, own) in enumerate(given):
        low[place] = float(own) if own else low[place]
    middle = {"open": opened, "high": np.maximum(opened, closes), "low": low, "close": closes}
    columns = {name: np.concatenate((ahead[name] * scale[0], middle[name], behind[name] * scale[1])) for name in PRICES}
    columns["volume"] = np.concatenate((ahead["volume"], np.full(len(closes), 1e6), behind["volume"]))
    columns["adj_close"] = columns["close"]
    return frame(row["symbol"], first_day(date.fromisoformat(row["first"])), columns)
