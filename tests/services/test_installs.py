"""What is installed is whole or absent, and what can't be had is said in one line."""

from __future__ import annotations

import os
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from backbone.services import installs, kafka, launch, machine, native, ports, rootfs, scram
from backbone.services.envfile import read, update
from backbone.services.installs import install_once
from backbone.services.locks import exclusive

ROOT = Path(__file__).parents[2]


def silent(_line: str) -> None:
    pass


async def test_two_installers_at_once_build_once(tmp_path: Path) -> None:
    builds: list[Path] = []

    async def build(partial: Path) -> None:
        builds.append(partial)
        await anyio.lowlevel.checkpoint()
        await anyio.Path(partial).mkdir()

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(lambda: install_once(tmp_path / "kafka", build, say=silent))
    assert len(builds) == 1
    assert (tmp_path / "kafka").is_dir()


async def test_a_build_that_fails_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    async def fail(partial: Path) -> None:
        await anyio.Path(partial / "half").mkdir(parents=True)
        raise machine.Unavailable("the mirror does not answer")

    async def build(partial: Path) -> None:
        assert not await anyio.Path(partial).exists()
        await anyio.Path(partial).mkdir()

    with pytest.raises(machine.Unavailable, match="mirror"):
        await install_once(tmp_path / "rootfs", fail, say=silent)
    assert os.listdir(tmp_path) == [".rootfs.lock"]  # noqa: PTH208 - pathlib's way would block the loop
    assert (await install_once(tmp_path / "rootfs", build, say=silent)).is_dir()


async def test_what_changes_with_time_is_used_until_a_newer_one_is_asked_for(tmp_path: Path) -> None:
    target, built = tmp_path / "rootfs-x", []

    async def build(partial: Path) -> None:
        built.append(partial)
        await anyio.Path(partial).mkdir()

    async def fail(_partial: Path) -> None:
        raise machine.Unavailable("the mirror does not answer")

    old = target.with_name("rootfs-x-20250101T000000Z")
    old.mkdir()
    assert await installs.install_newest(target, build, say=silent) == old
    now = datetime.now(UTC).replace(microsecond=0)
    with pytest.raises(machine.Unavailable, match="mirror"):
        await installs.install_newest(target, fail, say=silent, since=now)
    assert installs.newest(target) == old, "offline, what was there stays"
    fresh = await installs.install_newest(target, build, say=silent, since=now)
    assert len(built) == 1
    assert fresh != old
    assert await installs.install_newest(target, build, say=silent) == fresh
    assert (installs.superseded(old), installs.superseded(fresh)) == (True, False)
    assert installs.made(old) == datetime(2025, 1, 1, tzinfo=UTC)
    assert installs.made(tmp_path / "kafka-4.3.1-0c932207e1") is None
    assert not installs.superseded(tmp_path / "kafka-4.3.1-0c932207e1")


async def test_an_update_keeps_the_last_root_file_system_and_the_ones_that_are_lived_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bootstrap(target: Path) -> None:
        await anyio.Path(target).mkdir()

    monkeypatch.setattr(rootfs, "_bootstrap", bootstrap)
    monkeypatch.setattr(rootfs, "require_debian_root", silent)
    monkeypatch.setattr(rootfs, "ensure_programs", lambda *_, **__: anyio.lowlevel.checkpoint())
    first = await rootfs.install(tmp_path, silent)
    stem = first.name.rpartition("-")[0]
    first.rename(tmp_path / f"{stem}-20250101T000000Z")
    last = tmp_path / f"{stem}-20250201T000000Z"
    last.mkdir()
    assert await rootfs.install(tmp_path, silent) == last
    fresh = await rootfs.update(tmp_path, silent)
    assert installs.all_of(tmp_path / stem) == [last, fresh]


