"""Trades out of TimescaleDB into Parquet by date and symbol: our export beside Spark's JDBC, in turn, in one run."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.compute as pc

from backbone.domain.identifiers import ingest_id
from backbone.services import native
from backbone.store.records import Chunk
from tests.benchmarks.database import database
from tests.benchmarks.reads_data import weeks
from tests.benchmarks.report import Floor, Report, Table, flat
from tests.benchmarks.store_data import TRADES, chunks, trades, trades_file
from tests.programs import ROOT
from tests.services.stores import opened

_REAL = 2_793_812
_ROUNDS = 3
_TIMES = 7  # some twenty million
_MOST_MIB = 400
_GROWN = 0.1
_LEAST = 4.0
_BESIDE = ROOT / ".venv-spark"
_DRIVER = "org.postgresql:postgresql:42.7.7"
_EXPORT = """
import asyncio, json, os, sys
from backbone import Backbone, load_settings
from tests.peaks import Halves, peak

async def main():
    env = {"BACKBONE_STORE_URL": os.environ["BARE_URL"]}
    settings = load_settings(profile="timescale", env=env, overrides={"control.enabled": False})
    memory = Halves()
    async with Backbone.open(settings) as backbone:
        with memory.watched():
            report = await backbone.export("trades", to=sys.argv[1], anew=True)
    told = {"status": report.status, "rows": report.rows, "seconds": report.seconds, "write": report.write_s}
    first, second = memory.most()
    sums = report.sums_s + report.verify_s
    print(json.dumps({**told, "sums": sums, "peak": peak(), "first": first, "second": second}))

asyncio.run(main())
"""
# Sums left out, which Spark's writer doesn't make, either: what is timed here is an export that nobody could trust.
_WRITING = (
    """
import pyarrow.parquet as pq
from backbone.export import writing

async def summed(self, part, keys):
    return {}

writing.PartWriter._summed = summed
writing.sums_of_file = lambda form, path, part: (pq.read_metadata(path).num_rows, {})
"""
    + _EXPORT
)
_PAGE = "docs/reference/benchmarks-spark.md"
Found = dict[str, list[dict[str, float]]]


def run(quick: bool) -> Report:
    """Measure; a tenth of the rows where quick."""
    return asyncio.run(_measure(_REAL // 10 if quick else _REAL))


async def _measure(rows: int) -> Report:
    found: Found = {"ours": [], "writing": [], "spark": [], "many": []}
    why_not = _lacking()
    try:
        async with database() as (dsn, folder):
            days = await _fill(dsn, rows)
            for n in range(_ROUNDS):
                for name, code in (("writing", _WRITING), ("ours", _EXPORT)):
                    found[name].append(_timed([sys.executable, "-c", code, str(folder / f"{name}-{n}")], dsn))
                if not why_not:
                    program = [str(_python()), "-m", "tests.benchmarks.spark_jdbc", str(_jar())]
                    found["spark"].append(_timed([*program, str(folder / f"spark-{n}"), *days], dsn))
            if rows == _REAL:
                await _fill_weeks(dsn, _TIMES * rows)
                found["many"].append(_timed([sys.executable, "-c", _EXPORT, str(folder / "many")], dsn))
    except (native.Unavailable, native.StartError) as error:
        why_not = f"TimescaleDB was NOT measured: {error}"
    return told(found, rows, why_not)


async def _fill(dsn: str, rows: int) -> list[str]:
    """Write the trades; returns the days on which there are any."""
    days: set[str] = set()
    async with opened(dsn) as store:
        for frame in trades(rows):
            await store.write(Chunk(ingest_id("bench", frame), "run", "bench", frame))
            days |= set(pc.unique(pc.strftime(frame.to_arrow().column("ts"), "%Y-%m-%d")).to_pylist())
    return sorted(days)


async def _fill_weeks(dsn: str, rows: int) -> None:
    """Write more of them, before those that there are."""
    *before, _ = weeks(rows)
    async with opened(dsn) as store:
        for frame in (each for table in before for each in chunks(TRADES, table)):
            await store.write(Chunk(ingest_id("bench", frame), "run", "bench", frame))


def _timed(command: list[str], dsn: str) -> dict[str, float]:
    """What a program told, with its wall and processor time from its start to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "BARE_URL": dsn, "TZ": "UTC", "SPARK_LOCAL_IP": "127.0.0.1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as where somebody works: no program is compiled at each start
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**answer, "wall": wall, "cpu": cpu}


