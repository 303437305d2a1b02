"""An export of trades to Parquet in a process of its own: rows per second of each stage, and the most memory.

The same of seven times as many rows shows whether memory grows with them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Floor, Report, Table, flat
from tests.benchmarks.store_data import trades_file
from tests.programs import ROOT

_REAL = 2_793_812
_TIMES = 7  # some twenty million
_MOST_MIB = 400
_GROWN = 0.1
_PAGE = "docs/reference/benchmarks-exports.md"
_FILL = """
import asyncio, sys
from backbone import Backbone, load_settings
from tests.benchmarks.reads_data import dimension_of, weeks
from tests.benchmarks.store_data import chunks

async def main():
    overrides = {"store.path": sys.argv[1], "control.enabled": False}
    settings = load_settings(profile="embedded", env={}, overrides=overrides)
    async with Backbone.open(settings) as backbone:
        for table in weeks(int(sys.argv[2])):
            for frame in chunks(dimension_of(table), table):
                await backbone.record(frame)

asyncio.run(main())
"""
_EXPORT = """
import asyncio, json, sys, time
from backbone import Backbone, load_settings
from tests.peaks import peak

async def main():
    overrides = {"store.path": sys.argv[1], "control.enabled": False}
    settings = load_settings(profile="embedded", env={}, overrides=overrides)
    async with Backbone.open(settings) as backbone:
        began = time.process_time()
        report = await backbone.export("trades", to=sys.argv[2], anew=True)
        cpu = time.process_time() - began
        again = await backbone.export("trades", to=sys.argv[2])
    told = {"status": report.status, "rows": report.rows, "files": report.written, "bytes": report.bytes, "cpu": cpu}
    told |= {"seconds": report.seconds, "write": report.write_s, "sums": report.sums_s, "verify": report.verify_s}
    print(json.dumps({**told, "again": again.seconds, "kept": again.kept, "peak": peak()}))

asyncio.run(main())
"""


def run(quick: bool) -> Report:
    """Measure; a tenth of the rows where quick."""
    rows = _REAL // 10 if quick else _REAL
    return told(_measured(rows), _measured(_TIMES * rows))


def _measured(rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="backbone-bench-") as folder:
        store, exports = Path(folder, "store.duckdb"), Path(folder, "exports")
        _child(_FILL, str(store), str(rows))
        found: dict[str, Any] = json.loads(_child(_EXPORT, str(store), str(exports)))
    if found["status"] != "ok" or found["kept"] != found["files"]:
        raise RuntimeError(f"the export did not come out whole: {found}")
    return found


def told(found: dict[str, float], many: dict[str, float]) -> Report:
    """What was measured, as a report."""
    rows, peak, most = found["rows"], found["peak"] / 2**20, many["peak"] / 2**20
    stages = {
        "written: read, encoded, brought to the disk": found["write"],
        "summed by the store": found["sums"],
        "read back and summed": found["verify"],
        "all of it": found["seconds"],
        "all of it, processor time": found["cpu"],
        "again, nothing changed: hashed": found["again"],
    }
    real = "real" if trades_file() is not None else "synthetic"
    return Report(
        title="Benchmarks of exports",
        intro=f"{rows:,} {real} trades out of an embedded store into {found['files']:,} Parquet files by date and "
        f"symbol, {found['bytes'] / 2**20:.1f} MiB, in a process of its own. Seconds of the clock, but where processor "
        f"time is said. Then {many['rows']:,} of them into {many['files']:,} files: {many['seconds']:.1f} seconds.",
        tables=[
            Table(
                "stages",
                ("what", "seconds", "rows per second"),
                [(what, f"{seconds:.2f}", f"{rows / seconds:,.0f}") for what, seconds in stages.items()],
            ),
        ],
        floors=[
            Floor("most memory of the process, MiB", f"< {_MOST_MIB}", f"{peak:.0f}", peak < _MOST_MIB),
            Floor(f"the same of {_TIMES} times the rows, MiB", f"< {_MOST_MIB}", f"{most:.0f}", most < _MOST_MIB),
            flat(f"the same of {_TIMES} times the rows", peak, most, of="the first", allowed=_GROWN),
        ],
        packages=["duckdb", "pyarrow"],
        page=_PAGE,
    )


def _child(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout
