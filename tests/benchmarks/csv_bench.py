"""The reader of CSV files by itself, beside pyarrow.csv: rows of a million lines, and memory over ten million."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from backbone.domain import Dimension
from backbone.sources.csv import CsvSource
from tests.benchmarks.measure import Timing, Watch, Work, interleave
from tests.benchmarks.report import Floor, Report, Table
from tests.data.vendors import VENDORS, Vendor, of, said
from tests.programs import ROOT

_SHARE = 0.5
_FLAT = 1.1
_SEED = 14
_START_MS = 1_388_534_400_000  # 2014-01-01
_COMMON = ("ours", "binance-klines", "dukascopy", "metatrader5-bars", "polygon-trades", "dukascopy-ticks")
_OURS = Vendor(
    Dimension.INTRADAY_BARS,
    {
        "ts": said("%Y-%m-%dT%H:%M:%SZ"), "symbol": of("symbol"), "open": of("open"), "high": of("high"),
        "low": of("low"), "close": of("close"), "volume": of("volume"),
    },
)  # fmt: skip
_LONG = "dukascopy-node-ticks"
_MEMORY = """
import sys
from backbone.sources.csv import CsvSource
from tests.peaks import peak
rows = sum(chunk.frame.num_rows for chunk in CsvSource(sys.argv[1], "quotes", symbol="EURUSD").chunks())
print(rows, peak() // 2**20)
"""


def run(quick: bool) -> Report:
    """Measure; a tenth of the rows where quick."""
    rows, rounds = (100_000, 3) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory(prefix="backbone-bench-") as folder:
        timed = speeds(rows, rounds, Path(folder))
        memory = {
            f"{count:,} rows, {order} first": peak(count, order == "newest", Path(folder))
            for order in ("oldest", "newest")
            for count in (rows, 10 * rows)
        }
    return told(rows, timed, memory)


def speeds(rows: int, rounds: int, folder: Path) -> dict[str, dict[str, Timing]]:
    """Of each dialect, the timing of each reader."""
    return {name: interleave(_contestants(name, rows, folder), rounds) for name in _COMMON}


def told(rows: int, timed: dict[str, dict[str, Timing]], memory: dict[str, int]) -> Report:
    """What was measured, as a report."""
    shares = {name: each["pyarrow.csv"].best / each["backbone"].best for name, each in timed.items()}
    return Report(
        title="Benchmarks of reading CSV",
        intro=f"{rows:,} rows of a dialect, read by `backbone.sources.csv` into canonical frames (times in UTC, rows "
        "checked, in order of their key) and by `pyarrow.csv`, the same columns with the types that it finds. "
        "Processor time of the best of interleaved rounds, the one that the machine's other users disturbed least. "
        "Made by `make bench`.",
        tables=[
            Table(
                "rows per second of processor time",
                ("dialect", "backbone", "pyarrow.csv", "share"),
                [_line(name, each, shares[name]) for name, each in timed.items()],
                note="Where times are written day first or in two columns, pyarrow.csv leaves them as texts.",
            ),
            Table(
                "most memory of a process that only reads",
                ("file", "MiB"),
                [(name, str(peak)) for name, peak in memory.items()],
                note="Of a file that is newest first, what is more than 100,000 rows waits on disk, packed.",
            ),
        ],
        floors=[
            *(
                Floor(f"{name}: of pyarrow.csv", f">= {_SHARE}", f"{each:.2f}", each >= _SHARE)
                for name, each in shares.items()
            ),
            *(_flat(order, memory) for order in ("oldest", "newest")),
        ],
        packages=["numpy", "pyarrow"],
        page="docs/reference/benchmarks-csv.md",
    )


def _contestants(name: str, rows: int, folder: Path) -> dict[str, Work]:
    vendor = _OURS if name == "ours" else VENDORS[name]
    path = vendor.write(_rows(vendor.dimension, rows), folder / f"{name}.csv")
    source = _source(vendor, path)
    found = sum(chunk.frame.num_rows for chunk in source.chunks())
    assert found == rows, f"{name}: {found}"
    read = [each for name in source.account.columns for each in name.split("+")]

    def ours(watch: Watch) -> int:
        with watch:
            return sum(chunk.frame.num_rows for chunk in _source(vendor, path).chunks())

    def theirs(watch: Watch) -> int:
        with watch:
            table = pacsv.read_csv(
                path,
                parse_options=pacsv.ParseOptions(delimiter=vendor.delimiter),
                convert_options=pacsv.ConvertOptions(include_columns=read),
            )
        return int(table.num_rows)

    assert read is None or ours(Watch()) == rows
    return {"backbone": ours, "pyarrow.csv": theirs}


def _source(vendor: Vendor, path: Path) -> CsvSource:
    interval = "1m" if vendor.dimension.has_interval else None
    return CsvSource(path, vendor.dimension, symbol="EURUSD", interval=interval, zone=vendor.options.get("zone"))


def _rows(dimension: Dimension, rows: int, first: int = 0) -> pa.Table:
    """So many rows, a minute apart, of prices with five digits."""
    chance = np.random.default_rng(_SEED)
    price = np.round(1.1 + chance.normal(0, 1e-5, rows).cumsum() % 0.5, 5)
    stamps = _START_MS + (np.arange(rows) + first) * (60_000 if dimension.has_interval else 250)
    return pa.table(
        {
            "ts": pa.array(stamps * 1000, pa.timestamp("us", tz="UTC")),
            "symbol": pa.repeat("EURUSD", rows),
            "venue": pa.array(chance.choice(["P", "Q", "Z"], rows)),
            "sequence": np.arange(rows) + first,
            "open": price, "high": np.round(price + 1e-4, 5), "low": np.round(price - 1e-4, 5), "close": price,
            "volume": chance.integers(1, 5000, rows).astype(float), "size": chance.integers(1, 50, rows) * 100.0,
            "price": price, "bid": price, "ask": np.round(price + 1e-5, 5),
        }
    )  # fmt: skip


def peak(rows: int, backwards: bool, folder: Path) -> int:
    """MiB that a process takes at most which reads so many quotes."""
    path, part, most = folder / "long.csv", folder / "part.csv", 1_000_000
    with path.open("wb") as file:
        firsts = list(range(0, rows, most))
        for n, first in enumerate(firsts[::-1] if backwards else firsts):
            table = _rows(Dimension.QUOTES, min(most, rows - first), first)
            table = table.take(np.arange(table.num_rows)[::-1]) if backwards else table
            text = VENDORS[_LONG].write(table, part).read_bytes()
            file.write(text if not n else text[text.find(b"\n") + 1 :])
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    read, peak = map(int, done.stdout.split())
    assert read == rows
    path.unlink()
    return peak


def _line(name: str, timings: dict[str, Timing], share: float) -> tuple[str, ...]:
    return name, f"{timings['backbone'].best_rate:,.0f}", f"{timings['pyarrow.csv'].best_rate:,.0f}", f"{share:.2f}"


def _flat(order: str, memory: dict[str, int]) -> Floor:
    few, many = [peak for name, peak in memory.items() if name.endswith(f"{order} first")]
    return Floor(
        f"memory, {order} first", f"<= {_FLAT} of that of a tenth of the rows", f"{many / few:.2f}", many <= _FLAT * few
    )
