"""What executors read through ADBC and through asyncpg is the same, of all dimensions: the rows of the store itself."""

import importlib.util
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa
import pytest

from backbone import Dimension, Frame
from backbone.domain.identifiers import ingest_id
from backbone.export.spark.source import fetching, moment
from backbone.export.spark.source.fetching import batches_of, parts_of
from backbone.export.spark.source.where import where_of
from backbone.services import native
from backbone.store.errors import SnapshotLost
from backbone.store.records import Chunk, Query
from tests.programs import ROOT
from tests.services.stores import bare, drop_database, make_database, opened

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1883, 11, 18, tzinfo=UTC),
    *(NOON + timedelta(hours=7 * n) for n in range(6)),
    datetime.max.replace(tzinfo=UTC),
]
SYMBOLS = ("AIG", "BTC/USD", "Zürich", "it's", "a\\b", 'say "so"', "null")
EACH: dict[Dimension, dict[str, Any]] = {
    Dimension.DAILY_BARS: {"open": 1.5, "high": None, "volume": -0.0},
    Dimension.INTRADAY_BARS: {"interval": "1h", "close": 1e308},
    Dimension.TRADES: {"price": -0.5, "size": None, "venue": "", "conditions": "a'b\\"},
    Dimension.QUOTES: {"bid": 5e-324, "ask": 2.0, "venue": None},
    Dimension.ORDER_BOOK: {"side": "bid", "level": 2**40, "price": 1.0},
    Dimension.MACRO_EVENTS: {"event": "CPI (m/m), it's", "actual": 0.1, "importance": "high"},
}
TEXTS = ["AIG", "BTC/USD", "it's"]


@pytest.fixture(scope="module")
def dsn(timescale: native.Services) -> Iterator[str]:
    address = anyio.run(make_database, timescale, "timescale")
    yield address
    anyio.run(drop_database, timescale, address)


@pytest.fixture(scope="module")
def stored(dsn: str) -> dict[Dimension, Frame]:
    """What the store says that it has; somebody else has put NaN and a zero with a sign into it."""

    async def fill() -> dict[Dimension, Frame]:
        async with opened(dsn) as store:
            for dimension in Dimension:
                rows = [_row(dimension, symbol, at) for symbol in SYMBOLS for at in _moments(dimension)]
                frame = Frame.from_records(dimension, rows)
                await store.write(Chunk(ingest_id("csv", frame), secrets.token_hex(4), "csv", frame))
            async with bare(dsn) as connection:
                await connection.execute("UPDATE market_data.trades SET price = 'NaN' WHERE symbol = 'AIG'")
                await connection.execute("UPDATE market_data.quotes SET bid = '-0' WHERE symbol = 'AIG'")
            return {dimension: (await store.read(Query(dimension))).frame for dimension in Dimension}

    return anyio.run(fill)


def _moments(dimension: Dimension) -> list[datetime]:
    if dimension is not Dimension.DAILY_BARS:
        return MOMENTS
    return sorted({at.replace(hour=0, minute=0, second=0, microsecond=0) for at in MOMENTS})


def _row(dimension: Dimension, symbol: str, at: datetime) -> dict[str, Any]:
    row = {dimension.partition_column: symbol, "ts": at, **EACH[dimension]}
    return {**row, "sequence": 7} if "sequence" in dimension.key else row


@pytest.fixture
def env_file(dsn: str, tmp_path: Path) -> Path:
    file = tmp_path / "store.env"
    file.touch(0o600)
    file.write_text(f"BACKBONE_STORE_URL={dsn}\n")
    return file


