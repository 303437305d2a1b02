"""What one row costs its caller before it lies in the mailbox of ingest: processor time of this thread."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

import msgspec

from backbone import Backbone, Dimension, Frame
from backbone.domain.conversion import records_to_arrow
from tests.benchmarks.paced_load import quote

__all__ = ["Cost", "costs"]

Cost = Mapping[str, float]
"""Seconds, by what was given."""

_QUOTES = Dimension.QUOTES


class Quote(msgspec.Struct):
    """A row as a feed has it."""

    symbol: str
    ts: datetime
    bid: float
    ask: float


async def costs(backbone: Backbone, rows: int) -> Cost:
    """Medians over so many rows in each form; the last one is built as columns, as a frame of many rows is."""
    forms: dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, object]]] = {
        "mapping": lambda row: backbone.record(row, "quotes"),
        "Struct": lambda row: backbone.record(Quote(**row), "quotes"),
        "Frame.from_records": lambda row: backbone.record(Frame.from_records(_QUOTES, [row])),
        "Frame.from_arrow": lambda row: backbone.record(Frame.from_arrow(_QUOTES, records_to_arrow(_QUOTES, [row]))),
    }
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rows):
        for name, form in forms.items():
            taken[name].append(await _until_queued(form, quote()))
    return {name: statistics.median(each) for name, each in taken.items()}


async def _until_queued(form: Callable[[dict[str, Any]], Coroutine[Any, Any, object]], row: dict[str, Any]) -> float:
    """Drive a call by hand: its first step ends where it waits for its answer."""
    began = time.thread_time()
    call = form(row)
    step = call.send(None)
    spent = time.thread_time() - began
    while True:
        await (asyncio.sleep(0) if step is None else asyncio.wait([step]))
        try:
            step = call.send(None)
        except StopIteration:
            return spent
