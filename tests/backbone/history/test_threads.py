"""Files that do not answer: who waits goes on within the deadline, and threads that hang keep nobody from his."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone, Frame
from backbone.calls import Calls
from backbone.domain.canonical import reorder
from backbone.domain.hanging import MOST, Hung, Threads, beat_of
from backbone.history import probing
from backbone.history import reading as rooms
from backbone.history.actor import Look
from backbone.history.files import File
from backbone.history.messages import ExplainRow
from tests.backbone.history.kit import BARS, DAY, TRADES, current, facts, files, from_export, trades
from tests.backbone.history.kit import reading as opened

SHORT, LONG = 0.3, 60.0  # a step of a disk that answers takes far less also where the machine is busy


class Disk:
    """Reads of it hang until it is there again."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.asked = 0

    def read(self) -> str:
        self.asked += 1
        self.there.wait()
        return "rows"


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.there.set()


async def until_it_answers(threads: Threads) -> None:
    with anyio.fail_after(30):
        while threads.hung:
            await anyio.lowlevel.checkpoint()


async def test_what_comes_back_or_goes_wrong_is_passed_on() -> None:
    threads = Threads(LONG, "x")
    assert await threads.run(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)

    def ends() -> None:
        raise GeneratorExit

    with pytest.raises(GeneratorExit):  # whatever it is, nobody waits for the deadline
        await threads.run(ends)
    assert threads.hung == ""


async def until(there: Callable[[], object]) -> None:
    with anyio.fail_after(30):
        while not there():
            await anyio.lowlevel.checkpoint()


async def test_what_tidies_up_behind_a_step_that_hung_is_done_in_order_and_is_left_behind_till_then(disk: Disk) -> None:
    threads, begun, going_on, done = Threads(SHORT, "x"), threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        begun.set()
        going_on.wait()
        done.append("first")

    with pytest.raises(Hung):
        await threads.run(disk.read)
    await threads.tidy(first)
    assert not begun.is_set()
    disk.there.set()
    await until(begun.is_set)
    assert threads.left_behind
    await threads.tidy(lambda: done.append("second"))
    assert done == []
    going_on.set()
    await until(lambda: not threads.left_behind)
    assert done == ["first", "second"]


async def test_who_waits_for_a_disk_that_hangs_is_told_within_the_deadline(disk: Disk) -> None:
    threads = Threads(SHORT, "/net/exports")
    with pytest.raises(Hung, match=rf"/net/exports has not answered for {SHORT:g} s: 1 reads hang"):
        await threads.run(disk.read)
    assert threads.hung
    disk.there.set()
    await until_it_answers(threads)
    assert await threads.run(disk.read) == "rows"


async def test_threads_that_hang_are_bounded_and_keep_nobody_else_from_one(disk: Disk) -> None:
    threads = Threads(SHORT, "x")
    for _ in range(MOST + 2):
        with pytest.raises(Hung):
            await threads.run(disk.read)
    assert disk.asked == MOST
    assert await asyncio.get_running_loop().run_in_executor(None, lambda: "free") == "free"
    disk.there.set()
    await until_it_answers(threads)
    assert disk.asked == MOST  # what nobody waited for any more was not begun
    assert await threads.run(disk.read) == "rows"


async def test_who_waits_for_a_thread_gets_it_from_the_next_one_that_is_done(disk: Disk) -> None:
    threads, answers = Threads(LONG, "x"), list[str]()

    async def read() -> None:
        answers.append(await threads.run(disk.read))

    async with anyio.create_task_group() as group:
        for _ in range(2 * MOST):
            group.start_soon(read)
        while disk.asked < MOST:
            await anyio.lowlevel.checkpoint()
        disk.there.set()
    assert answers == ["rows"] * (2 * MOST)


async def test_a_read_that_is_written_off_says_nothing_of_the_disk_and_is_forgotten_when_it_comes_back(
    disk: Disk,
) -> None:
    threads = Threads(SHORT, "x")
    with pytest.raises(Hung):
        await threads.run(disk.read)
    threads.write_off()
    assert (threads.hung, threads.lost) == ("", 1)
    disk.there.set()
    with anyio.fail_after(30):
        while threads.lost:
            await anyio.lowlevel.checkpoint()


