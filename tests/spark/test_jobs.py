"""The jobs, by a Spark of this machine alone: their answers are those of pyarrow."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from backbone import Frame
from backbone.domain.status import Status
from backbone.export.messages import RunSpark
from backbone.export.spark.report import SparkReport
from backbone.export.spark.run import run_spark
from backbone.export.spark.sessions import living
from tests.backbone.export.kit import bench
from tests.backbone.export.spark.kit import settings
from tests.benchmarks.store_data import trades as real_trades
from tests.programs import ROOT

ROWS = 600_000
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
FIVE = 300_000_000
ODD = ("0700", "BTC/USD", "Zürich", "null", "it's", 'say "so"', "a\\b", "x.parquet")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports of real trades, where they lie beside the checkout."""
    folder = tmp_path_factory.mktemp("real")

    async def fill() -> None:
        async with bench(folder) as desk:
            for frame in real_trades(ROWS):
                await desk.put(frame)
            report = await desk.export()
            assert (report.status, report.rows) == (Status.OK, ROWS)

    anyio.run(fill)
    return folder / "exports"


def spark(root: Path, asked: RunSpark, **more: Any) -> SparkReport:
    async def work() -> SparkReport:
        return await run_spark(settings(root, None, driver_memory="800m", **more), asked)

    report = anyio.run(work)
    assert not report.why, report.log
    return report


def table_of(root: Path) -> pa.Table:
    folder = root / (root / "CURRENT").read_text().strip() / "trades"
    folders = ds.partitioning(pa.schema([("date", pa.string()), ("symbol", pa.string())]), flavor="hive")
    return (
        ds.dataset(folder, partitioning=folders)
        .to_table()
        .sort_by([("symbol", "ascending"), ("ts", "ascending"), ("sequence", "ascending")])
    )


def bars_of(table: pa.Table, length: int) -> dict[tuple[str, int], tuple[float, ...]]:
    """By symbol and beginning, in microseconds: open, high, low, close, volume and trades, row by row."""
    moments = table.column("ts").cast(pa.int64())
    starts = pc.multiply(pc.divide(moments, length), length)
    grouped = table.append_column("start", starts).group_by(["symbol", "start"], use_threads=False)
    found = grouped.aggregate(
        [("price", "first"), ("price", "max"), ("price", "min"), ("price", "last"), ("size", "sum"), ("price", "count")]
    )
    return {
        (row["symbol"], row["start"]): tuple(
            row[name] for name in ("price_first", "price_max", "price_min", "price_last", "size_sum", "price_count")
        )
        for row in found.to_pylist()
    }


def written(report: SparkReport) -> dict[tuple[str, int], tuple[float, ...]]:
    table = pq.read_table(Path(report.folder, "part-0.parquet"))
    assert pa.types.is_timestamp(table.schema.field("ts").type)
    moments = table.column("ts").cast(pa.int64()).to_pylist()
    names = ("open", "high", "low", "close", "volume", "trades")
    return {
        (row["symbol"], moment): tuple(row[name] for name in names)
        for row, moment in zip(table.to_pylist(), moments, strict=True)
    }


def test_an_export_of_real_trades_is_valid(real: Path) -> None:
    report = spark(real, RunSpark("validate"))
    assert (report.status, report.rows, report.problems) == (Status.OK, ROWS, ())
    assert report.spark.startswith("4.3")


def test_bars_are_those_of_pyarrow_and_made_once(real: Path) -> None:
    report = spark(real, RunSpark("ohlc", interval="5m"))
    assert written(report) == bars_of(table_of(real), FIVE)
    assert spark(real, RunSpark("ohlc", interval="5m")).kept


def test_days_are_those_of_pyarrow(real: Path) -> None:
    report = spark(real, RunSpark("aggregates"))
    assert written(report) == bars_of(table_of(real), 86_400_000_000)


def test_what_is_put_together_holds_the_same_rows_in_order(real: Path) -> None:
    report = spark(real, RunSpark("compact"))
    before = table_of(real)
    folders = ds.partitioning(pa.schema([("symbol", pa.string())]), flavor="hive")
    files = sorted(Path(report.folder).glob("symbol=*/part-*.parquet"))
    assert len(files) == len(pc.unique(before.column("symbol")))
    after = ds.dataset([str(file) for file in files], partitioning=folders, partition_base_dir=report.folder).to_table()
    names = ["symbol", "ts", "sequence", "price", "size", "venue", "conditions"]
    assert after.select(names).cast(before.select(names).schema).equals(before.select(names))