def _python() -> Path:
    return Path(os.environ.get("BACKBONE_EXPORT_SPARK_PYTHON") or _BESIDE / "bin/python")


def _jar() -> Path:
    """PostgreSQL's driver, by Maven the first time, into the folder of Spark's environment."""
    folder = _python().parents[1] / "jdbc"
    if not list(folder.glob("postgresql-*.jar")):
        target = [f"-Dartifact={_DRIVER}", f"-DoutputDirectory={folder}"]
        subprocess.run(["mvn", "-B", "-q", "dependency:copy", *target], check=True)
    return next(folder.glob("postgresql-*.jar"))


def _lacking() -> str:
    """Why Spark is not measured; "" where it is."""
    if not _python().exists():
        return "Spark was NOT measured: make test-spark installs it into .venv-spark"
    return (
        "" if shutil.which("mvn") else "Spark was NOT measured: Maven fetches PostgreSQL's JDBC driver, and is missing"
    )


def told(found: Found, rows: int, why_not: str) -> Report:
    """What was measured, as a report."""
    ours, spark = found["ours"], found["spark"]
    table: list[tuple[Any, ...]] = []
    floors = []
    if ours:
        peak = max(each["peak"] for each in ours) / 2**20
        written, whole = (median(each["wall"] for each in found[name]) for name in ("writing", "ours"))
        for what, name, wall in (("writing", "writing", written), ("with sums and reading back", "ours", whole)):
            cpu = median(each["cpu"] for each in found[name])
            table.append((f"ours: start-up, {what}", f"{wall:.1f}", f"{cpu:.1f}", f"{rows / wall:,.0f}"))
        floors.append(Floor("most memory of ours, MiB", f"< {_MOST_MIB}", f"{peak:.0f}", peak < _MOST_MIB))
        for each in found["many"]:
            what, wall, cpu = f"ours: the same of {each['rows']:,} rows", each["wall"], each["cpu"]
            table.append((what, f"{wall:.1f}", f"{cpu:.1f}", f"{each['rows'] / wall:,.0f}"))
            most, first, second = (each[name] / 2**20 for name in ("peak", "first", "second"))
            many = f"the same of {_TIMES} times the rows"
            floors.append(Floor(f"{many}, MiB", f"< {_MOST_MIB}", f"{most:.0f}", most < _MOST_MIB))
            floors.append(flat(f"{many}, in its second half", first, second, of="the first half", allowed=_GROWN))
    if ours and spark:
        # its program counts the rows afterwards, which is not its work
        theirs = median(each["seconds"] for each in spark)
        table.append(("Spark JDBC: start-up, writing", f"{theirs:.1f}", "", f"{rows / theirs:,.0f}"))
        ratio = theirs / written
        floors.append(
            Floor("ours against Spark JDBC, start-up included", f">= {_LEAST:.0f}x", f"{ratio:.1f}x", ratio >= _LEAST)
        )
    real = "real" if trades_file() is not None else "synthetic"
    return Report(
        title="Exports beside Spark",
        intro=f"{rows:,} {real} trades out of TimescaleDB into Parquet by date and symbol, {_ROUNDS} times in turn, "
        f"medians. Sums are timed apart: ours is run with them, as it always is, and without, as Spark's is. "
        f"Processor time is our program's, without the server's; the JVM's is not told. {why_not}".strip(),
        tables=[Table("whole programs", ("what", "seconds", "processor seconds", "rows per second"), table)],
        floors=floors,
        packages=["asyncpg", "pyarrow"],
        page="" if why_not else _PAGE,
    )
