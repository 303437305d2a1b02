"""Dividends and splits of a chart as events: of the symbol, on the date from which on its price is without them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from backbone.domain.clock import from_us
from backbone.sources.macro import events_frame, kind_of
from backbone.sources.numbers import number
from backbone.sources.port import BadRow, SourceChunk, excerpt
from backbone.sources.yahoo.bars import dates_of
from backbone.sources.yahoo.chart import Chart, Dividend, Events, Meta, Split

__all__ = ["actions_of"]

_FIRST, _LAST = -5_364_662_400, 4_133_980_800


def actions_of(chart: Chart, symbol: str) -> SourceChunk:
    """The actions of one symbol.

    A dividend's amount, and of a split how many new shares come for an old one, is ``actual``.

    Args:
        chart: the answer.
        symbol: as it was asked for.
    """
    rows: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    events = chart.events or Events()
    actions: list[tuple[str, Dividend | Split]] = [*events.dividends.items(), *events.splits.items()]
    for key, action in sorted(actions, key=lambda each: each[0]):
        try:
            rows.append(_row(symbol, action, chart.meta))
        except ValueError as error:
            bad.append(BadRow(f"yahoo {symbol} action {excerpt(key)}", str(error), excerpt(str(action))))
    given = events_frame(rows)
    ordered = given.ordered()
    return SourceChunk(ordered, tuple(bad), "", 0, given if ordered.num_rows < given.num_rows else None)


def _row(symbol: str, action: Dividend | Split, meta: Meta) -> dict[str, Any]:
    if isinstance(action, Dividend):
        event, actual, currency = "Dividend", number(action.amount), action.currency or meta.currency
    else:
        new, old = number(action.numerator), number(action.denominator)
        if new <= 0 or old <= 0:
            raise ValueError(f"a split of {new:g} for {old:g} is none")
        event, actual, currency = "Split", new / old, None
    kind = kind_of(event)
    return {
        "calendar": symbol,
        "event": event,
        "ts": _date(action.date, meta),
        "currency": currency,
        "actual": actual,
        "category": None if kind is None else kind.category,
    }


def _date(seconds: int | None, meta: Meta) -> datetime:
    if seconds is None or not _FIRST <= seconds <= _LAST:
        raise ValueError(f"ts: {seconds} is no second of a year from 1800 to 2100")
    return from_us(int(dates_of(np.array([seconds * 1_000_000], dtype=np.int64), meta)[0]))