def test_bars_leave_out_what_was_cancelled_and_begin_and_end_with_prices(tmp_path: Path) -> None:
    """Moments are equal where sequences are not: (seconds, sequence, price, size, conditions)."""
    told: list[tuple[int, int, float | None, float | None, str | None]] = [
        (0, 1, 99.0, 99.0, "T cancelled"),
        (0, 2, None, 5.0, None),
        (0, 4, 12.0, 1.0, "I corrected"),
        (0, 3, 10.0, 2.0, None),
        (59, 1, 11.0, None, "cancelled before"),
        (59, 2, None, None, None),
        (59, 3, 1.0, 1000.0, "cancelled"),
        (60, 1, None, None, None),
    ]
    names = ("sequence", "price", "size", "conditions")
    noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    rows = [
        {"symbol": "AIG", "ts": noon + timedelta(seconds=second), **dict(zip(names, rest, strict=True))}
        for second, *rest in told
    ]
    anyio.run(_put, tmp_path, Frame.from_records("trades", rows))
    report = spark(tmp_path / "exports", RunSpark("ohlc"))
    start = int(noon.timestamp()) * 1_000_000
    assert written(report) == {
        ("AIG", start): (10.0, 12.0, 10.0, 11.0, 8.0, 5),
        ("AIG", start + 60_000_000): (None, None, None, None, None, 1),
    }
    (day,) = pq.read_table(
        Path(spark(tmp_path / "exports", RunSpark("aggregates")).folder, "part-0.parquet")
    ).to_pylist()
    assert (day["vwap"], day["trades"]) == (32 / 3, 6)
    assert (day["first"], day["last"]) == (noon, noon + timedelta(seconds=60))


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Names that other tools take for something else, and moments at both ends of the calendar."""
    moments = [FIRST, datetime(1582, 10, 10, tzinfo=UTC), datetime(1883, 11, 18, tzinfo=UTC), LAST]
    frame = Frame.from_records(
        "trades",
        [
            {"symbol": symbol, "ts": moment, "sequence": n, "price": -0.5, "size": None, "venue": ""}
            for symbol in ODD
            for n, moment in enumerate(moments)
        ],
    )
    anyio.run(_put, tmp_path, frame)
    return (tmp_path / "exports").rename(tmp_path / "odd [1]{2}?*#%41 é")


async def _put(folder: Path, frame: Frame) -> None:
    async with bench(folder, {"export.periods.trades": "year"}) as desk:
        await desk.put(frame)
        assert (await desk.export()).status is Status.OK


def test_odd_names_and_moments_come_through(odd: Path) -> None:
    assert spark(odd, RunSpark("validate")).problems == ()
    report = spark(odd, RunSpark("aggregates"))
    table = pq.read_table(Path(report.folder, "part-0.parquet"))
    assert sorted(set(table.column("symbol").to_pylist())) == sorted(ODD)
    assert pc.min(table.column("first")).as_py() == FIRST
    assert pc.max(table.column("last")).as_py() == LAST
    assert spark(odd, RunSpark("compact")).rows == 4 * len(ODD)


def test_another_file_is_found(odd: Path) -> None:
    folder = odd / (odd / "CURRENT").read_text().strip()
    path = next(iter(folder.glob("trades/year=1883/symbol=0700/*.parquet")))
    other = pq.read_table(path)
    path.unlink()
    pq.write_table(other.set_column(2, "price", pa.array([1.0])), path)
    report = spark(odd, RunSpark("validate"))
    assert report.status is Status.FAILED
    (problem, *_) = report.problems
    assert "trades/year=1883/symbol=0700/part-0.parquet: " in problem


def test_a_parent_that_is_killed_leaves_no_jvm(real: Path) -> None:
    program = "import sys; from backbone.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "export", "spark", "validate", "--to", str(real)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stderr is not None
        while "runs after" not in parent.stderr.readline():
            assert parent.poll() is None
        (child,) = _children(parent.pid)
        assert len(living(child)) > 1
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 30
    while living(child):
        assert time.monotonic() < deadline, "the JVM outlives its parent"


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
