"""A job of Spark by a child that stands in for it: what is said, what goes wrong, and that nothing of it stays."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from backbone import Dimension, Frame
from backbone.domain.status import Status
from backbone.export.errors import ExportFailed, ExportMissing
from backbone.export.layout import MANIFEST
from backbone.export.messages import RunExport, RunSpark
from backbone.export.spark import run
from backbone.export.spark.errors import SparkMissing
from backbone.export.spark.report import SparkReport
from backbone.export.spark.run import run_spark
from backbone.export.spark.sessions import living
from backbone.export.spark.wire import JobKind, Reply, Started, Step
from backbone.settings import Secret
from tests.backbone.export.kit import DAY, Bench, bench, trades
from tests.backbone.export.spark.kit import DONE, STARTED, exported, fake, settings
from tests.programs import ROOT


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


async def _report(desk: Bench, tmp_path: Path, body: str, **spark: object) -> SparkReport:
    root = await exported(desk)
    return await run_spark(settings(root, fake(tmp_path, body), **spark), RunSpark("validate"))


async def test_a_job_is_told_and_what_came_of_it_is_reported(desk: Bench, tmp_path: Path) -> None:
    root = await exported(desk)
    body = STARTED + 'say("step", what=job["export"] + " " + job["kind"])\n' + DONE
    heard: list[Reply] = []
    report = await run_spark(settings(root, fake(tmp_path, body)), RunSpark("validate"), heard.append)
    assert (report.status, report.rows, report.files, report.spark) == (Status.OK, 7, 2, "4.3.0")
    assert report.start_s == 0.5
    assert report.export == desk.current.name
    assert isinstance(heard[0], Started)
    assert heard[1] == Step(what=f"{desk.current.name} validate")


async def test_what_is_wrong_fails_the_report(desk: Bench, tmp_path: Path) -> None:
    body = STARTED + 'say("done", rows=1, files=1, problems=["a.parquet: it has 1 rows of 2"])\n'
    report = await _report(desk, tmp_path, body)
    assert report.status is Status.FAILED
    assert report.problems == ("a.parquet: it has 1 rows of 2",)
    assert "it has 1 rows of 2" in report.to_markdown()


async def test_a_child_that_fails_says_why(desk: Bench, tmp_path: Path) -> None:
    _known = Secret("hunter2-canary-8")
    report = await _report(desk, tmp_path, STARTED + 'say("failed", why="no such folder hunter2-canary-8")\n')
    assert (report.status, report.why) == (Status.FAILED, "no such folder ***")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.stderr.write('out of memory\\n'); sys.exit(3)\n", "ended with exit code 3 before the job was done"),
        ("os.kill(os.getpid(), 9)\n", "was ended by SIGKILL before the job was done"),
        ("print('hello', flush=True); wait()\n", "what is none of its words: hello"),
        ("say('danced'); wait()\n", "what is none of its words"),
        ("sys.stdout.write('x' * 2_000_000); sys.stdout.flush(); wait()\n", "a line of over 1048576 bytes"),
    ],
    ids=["exit", "killed", "noise", "unknown", "endless"],
)
async def test_a_child_that_ends_or_babbles_has_failed_with_a_reason(
    desk: Bench, tmp_path: Path, body: str, why: str
) -> None:
    report = await _report(desk, tmp_path, body)
    assert report.status is Status.FAILED
    assert why in report.why


async def test_the_last_words_of_a_child_are_told_in_bounds_and_without_secrets(desk: Bench, tmp_path: Path) -> None:
    secret = Secret("hunter2-canary-9")
    body = "for n in range(100_000): sys.stderr.write(f'line {n}\\n')\n"
    body += "sys.stderr.write('x' * 10_000 + '\\n'); sys.stderr.write('sent hunter2-canary-9 away\\n'); sys.exit(1)\n"
    report = await _report(desk, tmp_path, body)
    assert report.log[-1] == "sent *** away"
    assert len(report.log) == 40
    assert max(map(len, report.log)) == 500
    assert "sent *** away" in report.why
    assert secret.reveal() not in report.to_json().decode()


async def test_a_job_beyond_its_time_is_ended_with_all_that_it_started(desk: Bench, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    # a worker in a group of its own, as those of Python are
    body = f"subprocess.Popen(['sleep', '600'], process_group=0); open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
    report = await _report(desk, tmp_path, body + STARTED + "say('step', what='waiting')\nwait()\n", job_seconds=1.0)
    assert "no end within 1 s (waiting), so that" in report.why
    assert "export.spark.job_seconds" in report.why
    assert living(int(pid.read_text())) == []


async def test_a_job_that_is_called_off_is_ended_with_all_that_it_started(desk: Bench, tmp_path: Path) -> None:
    root = await exported(desk)
    body = "subprocess.Popen(['sleep', '600'], process_group=0)\nsay('step', what=str(os.getpid()))\nwait()\n"
    heard: list[Reply] = []
    with anyio.CancelScope() as scope:

        def hear(reply: Reply) -> None:
            heard.append(reply)
            scope.cancel()

        await run_spark(settings(root, fake(tmp_path, body)), RunSpark("validate"), hear)
    (step,) = heard
    assert isinstance(step, Step)
    assert living(int(step.what)) == []


async def test_workers_that_a_child_leaves_behind_are_ended(desk: Bench, tmp_path: Path) -> None:
    body = f"child = subprocess.Popen(['sleep', '600'], process_group=0)\nsay('step', what=str(os.getpid()))\n{DONE}"
    root = await exported(desk)
    heard: list[Reply] = []
    report = await run_spark(settings(root, fake(tmp_path, body)), RunSpark("validate"), heard.append)
    assert report.status is Status.OK
    assert isinstance(heard[0], Step)
    assert living(int(heard[0].what)) == []


async def test_the_folder_of_a_child_is_its_own_and_gone_afterwards(desk: Bench, tmp_path: Path) -> None:
    body = "say('step', what=os.getcwd() + ' ' + oct(os.stat('.').st_mode)[-3:] + ' ' + ' '.join(os.listdir()))\n"
    root = await exported(desk)
    heard: list[Reply] = []
    await run_spark(settings(root, fake(tmp_path, body + DONE)), RunSpark("validate"), heard.append)
    assert isinstance(heard[0], Step)
    folder, mode, *names = heard[0].what.split()
    assert mode == "700"
    assert set(names) == {"spark-defaults.conf", "log4j2.properties"}
    assert not await anyio.Path(folder).exists()


async def test_without_an_export_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(ExportMissing, match="no current export"):
        await run_spark(settings(tmp_path, fake(tmp_path, "wait()\n")), RunSpark("validate"))


async def test_a_disk_that_hangs_is_told_and_takes_no_thread_that_others_need(
    desk: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, there, asked = await exported(desk), threading.Event(), 0

    @contextmanager
    def hanging(*_: object) -> Iterator[None]:
        nonlocal asked
        asked += 1
        there.wait()
        yield

    monkeypatch.setattr(run, "held", hanging)
    given = settings(root, fake(tmp_path, "wait()\n"))
    given = msgspec.structs.replace(given, export=msgspec.structs.replace(given.export, write_seconds=0.3))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    try:
        with pytest.raises(ExportFailed, match=r"has not answered for 0\.3 s: 1 steps hang; look after that disk"):
            await run_spark(given, RunSpark("validate"))
        for _ in range(3):
            with pytest.raises(ExportFailed, match="has not answered"):
                await run_spark(given, RunSpark("validate"))
        assert asked == 3
        assert await asyncio.get_running_loop().run_in_executor(None, lambda: "free") == "free"
    finally:
        there.set()


async def test_an_export_that_spark_does_not_read_is_refused(desk: Bench, tmp_path: Path) -> None:
    await desk.put(trades(range(5)))
    await desk.export(RunExport(form="csv"))
    with pytest.raises(ExportFailed, match=r"is of csv.*--file-format parquet"):
        await run_spark(settings(desk.root, fake(tmp_path, "wait()\n")), RunSpark("validate"))


async def test_a_dimension_without_files_is_refused(desk: Bench, tmp_path: Path) -> None:
    root = await exported(desk)
    asked = RunSpark("compact", dimension=Dimension.QUOTES)
    with pytest.raises(ExportFailed, match="no files of quotes; it has: trades"):
        await run_spark(settings(root, fake(tmp_path, "wait()\n")), asked)


async def test_without_any_file_nothing_is_called_valid(desk: Bench, tmp_path: Path) -> None:
    await desk.export()
    (empty,) = desk.root.glob("export-*")
    with pytest.raises(ExportFailed, match="has no files; it has: none"):
        await run_spark(settings(desk.root, fake(tmp_path, DONE)), RunSpark("validate", empty.name))


async def test_bars_of_an_export_without_trades_are_refused(desk: Bench, tmp_path: Path) -> None:
    await desk.put(Frame.from_records("daily_bars", [{"symbol": "AIG", "ts": DAY, "close": 1.0}]))
    await desk.export()
    with pytest.raises(ExportFailed, match="no files of trades; it has: daily_bars"):
        await run_spark(settings(desk.root, fake(tmp_path, DONE)), RunSpark("ohlc"))


@pytest.mark.parametrize("kind", ["ohlc", "compact"])
async def test_nothing_is_made_of_an_export_that_failed_but_it_is_looked_at(
    desk: Bench, tmp_path: Path, kind: JobKind
) -> None:
    root = await exported(desk)
    manifest = desk.manifest
    (job,) = manifest.jobs
    failed = msgspec.structs.replace(manifest, jobs=(msgspec.structs.replace(job, status="fail", why="disk full"),))
    (desk.current / MANIFEST).write_bytes(msgspec.json.encode(failed))
    python = fake(tmp_path, DONE)
    with pytest.raises(ExportFailed, match="has not all rows of trades: disk full"):
        await run_spark(settings(root, python), RunSpark(kind))
    assert (await run_spark(settings(root, python), RunSpark("validate"))).status is Status.OK


async def test_an_interpreter_is_found_from_here_and_runs_elsewhere(
    desk: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = await exported(desk)
    (tmp_path / "bin").mkdir()
    fake(tmp_path / "bin", DONE)
    monkeypatch.chdir(tmp_path)
    report = await run_spark(settings(root, Path("bin/python")), RunSpark("validate"))
    assert report.status is Status.OK


async def test_no_such_interpreter_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SparkMissing, match=r"export\.spark\.python=.*nowhere is no program"):
        await run_spark(settings(tmp_path, tmp_path / "nowhere"), RunSpark("validate"))


_PARENT = """
import sys, anyio
from pathlib import Path
from backbone.export.messages import RunSpark
from backbone.export.spark.run import run_spark
from tests.backbone.export.spark.kit import settings

def hear(reply):
    print(reply.what, flush=True)

anyio.run(run_spark, settings(Path(sys.argv[1]), Path(sys.argv[2])), RunSpark("validate"), hear)
"""


def test_the_real_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The driver's own watch over its stdin, around work that never ends, with a worker in a group of its own."""
    anyio.run(_export_into, tmp_path)
    path = tmp_path / "python"
    path.write_text(_WATCHED.format(python=sys.executable))
    path.chmod(0o700)
    command = [sys.executable, "-c", _PARENT, str(tmp_path / "exports"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20
    while living(child):
        assert time.monotonic() < deadline, "the child outlives its parent"


async def _export_into(folder: Path) -> None:
    async with bench(folder) as desk:
        await exported(desk)


_WATCHED = """#!{python}
import os, subprocess, time
from backbone.export.spark import driver
from backbone.export.spark.wire import Step

def work(job, tell, began):
    subprocess.Popen(["sleep", "600"], process_group=0)
    tell(Step(what=str(os.getpid())))
    time.sleep(600)

driver._lacking, driver._work = (lambda: ""), work
driver.main()
"""


def test_the_child_leads_no_session_but_its_own() -> None:
    assert os.getpid() in living(os.getsid(0))
