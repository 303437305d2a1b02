"""A trading process that records a quote every few milliseconds: `python -m tests.services.recording SYMBOL`.

Its settings are read from standard input as JSON, so that no password is in an argument. On standard output it says how
its relay is, whenever that changes.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

import anyio

from backbone import Backbone, Dimension, Frame, StoreUnavailable
from backbone.settings import load_settings
from tests.services.stores import DAY

PACE = 0.02


def quote(symbol: str, n: int) -> Frame:
    at = DAY + timedelta(milliseconds=n)
    return Frame.from_records(
        Dimension.QUOTES,
        [{"symbol": symbol, "ts": at, "sequence": n, "bid": 1.0 + n, "bid_size": 1.0, "ask": 2.0 + n, "ask_size": 1.0}],
    )


def word_of(backbone: Backbone) -> str:
    """What the relay says of itself."""
    [entry] = [each for each in backbone.roster().entries if each.path.endswith("/stream/relay")]
    return f"{entry.health.level} {entry.health.why}"


async def record(overrides: dict[str, Any], symbol: str) -> None:
    async with Backbone.open(load_settings(profile="timescale", env={}, overrides=overrides)) as backbone:
        said = ""
        for n in count(1):
            if (word := word_of(backbone)) != said:
                said = word
                print(said, flush=True)  # noqa: T201
            with suppress(StoreUnavailable):  # who was frozen within a transaction is told that it did not take place
                await backbone.record(quote(symbol, n))
            await anyio.sleep(PACE)


if __name__ == "__main__":
    anyio.run(record, json.loads(sys.stdin.readline()), sys.argv[1])
