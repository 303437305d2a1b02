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

Call = Coroutine[Any, Any, object]

_QUOTES = Dimension.QUOTES
_BURST = 100


class Quote(msgspec.Struct):
    """A row as a feed has it."""

    symbol: str
    ts: datetime
    bid: float
    ask: float


async def costs(backbone: Backbone, rows: int) -> Cost:
    """Medians over so many rows in each form; the last one is built as columns, as a frame of many rows is.

    The calls come in bursts, as those of a feed that has fallen behind: between two of them nothing else runs.
    """
    forms: dict[str, Callable[[dict[str, Any]], Call]] = {
        "mapping": lambda row: backbone.record(row, "quotes"),
        "Struct": lambda row: backbone.record(Quote(**row), "quotes"),
        "Frame.from_records": lambda row: backbone.record(Frame.from_records(_QUOTES, [row])),
        "Frame.from_arrow": lambda row: backbone.record(Frame.from_arrow(_QUOTES, records_to_arrow(_QUOTES, [row]))),
    }
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(max(1, rows // _BURST)):
        for name, form in forms.items():
            begun = [_begun(form, quote()) for _ in range(_BURST)]
            taken[name] += [spent for spent, _, _ in begun]
            for _, call, step in begun:
                await _ended(call, step)
    return {name: statistics.median(each) for name, each in taken.items()}


def _begun(form: Callable[[dict[str, Any]], Call], row: dict[str, Any]) -> tuple[float, Call, Any]:
    """The first step of a call, by hand: it ends where the call waits for its answer."""
    began = time.thread_time()
    call = form(row)
    step = call.send(None)
    return time.thread_time() - began, call, step


async def _ended(call: Call, step: Any) -> None:
    while True:
        await (asyncio.sleep(0) if step is None else asyncio.wait([step]))
        try:
            step = call.send(None)
        except StopIteration:
            return