async def test_a_machine_that_gives_no_more_threads_is_told_and_holds_none_for_good(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = Threads(SHORT, "/net/exports")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        for _ in range(MOST + 1):
            with pytest.raises(Hung, match="/net/exports was not asked: can't start new thread"):
                await threads.run(disk.read)
    disk.there.set()
    assert await threads.run(disk.read) == "rows"
    assert threads.hung == ""


async def test_what_is_slow_and_goes_on_does_not_hang(disk: Disk) -> None:
    threads, began = Threads(SHORT, "x"), threading.Event()

    def slow() -> str:
        beat = beat_of()
        began.set()
        while not disk.there.wait(SHORT / 50):
            beat()
        return "all"

    async with anyio.create_task_group() as group:

        async def hang() -> None:
            await several_deadlines_pass()
            disk.there.set()

        group.start_soon(hang)
        assert await threads.run(slow) == "all"


async def several_deadlines_pass() -> None:
    threads, never = Threads(SHORT, "x"), threading.Event()
    for _ in range(3):
        with pytest.raises(Hung):
            await threads.run(never.wait)
    never.set()


async def test_a_processor_that_works_long_on_what_was_read_is_no_disk_that_hangs(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def long(*given: Any) -> Any:
        began.set()
        disk.there.wait()
        return reorder(*given)

    monkeypatch.setattr(rooms, "reorder", long)
    rows = [{"symbol": symbol, "interval": "1h", "ts": DAY, "close": 1.0} for symbol in ("EURUSD", "GBPUSD")]
    stored, found = Frame.from_records(BARS, rows), list[Frame]()
    async with opened(tmp_path, **{"store.inline": False, "export.read_seconds": SHORT}) as backbone:
        await backbone.record(stored)
        await backbone.export()

        async def fetch() -> None:
            found.append(await backbone.fetch(BARS, symbols=["EURUSD", "GBPUSD"]))

        async with anyio.create_task_group() as group:
            group.start_soon(fetch)
            with anyio.fail_after(30):
                while not began.is_set():
                    await anyio.lowlevel.checkpoint()
            await several_deadlines_pass()
            assert facts(backbone)["why_not"] == ""
            disk.there.set()
        assert found == [stored]
        assert (facts(backbone)["passed_by"], facts(backbone)["history_rows"]) == (0, 2)


async def test_a_caller_who_is_cancelled_does_not_wait_for_the_disk(disk: Disk) -> None:
    threads = Threads(LONG, "x")
    async with anyio.create_task_group() as group:
        group.start_soon(threads.run, disk.read)
        while not disk.asked:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert not disk.there.is_set()


def test_a_program_ends_though_a_disk_hangs() -> None:
    program = """
import asyncio, threading
from backbone.history.actor import Look
from backbone.domain.hanging import Hung, Threads
async def main():
    try:
        await Threads(0.05, "x").run(threading.Event().wait)
    except Hung:
        print("hung")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "hung\n"


def test_a_program_that_ends_while_arrow_reads_what_nobody_waits_for_is_not_aborted(tmp_path: Path) -> None:
    program = """
import asyncio, sys, threading
from pathlib import Path
import anyio
import pyarrow as pa, pyarrow.parquet as pq
from backbone.history import files
from backbone.domain.hanging import Threads
files.WHOLE_BYTES = 0
path = Path(sys.argv[1])
columns = {name: range(500_000) for name in "abcd"}
pq.write_table(pa.table(columns), path, row_group_size=5_000, compression="none", use_dictionary=False)
began = threading.Event()
def read():
    while True:
        with pq.ParquetFile(files.File(path, path.stat().st_size).source()) as file:
            began.set()
            file.read_row_groups([*range(file.num_row_groups)], use_threads=True)
async def main():
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(Threads(60.0, "x").run, read)
        while not began.is_set():
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
asyncio.run(main())
print("over")
"""
    given = [sys.executable, "-c", program, str(tmp_path / "file")]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")


def test_a_program_ends_without_a_word_of_duckdb_where_a_thread_is_idle_yet() -> None:
    program = """
import asyncio, duckdb
from backbone.domain.hanging import Threads
threads, connection = Threads(60.0, "x"), duckdb.connect()
async def main():
    await threads.run(lambda: connection.execute("SELECT 1").fetchall())
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("", "")


async def test_a_backbone_that_is_left_leaves_no_threads(tmp_path: Path) -> None:
    def there() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "history"}

    before = there()
    async with opened(tmp_path, **{"store.inline": False}) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
        assert await from_export(backbone, start=None, end=None) == (trades(0, 1), 2)
        assert there() - before
    with anyio.fail_after(5):  # an idle one would stay for twice as long
        while there() - before:
            await anyio.lowlevel.checkpoint()


async def test_what_nobody_waits_for_any_more_ends_with_its_next_step(disk: Disk) -> None:
    threads, began, steps = Threads(LONG, "x"), threading.Event(), list[int]()

    def endless() -> None:
        beat = beat_of()
        while True:
            began.set()
            disk.there.wait()
            steps.append(1)
            beat()

    async with anyio.create_task_group() as group:
        group.start_soon(threads.run, endless)
        while not began.is_set():
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    disk.there.set()
    threads.end()
    assert steps == [1]


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A file that nobody can read to its end, nor even open, as on a disk whose server is gone."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    yield path
    with suppress(OSError):  # whoever hangs on it comes back
        for _ in range(MOST):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


async def degraded(backbone: Backbone, wanted: str) -> dict[str, Any]:
    with anyio.fail_after(30):
        while facts(backbone)["level"] != wanted:
            await anyio.lowlevel.checkpoint()
    return facts(backbone)


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "Parquet"])
async def test_a_fetch_goes_on_with_the_store_and_says_why(tmp_path: Path, pipe: Path, mapped: bool) -> None:
    more = {"store.inline": False, "export.read_seconds": SHORT, "export.mapped": mapped}
    async with opened(tmp_path, **more) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        name = "_part-0.arrow" if mapped else "part-0.parquet"
        [_, second, _] = files(tmp_path, name)
        kept = second.rename(tmp_path / "kept")
        second.symlink_to(pipe)
        assert await from_export(backbone) == (trades(0, 1, 2), 0)
        told = await degraded(backbone, "degraded")
        assert f"{current(tmp_path).parent} has not answered for {SHORT:g} s: 1 reads hang" in told["why"]
        assert (told["why_not"], told["passed_by"]) == (told["why"].partition(";")[0], 1)
        assert await from_export(backbone) == (trades(0, 1, 2), 0)
        assert facts(backbone)["passed_by"] == 1  # it was not even tried
        where = await Calls(backbone.system, backbone.path).ref("history").ask(ExplainRow(TRADES, "AIG", DAY), 5.0)
        assert where.startswith(f"the store: {current(tmp_path).parent} has not answered")
        with suppress(OSError):
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        kept.replace(second)
        with anyio.fail_after(30):
            while facts(backbone)["why_not"]:
                await anyio.lowlevel.checkpoint()
        await Calls(backbone.system, backbone.path).ref("history").tell(Look())
        await degraded(backbone, "ok")
        assert await from_export(backbone) == (trades(0, 1, 2), 3)


