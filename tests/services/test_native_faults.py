"""Servers that are killed, frozen or orphaned come back or go away, and leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from backbone.services import native, processes, state
from tests.services.clients import NAMES, cache, child, consume_one, produce, status_of, store, topic


@pytest.mark.parametrize("name", NAMES)
async def test_a_killed_service_is_seen_and_comes_back_on_its_port(services: native.Services, name: str) -> None:
    port = services.port(name)
    victim = processes.identify(services.pid(name))
    assert victim is not None
    services.kill(name)
    assert await processes.gone([victim], 5)
    found = await status_of(services, name)
    assert (found.state, found.ready) == ("died", False)
    assert "up" in found.detail
    with anyio.fail_after(15):
        await services.restart(name)
    found = await status_of(services, name)
    assert (found.state, found.ready, found.port) == ("running", True, port)
    assert found.pid != victim.pid


async def test_what_was_committed_survives_a_kill(services: native.Services) -> None:
    connection = await store(services)
    await connection.execute("CREATE TABLE kept (n integer); INSERT INTO kept SELECT generate_series(1, 1000)")
    name = await topic(services)
    await produce(services, name, b"kept")
    for service in ("timescale", "kafka"):
        services.kill(service)
        await services.restart(service)
    connection.terminate()
    connection = await store(services)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1000
    await connection.execute("DROP TABLE kept")
    await connection.close()
    assert await consume_one(services, name) == b"kept"


@pytest.mark.parametrize("name", NAMES)
async def test_a_frozen_service_answers_nothing_and_goes_on_when_thawed(services: native.Services, name: str) -> None:
    services.freeze(name)
    try:
        assert all(processes.frozen(each) for each in processes.residents(services.data / name))
        found = await status_of(services, name)
        assert (found.state, found.ready) == ("frozen", False)
        if name == "redis":
            async with cache(services) as client:
                with pytest.raises((RedisTimeoutError, RedisConnectionError)):
                    await client.ping()
    finally:
        services.thaw(name)
    with anyio.fail_after(10):
        while not (await status_of(services, name)).ready:
            await anyio.lowlevel.checkpoint()


async def test_a_service_killed_while_frozen_leaves_no_children_in_the_way(services: native.Services) -> None:
    services.freeze("timescale")
    services.kill("timescale")
    await services.restart("timescale")
    assert (await status_of(services, "timescale")).ready


def sleeper(user: int, group: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sleep", "60"], user=user, group=group)


async def test_a_server_starts_again_where_its_number_went_to_another_program_of_its_user(
    alone: native.Services,
) -> None:
    """Killed, it leaves its number in its folder: PostgreSQL takes whoever has that for a server on these files."""
    lock = alone.data / "timescale" / "cluster" / "postmaster.pid"
    alone.kill("timescale")
    owner = lock.stat()
    with anyio.fail_after(20):
        while (await status_of(alone, "timescale")).ready:
            await anyio.lowlevel.checkpoint()
    bystander = sleeper(owner.st_uid, owner.st_gid)
    try:
        lines = lock.read_text().split("\n")
        lock.write_text("\n".join([str(bystander.pid), *lines[1:]]))
        await alone.restart("timescale")
        assert (await status_of(alone, "timescale")).ready
    finally:
        bystander.kill()
        bystander.wait()


async def test_a_service_stopped_alone_can_be_started_again(services: native.Services) -> None:
    found = {each.name: each for each in await native.down(services.data, ["redis"])}
    assert found["redis"].state == "stopped"
    assert found["kafka"].ready
    with pytest.raises(ProcessLookupError, match="restart"):
        services.kill("redis")
    await services.restart("redis")
    assert (await status_of(services, "redis")).ready


async def test_sql_as_the_superuser_changes_what_clients_may_not(services: native.Services) -> None:
    assert (await services.sql("SELECT current_setting('is_superuser')")).strip() == "on"
    connection = await store(services)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("ALTER SYSTEM SET work_mem = '8MB'")
    await connection.close()


async def test_a_recycled_process_number_is_never_signalled(services: native.Services, tmp_path: Path) -> None:
    bystander = child("sleep", "60")
    try:
        impostor = processes.Process(bystander.pid, "00000000-1")
        entry = state.Entry(str(tmp_path), {"redis": 1}, process=impostor)
        state.save(tmp_path, state.State(str(tmp_path / ".env"), {"redis": entry}))
        with pytest.raises(ProcessLookupError):
            native.Services(tmp_path).kill("redis")
        assert (await native.status(tmp_path))[0].state == "died"
        assert (await native.down(tmp_path))[0].state == "stopped"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()


PARENT = """
import sys, threading, anyio
from pathlib import Path
from backbone.services import native
def main():
    services = anyio.run(lambda: native.up(data=Path(sys.argv[1]), die_with_parent=True, fsync=False))
    if sys.argv[2] == "frozen":
        services.freeze("timescale")
    print("up", flush=True)
    sys.stdin.read()
