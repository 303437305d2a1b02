"""No row goes without a word: what was read became something, and what was not taken has a reason on the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone import Dimension, IngestPlan
from backbone.domain.report import cell
from backbone.ingest.plan import IngestRun
from backbone.testing import embedded
from tests.backbone.ingest.tables import Table, accounted, ran
from tests.campaigns import so_many

HEADER = "ts,symbol,price,size,sequence"
KINDS: dict[str, Callable[[int], str]] = {
    "good": lambda n: f"2024-03-01T12:00:{n:02}Z,A,1.5,1,{n}",
    "good in lower case": lambda n: f"2024-03-01T12:00:{n:02}Z,a,1.5,1,{n}",
    "without a number": lambda n: f"2024-03-01T12:00:{n:02}Z,A,1.5,1,",
    "with one key": lambda n: f"2024-03-01T12:00:00Z,A,{n + 1},1,0",
    "of another symbol": lambda n: f"2024-03-01T12:00:{n:02}Z,B,1.5,1,{n}",
    "before the start": lambda n: f"2024-03-01T11:00:{n:02}Z,A,1.5,1,{n}",
    "behind the end": lambda n: f"2024-03-01T13:00:{n:02}Z,A,1.5,1,{n}",
    "impossible": lambda n: f"2024-03-01T12:00:{n:02}Z,A,-1.5,1,{n}",
    "impossible with one key": lambda n: "2024-03-01T12:00:00Z,A,-1,1,0",
    "without a price": lambda n: f"2024-03-01T12:00:{n:02}Z,A,,1,{n}",
    "no number": lambda n: f"2024-03-01T12:00:{n:02}Z,A,n/k{n},1,{n}",
    "no time": lambda n: f"yesterday {n},A,1.5,1,{n}",
    "too few fields": lambda n: f"2024-03-01T12:00:{n:02}Z,A,1.5",
    "too many fields": lambda n: f"2024-03-01T12:00:{n:02}Z,A,1.5,1,{n},7",
    "empty fields": lambda n: ",,,,",
    "a footer": lambda n: f"Total: {n} rows,,,,",
    "a remark": lambda n: f"# page {n}",
    "a quote left open": lambda n: f'2024-03-01T12:00:{n:02}Z,"A,1.5,1,{n}',
    "the header again": lambda n: HEADER,
    "control characters": lambda n: f"2024-03-01T12:00:{n:02}Z,A\0,1.5,1,{n}",
}
BLANK = ["", "   ", "\t"]
CLEAR = [f"2024-03-01T12:30:{n:02}Z,A,1.5,1,{n}" for n in range(25)]
"""With which each file begins: one of which most lines are no rows is refused as a whole."""


def plan(path: Path, rows: int) -> IngestPlan:
    start, end = datetime(2024, 3, 1, 12, tzinfo=UTC), datetime(2024, 3, 1, 12, 59, tzinfo=UTC)
    return IngestPlan(dimensions=[Dimension.TRADES], path=path, symbols=["A"], start=start, end=end, chunk_rows=rows)


def on_the_page(run: IngestRun) -> None:
    """Each reason with its rows is in the report, however it is written."""
    page, body = run.to_markdown(), json.loads(run.to_json())
    assert body["left_out"] == dict(run.left_out)
    for why, rows in run.left_out.items():
        assert f"| {cell(why)} | {rows} |" in page


def written(path: Path, kinds: Sequence[str]) -> Path:
    lines = [KINDS[kind](n) if kind in KINDS else kind for n, kind in enumerate(kinds)]
    path.write_text("\n".join([HEADER, *CLEAR, *lines]) + "\n")
    return path


@pytest.mark.campaign
@settings(
    max_examples=so_many(100, part=40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kinds=st.lists(st.sampled_from([*KINDS, *BLANK]), max_size=20), rows=st.integers(1, 25))
def test_the_counts_of_any_file_add_up(tmp_path: Path, kinds: list[str], rows: int) -> None:
    table = Table()
    run = asyncio.run(ran(plan(written(tmp_path / "trades.csv", kinds), rows), table))
    assert run.rows_read == len(CLEAR) + sum(kind not in BLANK for kind in kinds)
    assert run.quarantined == len(table.aside)
    assert all(row.reason and row.location for row in table.aside)
    on_the_page(run)


async def test_each_kind_of_row_has_its_reason(tmp_path: Path) -> None:
    """On the embedded store, with a second run over the same rows, which takes none of them again."""
    path = written(tmp_path / "trades.csv", [*KINDS, *BLANK, *KINDS])
    async with embedded() as backbone:
        first = await backbone.ingest(plan(path, 100))
        again = await backbone.ingest(plan(path, 100))
    for run in (first, again):
        accounted(run)
        on_the_page(run)
        assert run.rows_read == len(CLEAR) + 2 * len(KINDS)
    assert (again.inserted, again.changed, again.unchanged) == (0, 0, first.taken)
    assert {why.partition(":")[0] for why in first.left_out} >= {
        "none of the symbols asked for",
        "before the start asked for",
        "behind the end asked for",
        "another row with the same key came after it, and counts",
        "has a price of zero or less",
        "is the header line again",
        "wrong number of fields",
        "misplaced quote",
        "price is empty",
        "ts is empty",
    }


async def test_reasons_that_differ_in_a_value_only_are_one(tmp_path: Path) -> None:
    path = written(tmp_path / "trades.csv", ["no number"] * 9)
    async with embedded() as backbone:
        run = await backbone.ingest(plan(path, 100))
    assert run.left_out == {"price is not a number: …": 9}
    assert len(run.reasons) == 5


async def test_of_very_many_kinds_of_reasons_the_rest_is_counted_together(tmp_path: Path) -> None:
    path = written(tmp_path / "trades.csv", [f"2024-03-01T12:00:00Z{',' * n}" for n in range(5, 75)])
    async with embedded() as backbone:
        run = await backbone.ingest(plan(path, 100))
    accounted(run)
    assert len(run.left_out) == 51
    assert run.left_out["other reasons: backbone quarantine list has them"] == 20


async def test_bars_of_another_interval_than_the_one_asked_for_are_left_out_with_a_word(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    rows = [f"2024-03-01T{hour}:00:00Z,{interval},1,2,0.5,1.5" for hour, interval in [(10, "5m"), (11, "60m")]]
    path.write_text("\n".join(["ts,interval,open,high,low,close", *rows]) + "\n")
    async with embedded() as backbone:
        runs = [
            await backbone.ingest(IngestPlan(dimensions=["intraday_bars"], path=path, symbols=["A"], interval=interval))
            for interval in ("1h", "15m")
        ]
    for run in runs:
        accounted(run)
    assert [(run.inserted, dict(run.left_out)) for run in runs] == [
        (1, {"not of the interval asked for: 1h": 1}),
        (0, {"not of the interval asked for: 15m": 2}),
    ]
    assert runs[1].reasons == ("the source has 1h, 5m; none of 15m",)
