"""Samples shared by the domain tests."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Dimension, Frame

HOUR_US = 3_600_000_000
DAMAGES = int(os.environ.get("FUZZ_SEEDS", "250"))
"""Random damages to each payload; more on request: `FUZZ_SEEDS=10000 .venv/bin/pytest -q tests/backbone/domain`."""


def bars_table(rows: int, symbol: str = "EURUSD", first: int = 0) -> pa.Table:
    random = np.random.default_rng(rows)
    columns: dict[str, Any] = {
        "symbol": pa.array([symbol] * rows, pa.string()),
        "interval": pa.array(["1h"] * rows, pa.string()),
        "ts": pa.array((first + np.arange(rows)) * HOUR_US, pa.timestamp("us", "UTC")),
    }
    columns.update({name: random.random(rows) for name in ("open", "high", "low", "close")})
    columns["volume"] = pa.nulls(rows, pa.float64())
    return pa.table(columns)


@pytest.fixture
def bars() -> Frame:
    return Frame.from_arrow(Dimension.INTRADAY_BARS, bars_table(100))
