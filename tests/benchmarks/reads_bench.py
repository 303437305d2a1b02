"""Reads: a whole backbone and the store alone, beside asyncpg, ADBC, connectorx, DuckDB, polars and ArcticDB.

Each question is put to every contestant in turn, round after round. The heavy clients are installed by `make
bench-rivals`; one that is missing is named on the page. BACKBONE_BENCH_READ_ROWS says how many trades are stored.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks import reads_floors as floors
from tests.benchmarks.reads_data import origin
from tests.benchmarks.reads_questions import Question, questions
from tests.benchmarks.reads_rivals import Contestant
from tests.benchmarks.reads_setup import Field, prepare
from tests.benchmarks.report import Report, Table

PARTS = ("embedded", "timescale")
ROWS = 10_000_000
_PAGE = "docs/reference/benchmarks-reads.md"

Samples = Mapping[str, Mapping[str, list[float]]]


def run(quick: bool, parts: Collection[str] = PARTS) -> Report:
    """Measure; a tenth of the rows and a few rounds where quick.

    Args:
        quick: for a look.
        parts: of the stores, those to measure.
    """
    rows = int(os.environ.get("BACKBONE_BENCH_READ_ROWS", ROWS)) // (10 if quick else 1)
    return asyncio.run(_measure(rows, quick, parts))


async def _measure(rows: int, quick: bool, parts: Collection[str]) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-"))
    try:
        async with AsyncExitStack() as stack:
            field = await prepare(stack, folder, rows, parts)
            asked = questions(quick, field.as_of)
            samples = {each.name: await _asked(field, each) for each in asked}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _report(field, asked, samples, complete=set(parts) == set(PARTS))


async def _asked(field: Field, question: Question) -> dict[str, list[float]]:
    """Seconds of each contestant that the question applies to."""
    taken: defaultdict[str, list[float]] = defaultdict(list)
    rows: dict[str, int] = {}
    out: set[str] = set()
    chance = random.Random(question.name)
    for number in range(question.rounds + 1):
        contestants = list(field.contestants.items())
        chance.shuffle(contestants)  # who always came behind the same one would find what that one leaves, as memory
        for name, contestant in contestants:
            if name in out:
                continue
            seconds, found = await _once(contestant, question)
            if found is None:
                out.add(name)
                continue
            rows[name] = found
            if number:
                taken[name].append(seconds)
    if len(set(rows.values())) != 1:
        raise RuntimeError(f"{question.name}: the contestants found different numbers of rows: {rows}")
    sys.stderr.write(f"{question.name}: {next(iter(rows.values())):,} rows\n")
    return taken


async def _once(contestant: Contestant, question: Question) -> tuple[float, int | None]:
    ready = getattr(contestant, "prepare", None)
    if ready is not None:
        await ready(question)
    gc.collect(0)
    began = time.perf_counter()
    found = await contestant.ask(question)
    return time.perf_counter() - began, found


def _report(field: Field, asked: list[Question], samples: Samples, *, complete: bool) -> Report:
    medians = {
        question: {name: 1e3 * statistics.median(seconds) for name, seconds in taken.items()}
        for question, taken in samples.items()
    }
    return Report(
        title="Benchmarks of reading",
        intro=(
            f"{field.rows:,} {origin()}: the week there is, and before it the same again, and hourly bars. "
            "Every contestant is asked in each round, in an order by chance; medians in milliseconds, into Arrow. "
            "`fetch` is a whole backbone whose cache was made to forget before, `store` the store alone. All share the "
            "machine. Made by `make bench`."
        ),
        tables=[_table(each, medians[each.name], len(next(iter(samples[each.name].values())))) for each in asked],
        floors=floors.judged(medians),
        packages=("asyncpg", "duckdb", "polars", "pyarrow"),
        page=_PAGE if complete else "",
        notes=[field.versions, *field.missing],
    )


def _table(question: Question, medians: Mapping[str, float], rounds: int) -> Table:
    best = {group: floors.best(medians, group) for group in floors.BARE}
    rows = [
        (name, f"{taken:,.3f}" if taken < 1 else f"{taken:,.2f}", _beside(taken, best.get(floors.group_of(name))))
        for name, taken in medians.items()
    ]
    title = question.name[0].upper() + question.name[1:]
    return Table(title, ("", "median ms", "beside the best bare client"), rows, note=f"{rounds} rounds.")


def _beside(taken: float, best: float | None) -> str:
    return "" if best is None else f"{taken / best:.2f}x"