async def test_old_programs_are_told_once_with_the_command_that_renews_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    old = tmp_path / "rootfs-x-20250101T000000Z"

    async def install(*_: object) -> Path:
        return old

    async def start(*_: object, **__: object) -> None:
        raise machine.Unavailable("far enough")

    for name in ("timescale", "redis"):
        monkeypatch.setattr(native.SERVICES[name], "install", install)
    monkeypatch.setattr(launch, "start", start)
    with pytest.raises(machine.Unavailable, match="far enough"):
        await native.up(["timescale", "redis"], data=tmp_path / "data", cache=tmp_path, progress=said.append)
    days = (datetime.now(UTC) - datetime(2025, 1, 1, tzinfo=UTC)).days
    advice = f"{old} is {days} days old: backbone services update fetches today's security updates"
    assert [line for line in said if "days old" in line] == [advice]


async def test_a_full_disk_is_told_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))

    async def never(_partial: Path) -> None:
        pytest.fail("built on a full disk")

    with pytest.raises(machine.Unavailable, match=r"0\.0 GB free.*choose another"):
        await install_once(tmp_path / "rootfs", never, say=silent)


async def test_a_lock_that_is_never_given_back_is_an_error_with_its_path(tmp_path: Path) -> None:
    said: list[str] = []
    async with exclusive(tmp_path / "lock", what="it", say=silent, timeout=1):
        with pytest.raises(TimeoutError, match="lock"):
            async with exclusive(tmp_path / "lock", what="it", say=said.append, timeout=0.05):
                pytest.fail("held twice")
    assert len(said) == 1


async def test_without_root_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine, "is_debian", lambda: True)
    with pytest.raises(machine.Unavailable, match=r"uid 1000.*sudo.*docker compose"):
        await rootfs.install(tmp_path, silent)


async def test_without_debian_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_debian", lambda: False)
    with pytest.raises(machine.Unavailable, match=r"needs Debian.*docker compose"):
        await rootfs.install(tmp_path, silent)


async def test_without_java_the_message_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(machine.Unavailable, match="java not found: install openjdk-17-jre-headless"):
        await kafka.Kafka().install(tmp_path, silent)


async def test_an_old_java_is_refused_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    with pytest.raises(machine.Unavailable, match=r"17 or newer.* is 11"):
        await kafka.Kafka().install(tmp_path, silent)


async def test_a_program_that_fails_is_quoted_with_its_last_words() -> None:
    with pytest.raises(machine.Unavailable, match="exit code 3: the end"):
        await machine.run(["sh", "-c", "echo the end; exit 3"], what="it", timeout=5)


async def test_a_program_that_hangs_is_ended_at_its_limit() -> None:
    with pytest.raises(machine.Unavailable, match=r"no end within 0\.1 s"):
        await machine.run(["sleep", "60"], what="it", timeout=0.1)


def test_ports_are_free_outside_the_kernels_range_and_fixed_ones_are_honoured() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = int(taken.getsockname()[1])
        chosen = ports.choose(["a", "b"], fixed={}, former={"a": used})
        assert all(20_000 <= port < 32_000 for port in chosen.values())
        assert len(set(chosen.values())) == 2
        with pytest.raises(ValueError, match=f"{used} is taken"):
            ports.choose(["a"], fixed={"a": used}, former={})
    with pytest.raises(ValueError, match="1 to 65535"):
        ports.choose(["a"], fixed={"a": 0}, former={})
    assert ports.choose(["a"], fixed={}, former=chosen)["a"] == chosen["a"]


def test_an_env_file_is_private_and_replaced_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    update(path, {"A": "1", "B": "2"})
    update(path, {"A": "3=x"})
    assert read(path) == {"B": "2", "A": "3=x"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [".env"]


def test_a_scram_verifier_has_the_form_that_postgresql_stores() -> None:
    verifier = scram.postgresql_verifier("secret")
    assert verifier.startswith("SCRAM-SHA-256$4096:")
    assert "secret" not in verifier
    assert verifier != scram.postgresql_verifier("secret")


def test_a_server_does_not_decide_how_long_a_login_takes() -> None:
    login = scram.Login("backbone", "secret")
    nonce = login.first().decode().rpartition("r=")[2]
    with pytest.raises(ValueError, match="hashed 2,147,483,647 times"):
        login.final(f"r={nonce}more,s=c2FsdA==,i=2147483647".encode())