async def test_files_are_read_again_from_a_disk_that_answers_though_the_old_read_never_comes_back(
    tmp_path: Path, pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, **{"store.inline": False, "export.read_seconds": SHORT}) as backbone:
        await backbone.record(trades(0, 1, 2))
        await backbone.export()
        [_, second, _] = files(tmp_path)
        kept = second.rename(tmp_path / "kept")
        second.symlink_to(pipe)
        assert await from_export(backbone) == (trades(0, 1, 2), 0)
        await degraded(backbone, "degraded")
        monkeypatch.setattr(probing, "_FIRST_PAUSE", 0.0)
        history = Calls(backbone.system, backbone.path).ref("history")
        for _ in range(2):  # the first answer may tell of the look that has just begun to hang, or not yet
            await history.tell(Look())
            await history.ask(ExplainRow(TRADES, "AIG", DAY), 30)  # is answered behind the look
        assert " 1 reads hang" not in facts(backbone)["why"]  # it was asked, and does not answer
        assert await from_export(backbone) == (trades(0, 1, 2), 0)
        kept.replace(second)
        await history.tell(Look())
        await degraded(backbone, "ok")
        assert facts(backbone)["why_not"] == ""
        assert await from_export(backbone) == (trades(0, 1, 2), 3)


async def test_a_backbone_opens_and_closes_while_the_disk_hangs(tmp_path: Path, pipe: Path) -> None:
    more = {"store.inline": False, "export.read_seconds": SHORT}
    async with opened(tmp_path, **more) as backbone:
        await backbone.record(trades(0, 1))
        await backbone.export()
    named = tmp_path / "exports" / "CURRENT"
    named.unlink()
    named.symlink_to(pipe)
    async with opened(tmp_path, **more) as backbone:
        assert await from_export(backbone) == (trades(0, 1), 0)
        assert "has not answered" in facts(backbone)["why_not"]


async def test_a_file_that_becomes_shorter_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 8192)
    file = File(path, 2**21)
    assert bytes(file.read(2**20 - 1, 3)) == b"\xff\x00\x01"
    assert len(file.read(2**21 - 1, 5)) == 1
    os.truncate(path, 2**20)
    with pytest.raises(Exception, match="became shorter while it was read"):
        file.read(0, 2**21)