@pytest.fixture(params=["adbc", "asyncpg"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One is taken where it is installed; pages are short, so that there are some."""
    found = importlib.util.find_spec
    assert found("adbc_driver_postgresql") is not None
    if request.param == "asyncpg":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if "adbc" in name else found(name))
        monkeypatch.setattr(fetching, "PART_ROWS", 2)
    return str(request.param)


def _read(env_file: Path, **options: str) -> list[dict[str, Any]]:
    with moment(env_file=str(env_file)) as held:
        where = where_of({**held, **options})
        batches = [batch for part in parts_of(where) for batch in batches_of(where, part)]
    return pa.Table.from_batches(batches).to_pylist() if batches else []


def _sorted(dimension: Dimension, rows: list[dict[str, Any]]) -> str:
    """As a text, in which zero has its sign."""
    return "\n".join(map(str, sorted(rows, key=lambda row: tuple(row[name] for name in dimension.key))))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dimension", list(Dimension))
@pytest.mark.parametrize("period", ["day", "all"])
def test_rows_are_those_of_the_store(
    stored: dict[Dimension, Frame], env_file: Path, dimension: Dimension, period: str
) -> None:
    found = _read(env_file, dimension=dimension, period=period)
    assert len(found) == len(SYMBOLS) * len(_moments(dimension))
    assert _sorted(dimension, found) == _sorted(dimension, stored[dimension].to_arrow().to_pylist())


@pytest.mark.usefixtures("way")
def test_symbols_and_bounds_are_those_asked_for(stored: dict[Dimension, Frame], env_file: Path) -> None:
    found = _read(env_file, dimension="trades", symbols=",".join(TEXTS), start="2024-01-02", end="2024-01-03")
    rows = stored[Dimension.TRADES].to_arrow().to_pylist()
    last = datetime(2024, 1, 3, tzinfo=UTC)
    wanted = [row for row in rows if row["symbol"] in TEXTS and NOON <= row["ts"] <= last]
    assert len(wanted) == 6
    assert _sorted(Dimension.TRADES, found) == _sorted(Dimension.TRADES, wanted)


@pytest.mark.usefixtures("way")
def test_what_comes_and_goes_after_the_moment_is_not_of_it(
    stored: dict[Dimension, Frame], dsn: str, env_file: Path
) -> None:
    async def change(statement: str) -> None:
        async with bare(dsn) as connection:
            await connection.execute(statement)

    wanted = stored[Dimension.DAILY_BARS].to_arrow().to_pylist()
    with moment(env_file=str(env_file)) as held:
        where = where_of({**held, "dimension": "daily_bars", "period": "all"})
        parts = parts_of(where)
        anyio.run(change, "UPDATE market_data.daily_bars SET open = 77 WHERE symbol = 'AIG'")
        found = pa.Table.from_batches([batch for part in parts for batch in batches_of(where, part)]).to_pylist()
    anyio.run(change, "UPDATE market_data.daily_bars SET open = 1.5 WHERE symbol = 'AIG'")
    assert _sorted(Dimension.DAILY_BARS, found) == _sorted(Dimension.DAILY_BARS, wanted)


@pytest.mark.usefixtures("way", "stored")
def test_a_moment_that_the_server_has_ended_is_told(dsn: str, env_file: Path) -> None:
    async def ended() -> None:
        async with bare(dsn) as connection:
            while await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL"
                " AND pid <> pg_backend_pid()"
            ):
                pass

    with moment(env_file=str(env_file), seconds=1.0) as held:
        where = where_of({**held, "dimension": "trades"})
        (part, *_) = parts_of(where)
        anyio.run(ended)
        with pytest.raises(SnapshotLost, match="the moment is gone"):
            parts_of(where)
        with pytest.raises(SnapshotLost, match="the moment is gone"):
            list(batches_of(where, part))


_NOTHING = """
import sys
from pyspark.sql import SparkSession
from backbone.export.spark.source import moment, register

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
register(spark)
with moment(env_file=sys.argv[1]) as held:
    rows = spark.read.format("backbone").options(**held, dimension="trades", symbols="NOBODY").load()
    print(rows.count(), rows.columns)
spark.stop()
"""


@pytest.mark.usefixtures("stored")
def test_where_there_are_no_rows_spark_reads_none(env_file: Path) -> None:
    environment = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", _NOTHING, str(env_file)],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 ['symbol', 'ts', 'sequence',")
