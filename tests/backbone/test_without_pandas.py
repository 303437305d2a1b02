"""A process that embeds a backbone loads no pandas, which pyarrow would import for it wherever it is installed."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.programs import PATIENCE, ROOT

WATCHED = """
import sys, traceback

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            print("pandas is imported by:", *traceback.format_stack()[-16:-3])

sys.meta_path.insert(0, Watch())
"""

CYCLE = """
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from backbone import Backbone, Dimension, Frame, IngestPlan, load_settings, samples
from backbone.export import shelf

HERE = Path(sys.argv[1])
AT = datetime(2024, 3, 13, 14, 30, tzinfo=UTC)
OVERRIDES = {"store.path": str(HERE / "b.duckdb"), "control.enabled": False, "quality.repair.missing": "repair"}

def trade(n, **more):
    return {"symbol": "A", "ts": AT + timedelta(seconds=n // 2), "price": 1.5, "size": float(n)} | more

async def ingested(backbone):
    whole = IngestPlan(dimensions=["intraday"], interval="1h", path=samples.eurusd_1h())
    assert (await backbone.ingest(whole)).inserted == 5000
    assert (await backbone.ingest(whole)).unchanged == 5000
    form = {"zone": "Europe/Berlin", "decimal": ",", "time_format": "%d.%m.%Y %H:%M:%S"}
    texts = IngestPlan(dimensions=["trades"], path=HERE / "trades.csv", **form)
    run = await backbone.ingest(texts)
    assert (run.inserted, run.quarantined) == (3, 1), run
    columns = IngestPlan(dimensions=["daily"], source="parquet", path=HERE / "daily.parquet", symbols=["B"])
    run = await backbone.ingest(columns)
    assert run.inserted == 3, run

async def recorded(backbone):
    async with backbone.subscribe("trades", symbols=["A"]) as updates:
        await backbone.record([trade(n) for n in range(5)], "trades")
        await backbone.record(Frame.from_records(Dimension.TRADES, [trade(n) for n in range(2000)]))
        await backbone.record([trade(9, ts=AT + timedelta(days=1), venue="X")], "trades")
        update = await anext(updates)
        assert update.frame.column("price").tolist()[0] == 1.5
        assert update.frame.column("venue").tolist()[0] is None
        assert backbone.last("trades", "A")["symbol"] == "A"
    told = {"calendar": "US", "ts": AT, "event": "Nonfarm Payrolls", "actual": 1.0}
    await backbone.record([told], "macro")

async def read(backbone):
    bars = await backbone.fetch("intraday", symbols=["EURUSD"], interval="4h", limit=10)
    assert bars.num_rows == 10
    assert bars.select(start=bars.start).newest(2).num_rows == 2
    assert bars._repr_html_() and bars.fingerprint
    assert (await backbone.fetch("trades", symbols=["A"], start=AT, end=AT)).num_rows
    assert (await backbone.sql("SELECT ts, symbol, close FROM intraday_bars ORDER BY ts", limit=5)).num_rows == 5
    assert (await backbone.symbols("daily")) == ("B",)
    await backbone.why("EURUSD", bars.start)
    await backbone.quarantined()
    await backbone.runs()

async def exported(backbone):
    for form in ("parquet", "csv", "jsonl"):
        report = await backbone.export(to=HERE / form, file_format=form)
        assert report.status == "ok", report
        assert shelf.verify(HERE / form).status == "ok"

async def main():
    async with Backbone.open(load_settings(profile="embedded", overrides=OVERRIDES)) as backbone:
        await ingested(backbone)
        await recorded(backbone)
        await read(backbone)
        await exported(backbone)
        assert (await backbone.retention(as_of=AT + timedelta(days=9000))).status
    async with Backbone.open(load_settings(profile="embedded", overrides=OVERRIDES)) as backbone:
        await read_again(backbone)

async def read_again(backbone):
    async with backbone.subscribe("macro", start="earliest") as updates:
        await anext(updates)

asyncio.run(main())
print("loaded", *sorted({"pandas", "pyarrow", "duckdb", "rich", "polars"} & set(sys.modules)))
"""


def run(program: str, *given: str) -> str:
    """What a program prints in an environment where pandas is installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WATCHED + program, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Files to be ingested."""
    pytest.importorskip("pandas")
    lines = ["Datum;symbol;price;size;conditions", "13.03.2024 15:30:00;A;1,5;10;x", "13.03.2024 15:30:01;A;2,5;;"]
    lines += ["13.03.2024 15:30:02;A;not a price;1;", '"13.03.2024 15:30:03";"A";"1.234,5";1;" y "']
    (tmp_path / "trades.csv").write_text("\n".join(lines).replace("Datum", "ts") + "\n")
    days = [datetime(2024, 3, day, tzinfo=UTC) for day in (1, 4, 5)]
    prices = {name: [1.0, 1.25, 1.5] for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"ts": pa.array(days, pa.timestamp("ns", "UTC")), **prices}), tmp_path / "daily.parquet")
    return tmp_path


def test_pyarrow_would_load_it() -> None:
    """Else there were nothing to hold."""
    pytest.importorskip("pandas")
    assert "pandas is imported by:" in run("import pyarrow\npyarrow.array([1])\nprint('pandas' in sys.modules)")


def test_a_whole_cycle_loads_no_pandas(here: Path) -> None:
    assert run(CYCLE, str(here)) == "loaded duckdb pyarrow\n"
