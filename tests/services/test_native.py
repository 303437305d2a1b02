"""The launcher gives real servers that work, survive faults, and leave nothing behind."""

from __future__ import annotations

import json
import secrets
import signal
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from compose import native, processes, state

ROOT = Path(__file__).parents[2]
NAMES = ("timescale", "redis", "kafka")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def child(*command: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)


async def store(services: native.Services) -> asyncpg.Connection:
    return await asyncpg.connect(services.environment["BACKBONE_STORE_URL"], timeout=5, command_timeout=10)


def cache(services: native.Services) -> Redis:
    return Redis.from_url(services.environment["BACKBONE_CACHE_URL"], socket_timeout=1, retry=Retry(NoBackoff(), 0))


async def topic(services: native.Services) -> str:
    name = f"topic-{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=services.environment["BACKBONE_STREAM_BOOTSTRAP"])
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    finally:
        await admin.close()
    return name


async def produce(services: native.Services, name: str, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=services.environment["BACKBONE_STREAM_BOOTSTRAP"], enable_idempotence=True, acks="all"
    )
    await producer.start()
    try:
        await producer.send_and_wait(name, value, key=b"EURUSD")
    finally:
        await producer.stop()


async def consume_one(services: native.Services, name: str) -> bytes:
    consumer = AIOKafkaConsumer(
        name,
        bootstrap_servers=services.environment["BACKBONE_STREAM_BOOTSTRAP"],
        group_id=f"group-{secrets.token_hex(4)}",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        with anyio.fail_after(20):
            message = await consumer.getone()
        await consumer.commit()
    finally:
        await consumer.stop()
    assert isinstance(message.value, bytes)
    return message.value


async def status_of(services: native.Services, name: str) -> native.ServiceStatus:
    return next(each for each in await services.status() if each.name == name)


async def test_timescale_takes_a_hypertable_copied_rows_and_drops_old_chunks(services: native.Services) -> None:
    connection = await store(services)
    rows = [("EURUSD", MONDAY + timedelta(hours=hour), 1.1 + hour / 1e4) for hour in range(24 * 60)]
    try:
        await connection.execute("CREATE TABLE bars (symbol text, ts timestamptz NOT NULL, close double precision)")
        await connection.execute("SELECT create_hypertable('bars', by_range('ts', INTERVAL '30 days'))")
        await connection.copy_records_to_table("bars", records=rows)
        days = await connection.fetch(
            "SELECT time_bucket('1 day', ts, 'America/New_York') AS day, count(*) FROM bars GROUP BY day"
        )
        dropped = await connection.fetch("SELECT drop_chunks('bars', older_than => $1::timestamptz)", MONDAY)
        chunks = await connection.fetchval("SELECT count(*) FROM timescaledb_information.chunks")
    finally:
        await connection.execute("DROP TABLE IF EXISTS bars")
        await connection.close()
    assert len(days) == 61
    assert sum(row["count"] for row in days) == len(rows)
    assert not dropped
    assert chunks in (2, 3)


async def test_a_database_of_ones_own_is_plain_postgresql_until_the_extension_is_asked_for(
    services: native.Services,
) -> None:
    connection = await store(services)
    name = f"plain_{secrets.token_hex(4)}"
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        url = services.environment["BACKBONE_STORE_URL"].rpartition("/")[0] + f"/{name}"
        other = await asyncpg.connect(url, timeout=5)
        before = await other.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
        await other.execute("CREATE EXTENSION timescaledb")
        after = await other.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
        await other.close()
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.close()
    assert (before, after) == (0, 1)


async def test_redis_keeps_what_was_set(services: native.Services) -> None:
    async with cache(services) as client:
        nonce = secrets.token_hex(8)
        await client.set("backbone:nonce", nonce, ex=30)
        assert await client.get("backbone:nonce") == nonce.encode()
        assert await client.ttl("backbone:nonce") > 0


async def test_kafka_delivers_what_was_produced(services: native.Services) -> None:
    name = await topic(services)
    nonce = secrets.token_bytes(16)
    await produce(services, name, nonce)
    assert await consume_one(services, name) == nonce


async def test_every_service_tells_version_port_and_memory(services: native.Services) -> None:
    found = {each.name: each for each in await services.status()}
    assert set(found) == set(NAMES)
    assert all(each.ready and each.state == "running" for each in found.values())
    assert "TimescaleDB" in found["timescale"].version
    assert "licence apache" in found["timescale"].version
    assert found["redis"].version.startswith("Redis 8")
    assert all(" MB" in each.detail for each in found.values())
    assert all(each.port == services.port(each.name) for each in found.values())


async def test_up_again_leaves_running_services_as_they_are(services: native.Services) -> None:
    before = [services.pid(name) for name in NAMES], services.environment
    await native.up(data=services.data)
    assert ([services.pid(name) for name in NAMES], services.environment) == before


def test_passwords_are_in_the_env_file_alone_and_it_is_private(services: native.Services) -> None:
    values = services.environment
    assert set(values) == {"BACKBONE_STORE_URL", "BACKBONE_CACHE_URL", "BACKBONE_STREAM_BOOTSTRAP"}
    assert stat.S_IMODE(services.env_file.stat().st_mode) == 0o600
    passwords = [
        values[name].split(":")[2].split("@")[0].encode() for name in ("BACKBONE_STORE_URL", "BACKBONE_CACHE_URL")
    ]
    assert all(len(password) >= 32 for password in passwords)
    holders = {
        path
        for path in services.data.rglob("*")
        if path.is_file() and any(password in path.read_bytes() for password in passwords)
    }
    assert holders == {services.env_file}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue
        assert not any(password in arguments for password in passwords)


def test_no_database_server_runs_as_root(services: native.Services) -> None:
    for name in ("timescale", "redis"):
        everyone = processes.residents(services.data / name)
        assert everyone
        assert all(Path(f"/proc/{each.pid}").stat().st_uid != 0 for each in everyone)


async def test_a_wrong_password_is_refused(services: native.Services) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://backbone:wrong@127.0.0.1:{services.port('timescale')}/backbone", timeout=5)
    async with Redis(port=services.port("redis"), retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(RedisError, match=r"authenticated|Authentication required"):
            await client.ping()


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
from compose import native
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


async def test_two_launchers_at_once_share_one_set_of_services(services: native.Services, tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(command, "up", "redis", "--data", str(tmp_path), "--no-fsync")
    assert len(processes.residents(tmp_path / "redis")) == 1
    assert (await native.status(tmp_path))[0].ready
    await native.down(tmp_path)


async def test_the_command_line_starts_shows_and_stops(services: native.Services, tmp_path: Path) -> None:
    started = await command("up", "redis", "--data", str(tmp_path), "--format", "json")
    assert started[0] == 0
    assert json.loads(started[1])[0]["ready"] is True
    assert (await command("status", "--data", str(tmp_path)))[0] == 0
    stopped = await command("down", "--data", str(tmp_path))
    assert stopped[0] == 0
    assert "stopped" in stopped[1]
    assert (await command("status", "--data", str(tmp_path)))[0] == 3
    assert (await command("up", "mongo", "--data", str(tmp_path)))[0] == 2
    assert not processes.residents(tmp_path / "redis")


async def test_an_interrupted_start_is_undone(services: native.Services, tmp_path: Path) -> None:
    with child(sys.executable, "-m", "compose.native", "up", "kafka", "--data", str(tmp_path)) as launcher:
        assert launcher.stdout
        assert b"starting" in await anyio.to_thread.run_sync(launcher.stdout.readline)
        launcher.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(launcher.wait) == 143
    assert not processes.residents(tmp_path / "kafka")


async def command(*arguments: str) -> tuple[int, str]:
    done = await anyio.run_process(
        [sys.executable, "-m", "compose.native", *arguments], cwd=ROOT, check=False, stderr=None
    )
    return done.returncode, done.stdout.decode()


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


async def test_data_is_used_again_even_on_other_ports(services: native.Services, tmp_path: Path) -> None:
    first = await native.up(data=tmp_path, die_with_parent=True, fsync=True)
    connection = await store(first)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await connection.close()
    async with cache(first) as client:
        await client.set("backbone:kept", "42")
    name = await topic(first)
    await produce(first, name, b"42")
    current = state.load(tmp_path)
    assert current is not None
    others = {each: port + 1 for entry in current.services.values() for each, port in entry.ports.items()}
    await first.down()
    second = await native.up(data=tmp_path, die_with_parent=True, ports=others)
    try:
        assert {each: second.port(each) for each in NAMES} == {each: others[each] for each in NAMES}
        connection = await store(second)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
        async with cache(second) as client:
            assert await client.get("backbone:kept") == b"42"
        assert await consume_one(second, name) == b"42"
    finally:
        await second.down()


async def test_other_lines_of_an_env_file_stay(services: native.Services, tmp_path: Path) -> None:
    path = tmp_path / "mine.env"
    path.write_text("# mine\nBACKBONE_SOURCES_FRED_API_KEY_FILE=/run/key\nBACKBONE_CACHE_URL=redis://old\n")
    running = await native.up(["redis"], data=tmp_path / "data", die_with_parent=True, env_file=path)
    await running.down()
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# mine", "BACKBONE_SOURCES_FRED_API_KEY_FILE=/run/key"]
    assert [line.split("@")[1] for line in lines[2:]] == [f"127.0.0.1:{running.port('redis')}/0"]


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
