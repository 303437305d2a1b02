"""`format("backbone")` on a cluster: the rows of one moment, whatever is written, and whoever is killed meanwhile."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Dimension, Frame
from backbone.services import native
from backbone.store.records import Query
from tests.backbone.export.kit import DAY, trades
from tests.programs import ROOT
from tests.services.stores import bare, drop_database, make_database, opened

SYMBOLS = ("AIG", "BAC", "BTC/USD", "IBM", "SPY", "Zürich")
KEY = [("symbol", "ascending"), ("ts", "ascending"), ("sequence", "ascending")]


@pytest.fixture(scope="module")
def dsn(servers: native.Services) -> Iterator[str]:
    address = anyio.run(make_database, servers, "timescale")
    yield address
    anyio.run(drop_database, servers, address)


@pytest.fixture
def env_file(dsn: str, tmp_path: Path) -> Path:
    file = tmp_path / "store.env"
    file.touch(0o600)
    file.write_text(f"BACKBONE_STORE_URL={dsn}\n")
    return file


@pytest.fixture
def stored(dsn: str) -> Frame:
    """What the store holds: six symbols on four days, a few of them long."""

    async def fill() -> Frame:
        async with opened(dsn) as store:
            for symbol in SYMBOLS:
                await store.write(_chunk(trades(range(0, 4 * 86_400, 3), symbol)))
            return (await store.read(Query(Dimension.TRADES))).frame

    return anyio.run(fill)


def _chunk(frame: Frame) -> Any:
    from backbone.domain.identifiers import ingest_id
    from backbone.store.records import Chunk

    return Chunk(ingest_id("csv", frame), secrets.token_hex(4), "csv", frame)


class Reading:
    """The program that reads."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def until(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.strip() == word:
                return
        raise AssertionError(f"it ended without {word!r}")

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def reading(master: str, secret: str, env_file: Path, tmp_path: Path) -> Iterator[Reading]:
    """Begin to read; its settings lie in a folder of its own, so that the secret is no argument."""
    conf = tmp_path / "conf"
    conf.mkdir(mode=0o700)
    lines = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": "600m",
        "spark.executor.memory": "800m",
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.authenticate": "true" if secret else "false",
        "spark.authenticate.secret": secret or "none",
    }
    (conf / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    environment = {**os.environ, "SPARK_CONF_DIR": str(conf), "PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, "-m", "tests.spark.reading", master, str(env_file), str(tmp_path / "out")]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env={**environment, "SPARK_LOCAL_IP": "127.0.0.1"},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Reading(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def read_back(folder: Path) -> pa.Table:
    return pq.read_table(folder).sort_by(KEY)


def expected(frame: Frame) -> pa.Table:
    return frame.to_arrow().sort_by(KEY)


def same(one: pa.Table, other: pa.Table) -> bool:
    plain = pa.schema([field.with_nullable(True).remove_metadata() for field in one.schema])
    return bool(one.replace_schema_metadata(None).cast(plain).equals(other.replace_schema_metadata(None).cast(plain)))


def test_rows_are_those_of_the_moment_though_others_delete_and_insert(
    stored: Frame, dsn: str, env_file: Path, tmp_path: Path
) -> None:
    with reading("local[2]", "", env_file, tmp_path) as program:
        program.until("held")
        anyio.run(_change, dsn)
        program.go()
        program.until("done")
    assert same(read_back(tmp_path / "out"), expected(stored))
    password = urlsplit(dsn).password
    assert password is not None
    assert password not in "".join(program.said) + (tmp_path / "log").read_text()
    assert "BatchScan backbone" in "".join(program.said)


async def _change(dsn: str) -> None:
    async with opened(dsn) as store:
        await store.write(_chunk(trades(range(400_000, 400_100), "AIG")))
        await store.write(_chunk(trades(range(50), "NEW")))
    async with bare(dsn) as connection:
        await connection.execute("DELETE FROM market_data.trades WHERE symbol = 'BAC'")
        assert await connection.fetchval("SELECT count(*) FROM market_data.trades WHERE ts > $1", DAY)


def _read_while(happens: Callable[[], object], servers: native.Services, env_file: Path, folder: Path) -> None:
    """Read all on the cluster; once the first partition is there, something happens."""
    told = servers.environment
    master, secret = told["BACKBONE_EXPORT_SPARK_MASTER"], told["BACKBONE_EXPORT_SPARK_SECRET"]
    with reading(master, secret, env_file, folder) as program:
        program.until("held")
        program.go()
        program.until("first")
        happens()
        program.until("done")


def test_a_worker_killed_in_the_middle_costs_no_row_and_doubles_none(
    stored: Frame, servers: native.Services, env_file: Path, tmp_path: Path
) -> None:
    _read_while(lambda: _kill_a_worker(servers.data / "spark"), servers, env_file, tmp_path)
    assert same(read_back(tmp_path / "out"), expected(stored))
    (status,) = [each for each in anyio.run(servers.status) if each.name == "spark"]
    assert not status.ready
    assert "1 of 2 workers are there" in status.detail
    anyio.run(partial(servers.restart, "spark", timeout=240.0))


def test_an_executor_killed_in_the_middle_costs_no_row_and_doubles_none(
    stored: Frame, servers: native.Services, env_file: Path, tmp_path: Path
) -> None:
    _read_while(lambda: os.kill(_executors(servers.data / "spark")[0], signal.SIGKILL), servers, env_file, tmp_path)
    assert same(read_back(tmp_path / "out"), expected(stored))


def _workers(home: Path) -> list[int]:
    """The workers of this cluster, and no others of the machine."""
    return [pid for pid in _processes("worker.Worker") if str(home) in _line(pid)]


def _executors(home: Path) -> list[int]:
    workers = _workers(home)
    return [pid for pid in _processes("CoarseGrainedExecutorBackend") if _parent(pid) in workers]


def _kill_a_worker(home: Path) -> None:
    """A worker and its executors, as when their machine is gone."""
    worker = _workers(home)[0]
    for pid in (worker, *(each for each in _executors(home) if _parent(each) == worker)):
        os.kill(pid, signal.SIGKILL)


def _processes(word: str) -> list[int]:
    numbers = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [pid for pid in numbers if word in _line(pid)]


def _line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
