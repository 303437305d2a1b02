"""Callers of `record` at an even pace, and as many as go in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import anyio

from backbone import Backbone

__all__ = ["Pace", "Percentiles", "Samples", "paced", "percentiles", "sampled", "sustained"]

_STEP = 0.005  # seconds between two looks at the loop
_CALLERS = 1000
_BEHIND = 30.0  # seconds for what is under way at the end

Percentiles = tuple[float, float, float]
"""p50, p99 and the most, in seconds."""

_START = datetime(2024, 5, 6, tzinfo=UTC)
_NUMBERS = count()


def quote() -> dict[str, object]:
    """A row of a moment of its own."""
    number = next(_NUMBERS)
    bid = 1.1 + number % 97 / 1e4
    return {"symbol": f"S{number % 50}", "ts": _START + timedelta(milliseconds=number), "bid": bid, "ask": bid + 1e-4}


@dataclass
class Samples:
    """How long each record took, until it returned and until the subscriber had it; and the loop's lag, in seconds."""

    returned: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Pace:
    """The same of all records at one rate."""

    rate: int
    returned: Percentiles
    seen: Percentiles
    lag: Percentiles

    @classmethod
    def of(cls, rate: int, taken: Samples) -> Pace:
        """What was taken at a rate."""
        return cls(rate, percentiles(taken.returned), percentiles(taken.seen), percentiles(taken.lag))


async def paced(backbone: Backbone, rate: int, seconds: float) -> Pace:
    """One-row records, so many a second, whether those before them have returned or not."""
    taken = Samples()
    await sampled(backbone, rate, seconds, taken)
    return Pace.of(rate, taken)


async def sampled(backbone: Backbone, rate: int, seconds: float, into: Samples) -> None:
    """The same, added to what was taken before."""
    due: dict[int, float] = {}
    records = max(1, int(rate * seconds))

    async def send(row: dict[str, object], at: float) -> None:
        await backbone.record(row, "quotes")
        into.returned.append(anyio.current_time() - at)

    async with backbone.subscribe("quotes") as updates, anyio.create_task_group() as watching:
        watching.start_soon(_watch_loop, into.lag)
        async with anyio.create_task_group() as group:
            group.start_soon(_see, updates, due, into.seen, len(into.seen) + records)
            began = anyio.current_time()
            for number in range(records):
                at = began + number / rate
                await anyio.sleep(max(0.0, at - anyio.current_time()))
                row = quote()
                due[_micros(row["ts"])] = at
                group.start_soon(send, row, at)
        watching.cancel_scope.cancel()


async def _see(updates: object, due: dict[int, float], seen: list[float], until: int) -> None:
    async for update in updates:  # type: ignore[attr-defined]  # a Subscription
        now = anyio.current_time()
        stamps = update.frame.column("ts").view("int64").tolist()
        seen += [now - due[stamp] for stamp in stamps if stamp in due]  # others may be of a load before this one
        if len(seen) == until:
            return


async def _watch_loop(lag: list[float]) -> None:
    while True:
        began = anyio.current_time()
        await anyio.sleep(_STEP)
        lag.append(anyio.current_time() - began - _STEP)


async def sustained(backbone: Backbone, seconds: float) -> float:
    """One-row records a second, by callers of whom each waits for its answer."""
    done = 0

    async def call(until: float) -> None:
        nonlocal done
        while anyio.current_time() < until:
            await backbone.record(quote(), "quotes")
            done += 1

    began = anyio.current_time()
    with anyio.fail_after(seconds + _BEHIND):
        async with anyio.create_task_group() as group:
            for _ in range(_CALLERS):
                group.start_soon(call, began + seconds)
    return done / (anyio.current_time() - began)


def _micros(moment: object) -> int:
    assert isinstance(moment, datetime)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def percentiles(values: Sequence[float]) -> Percentiles:
    """Of durations, in any order."""
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.99)]
    return at[0], at[1], ordered[-1]
