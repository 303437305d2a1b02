"""The launcher gives real servers that work, and tells where they are."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import asyncpg

from backbone.services import envfile, native, processes, state
from tests.services.clients import NAMES, cache, command, consume_one, produce, store, topic

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


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
        chunks = await connection.fetchval(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'bars'"
        )
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
        await services.sql(f"CREATE DATABASE {name} OWNER backbone")
        url = services.environment["BACKBONE_STORE_URL"].rpartition("/")[0] + f"/{name}"
        other = await asyncpg.connect(url, timeout=5)
        before = await other.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
        await other.execute("CREATE EXTENSION timescaledb")
        after = await other.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
        await other.close()
    finally:
        await connection.close()
        # as superuser: the extension's own worker, which only that may end, can be in there
        await services.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
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
    assert set(values) == {name for each in native.ALL for name in native.SERVICES[each].names}
    files = {services.env_file, *(services.data / f"{role}.env" for role in ("writer", "reader", "admin"))}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    passwords = {password.encode() for file in files for password in passwords_in(file)}
    assert len(passwords) == 8, "one for each account of each service"
    assert all(len(password) >= 32 for password in passwords)
    holders = {path for path in files_of(services.data) if any(each in content_of(path) for each in passwords)}
    assert holders == files
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue
        assert not any(password in arguments for password in passwords)


def files_of(folder: Path) -> Iterator[Path]:
    """All files below, on servers that make and remove some meanwhile."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""


def passwords_in(file: Path) -> set[str]:
    values = envfile.read(file)
    return {service.password(values) for service in native.SERVICES.values()} - {""}


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
