"""A cluster of Spark: its secret is in no argument, its parts end together, and its master is asked for its workers."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from backbone.export.spark.sessions import living
from backbone.services.accounts import account_of
from backbone.services.machine import Unavailable
from backbone.services.native import ALL, SERVICES
from backbone.services.processes import residents
from backbone.services.service import NotReady, Site
from backbone.services.spark import Spark
from backbone.services.spark_cluster import CONF, PORTS
from tests.programs import ROOT

CANARY = "canary-3a77"
PORTS_OF = {"spark": 20_001, "spark_ui": 20_002, "spark_worker_1": 20_003, "spark_worker_2": 20_004}


def site(home: Path, ports: dict[str, int] | None = None) -> Site:
    return Site(home, home / "pyspark", ports or PORTS_OF, account_of("spark"), {"backbone": CANARY})


def test_it_is_started_by_name_alone() -> None:
    assert "spark" in SERVICES
    assert "spark" not in ALL


async def test_the_secret_is_in_a_file_for_its_owner_and_in_no_argument(tmp_path: Path) -> None:
    here = site(tmp_path)
    await Spark().prepare(here)
    file = tmp_path / CONF / "spark-defaults.conf"
    assert f"spark.authenticate.secret {CANARY}\n" in file.read_text()
    assert "spark.worker.cleanup.enabled true\n" in file.read_text()
    assert "spark.port.maxRetries 0\n" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    command = Spark().command(here, die_with_parent=True)
    assert CANARY not in " ".join(command)
    assert "TZ=UTC" in command
    told = Spark().settings(here, "backbone")
    assert told["BACKBONE_EXPORT_SPARK_MASTER"] == "spark://127.0.0.1:20001"
    assert Spark().password(told) == CANARY


async def test_without_pyspark_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o700)
    monkeypatch.setenv("BACKBONE_EXPORT_SPARK_PYTHON", str(bare))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="has no pyspark: pip install --no-binary pyspark"):
        await Spark().install(tmp_path, print)


@pytest.mark.parametrize(("workers", "answer"), [(2, ""), (1, "1 of 2 workers are there")])
async def test_it_is_ready_once_both_workers_are_there(tmp_path: Path, workers: int, answer: str) -> None:
    body = json.dumps({"aliveworkers": workers}).encode()

    async def master(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.0 200 OK\r\n\r\n" + body)

    jars = tmp_path / "pyspark" / "jars"
    jars.mkdir(parents=True)
    (jars / "spark-core_2.13-4.3.0.jar").touch()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.listeners[0].extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django here
    here = site(tmp_path, {**PORTS_OF, "spark_ui": port})
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, master)
        if answer:
            with pytest.raises(NotReady, match=answer):
                await Spark().probe(here, timeout=5.0)
        else:
            assert await Spark().probe(here, timeout=5.0) == "Spark 4.3.0"
        group.cancel_scope.cancel()


async def test_who_answers_in_the_place_of_the_master_is_no_master(tmp_path: Path) -> None:
    async def other(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.0 200 OK\r\n\r\n[1, 2]")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.listeners[0].extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django here
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, other)
        with pytest.raises(NotReady, match="says what no master would"):
            await Spark().probe(site(tmp_path, {**PORTS_OF, "spark_ui": port}), timeout=5.0)
        group.cancel_scope.cancel()


def test_executors_are_found_however_deep_they_work(tmp_path: Path) -> None:
    """Spark has them work in a folder for each program and executor; one that hangs is ended with the service."""
    home, other = tmp_path / "spark", tmp_path / "other"
    deep = home / "work-1" / "app-1" / "0"
    deep.mkdir(parents=True)
    other.mkdir()
    (home / "link").symlink_to(other)
    with (
        subprocess.Popen(["sleep", "600"], cwd=deep) as executor,
        subprocess.Popen(["sleep", "600"], cwd=home / "link") as stranger,
    ):
        try:
            assert [each.pid for each in residents(home)] == [executor.pid]
        finally:
            executor.kill()
            stranger.kill()


_PART = """#!{python}
import signal, sys

def note(name, text):
    with open(f"{home}/{{name}}", "a") as file:
        file.write(text + chr(10))

signal.signal(signal.SIGTERM, lambda *_: (note("ended", "ended"), sys.exit()))
note("started", " ".join(sys.argv[1:]))
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_its_parts_end_with_it_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / CONF).mkdir()
    (tmp_path / CONF / PORTS).write_text(json.dumps(PORTS_OF))
    program = tmp_path / "pyspark" / "bin" / "spark-class"
    program.parent.mkdir(parents=True)
    program.write_text(_PART.format(home=tmp_path, python=sys.executable))
    program.chmod(0o700)
    environment = {"SPARK_HOME": str(tmp_path / "pyspark"), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "backbone.services.spark_cluster"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True) as cluster:
        while not (tmp_path / "started").exists() or (tmp_path / "started").read_text().count("\n") < 3:
            assert cluster.poll() is None
        cluster.send_signal(number)
        cluster.wait()
        deadline = time.monotonic() + 20
        while living(cluster.pid):
            assert time.monotonic() < deadline, "parts outlive the cluster"
    master, *workers = sorted((tmp_path / "started").read_text().splitlines())
    if number is signal.SIGTERM:  # each is asked to end, and may say goodbye
        assert (tmp_path / "ended").read_text().count("\n") == 3
    assert "deploy.master.Master --host 127.0.0.1 --port 20001" in master
    assert all(line.endswith("spark://127.0.0.1:20001") for line in workers)


def test_a_cluster_without_its_master_ends(tmp_path: Path) -> None:
    (tmp_path / CONF).mkdir()
    (tmp_path / CONF / PORTS).write_text(json.dumps(PORTS_OF))
    program = tmp_path / "pyspark" / "bin" / "spark-class"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\ncase "$1" in *Master) exit 7;; esac\nexec sleep 600\n')
    program.chmod(0o700)
    environment = {"SPARK_HOME": str(tmp_path / "pyspark"), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "backbone.services.spark_cluster"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True) as cluster:
        assert cluster.wait() == 7
        assert living(cluster.pid) == []