if sys.argv[2] == "thread":
    thread = threading.Thread(target=lambda: main())
    thread.start()
    thread.join()
else:
    main()
"""


@pytest.mark.parametrize("how", ["plain", "frozen", "thread"])
async def test_services_stop_when_their_parent_is_killed(services: native.Services, tmp_path: Path, how: str) -> None:
    parent = child(sys.executable, "-c", PARENT, str(tmp_path), how)
    assert parent.stdout
    try:
        while await anyio.to_thread.run_sync(parent.stdout.readline) != b"up\n":
            assert parent.poll() is None
        current = state.load(tmp_path)
        assert current is not None
        assert current.watchdog is not None
        everyone = [each for name in NAMES for each in processes.residents(tmp_path / name)]
        assert len(everyone) >= 3
    finally:
        parent.kill()
        parent.communicate()
    assert await processes.gone([*everyone, current.watchdog], 30)
    assert {each.state for each in await native.status(tmp_path)} == {"stopped"}


async def test_an_interrupted_start_is_undone(services: native.Services, tmp_path: Path) -> None:
    with child(sys.executable, "-m", "backbone.services.native", "up", "kafka", "--data", str(tmp_path)) as launcher:
        assert launcher.stdout
        assert b"starting" in await anyio.to_thread.run_sync(launcher.stdout.readline)
        launcher.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(launcher.wait) == 143
    assert not processes.residents(tmp_path / "kafka")


async def test_a_service_that_can_not_start_says_why_and_leaves_nothing(
    services: native.Services, tmp_path: Path
) -> None:
    await native.up(["timescale", "redis"], data=tmp_path, die_with_parent=True, fsync=False)
    await native.down(tmp_path)
    with (tmp_path / "timescale/cluster/postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(native.StartError, match="no_such_setting"):
        await native.up(["timescale", "redis"], data=tmp_path, die_with_parent=True, fsync=False)
    assert not processes.residents(tmp_path / "redis")
    assert {each.state for each in await native.status(tmp_path)} == {"stopped"}


async def test_a_taken_port_is_refused_before_anything_runs(services: native.Services, tmp_path: Path) -> None:
    taken = services.port("redis")
    with pytest.raises(ValueError, match=str(taken)):
        await native.up(["redis"], data=tmp_path, die_with_parent=True, ports={"redis": taken})
    assert not processes.residents(tmp_path / "redis")


def test_an_event_loop_of_another_thread_does_not_take_services_with_it(
    services: native.Services, tmp_path: Path
) -> None:
    done: list[native.Services] = []

    async def start() -> None:
        done.append(await native.up(["redis"], data=tmp_path, die_with_parent=True))

    thread = threading.Thread(target=lambda: anyio.run(start))
    thread.start()
    thread.join()
    assert anyio.run(native.status, tmp_path)[0].ready
    anyio.run(native.down, tmp_path)
