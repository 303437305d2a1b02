"""services: by docker compose (a program that plays its part), and every way in which it can't be done."""

import json
import stat
from pathlib import Path

import pytest

from backbone.services import native
from backbone.services.machine import Unavailable
from tests.backbone.cli.conftest import Cli

NAMES = ["timescale", "redis", "kafka"]
DOCKER = """#!/bin/sh
echo "$@" >> "$0.calls"
if grep -qs "$1" "$0.broken"; then echo "Cannot connect to the Docker daemon"; exit 1; fi
case "$*" in
*" up "*) if [ -e "$0.sick" ]; then echo "container backbone-kafka-1 is unhealthy"; exit 1; fi; touch "$0.runs" ;;
*" stop"*) rm -f "$0.runs" ;;
*" ps "*)
    state=exited health=
    if [ -e "$0.runs" ]; then state=running health=healthy; fi
    for n in timescale redis kafka; do
        echo "{\\"Service\\":\\"$n\\",\\"State\\":\\"$state\\",\\"Health\\":\\"$health\\",\\"Name\\":\\"b-$n\\"}"
    done ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that notes its arguments and pretends."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


@pytest.fixture
def no_docker(docker: Path) -> None:
    docker.with_suffix(".broken").write_text("version\n")


def test_up_status_and_down_by_docker_compose(cli: Cli, docker: Path) -> None:
    up = cli("services", "up", "--data", "here", "--format", "json")
    assert up.code == 0
    body = json.loads(up.out)
    assert body["schema"] == 1
    assert [(each["name"], each["ready"]) for each in body["services"]] == [(name, True) for name in NAMES]
    calls = docker.with_suffix(".calls").read_text()
    assert "docker-compose.yml" in calls
    assert "up --detach --wait timescale redis kafka" in calls
    assert cli("services", "status", "--data", "here").code == 0
    down = cli("services", "down", "--data", "here")
    assert (down.code, down.out.count("stopped")) == (0, 3)
    assert cli("services", "status", "--data", "here").code == 3


def test_the_settings_loader_reads_the_env_file_that_up_wrote(cli: Cli, docker: Path) -> None:
    assert cli("services", "up", "--data", "here", "-q").code == 0
    done = cli(
        "config", "show", "--format", "json", "--profile", "institutional", "--env-file", str(Path("here", ".env"))
    )
    rows = {row["path"]: row for row in json.loads(done.out)["settings"]}
    assert rows["stream.bootstrap"]["origin"] == "env BACKBONE_STREAM_BOOTSTRAP"
    assert "127.0.0.1" in str(rows["stream.bootstrap"]["value"])
    assert rows["store.url"]["origin"] == "env BACKBONE_STORE_URL"


@pytest.mark.parametrize(
    ("names", "before", "after", "backends"),
    [
        ((), "backbone rehearse ", " shows the whole cycle", ("timescale", "redis", "kafka")),
        (("timescale",), "backbone run ", " uses TimescaleDB", ("timescale", "memory", "memory")),
    ],
)
def test_what_up_says_next_works_as_typed(
    cli: Cli, docker: Path, names: tuple[str, ...], before: str, after: str, backends: tuple[str, ...]
) -> None:
    said = cli("services", "up", *names, "--data", "here").err.splitlines()[-1]
    typed = said.partition(before)[2].partition(after)[0].split()
    done = cli("config", "show", "--format", "json", *typed)
    rows = {row["path"]: row["value"] for row in json.loads(done.out)["settings"]}
    assert (done.code, *(rows[f"{part}.backend"] for part in ("store", "cache", "stream"))) == (0, *backends)
    assert cli("config", "check", *typed).code == 0
    assert "backbone r" not in cli("services", "up", "redis", "--data", "other").err.splitlines()[-1]


def test_the_profile_that_the_documentation_names_starts_with_the_env_file_that_up_wrote(
    cli: Cli, docker: Path
) -> None:
    assert cli("services", "up", "--data", "here", "-q").code == 0
    file = str(Path("here", ".env"))
    done = cli("config", "check", "--profile", "timescale", "--env-file", file, "--format", "json")
    assert done.code == 0
    assert {each["status"] for each in json.loads(done.out)["findings"]} == {"degraded"}
    whole = cli("config", "check", "--profile", "institutional", "--env-file", file)
    assert whole.code == 0, whole.out


def test_passwords_are_private_and_stay_from_one_up_to_the_next(cli: Cli, docker: Path) -> None:
    cli("services", "up", "redis", "--data", "here")
    before = Path("here/.env").read_text()
    done = cli("services", "up", "redis", "--data", "here")
    assert Path("here/.env").read_text() == before
    password = before.split("backbone:")[1].split("@")[0]
    assert len(password) >= 32
    assert password not in done.out + done.err + docker.with_suffix(".calls").read_text()
    for name in (".env", "docker.env"):
        assert stat.S_IMODE(Path("here", name).stat().st_mode) == 0o600
    assert "KAFKA" not in before


def test_an_env_file_elsewhere_keeps_its_other_lines(cli: Cli, docker: Path) -> None:
    Path("mine.env").write_text("BACKBONE_CACHE_TTL=9\n")
    assert cli("services", "up", "kafka", "--data", "here", "--env-file", "mine.env").code == 0
    assert Path("mine.env").read_text().startswith("BACKBONE_CACHE_TTL=9\nBACKBONE_STREAM_BOOTSTRAP=127.0.0.1:")
    assert not Path("here/.env").exists()


def test_a_service_that_does_not_get_healthy_is_one_line_and_exit_1(cli: Cli, docker: Path) -> None:
    docker.with_suffix(".sick").touch()
    done = cli("services", "up", "--data", "here", "-q")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "kafka-1 is unhealthy" in done.err


def test_without_an_engine_it_is_the_native_launcher(
    cli: Cli, no_docker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(services: object, **_: object) -> None:
        raise Unavailable(f"{services} need Debian")

    monkeypatch.setattr(native, "up", refuse)
    done = cli("services", "up", "redis", "--data", "here")
    assert (done.code, done.out) == (4, "")
    assert done.err == "backbone: error: ('redis',) need Debian\n"


def test_update_says_what_to_do_next_and_offline_what_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetched(**_: object) -> Path:
        return Path("/cache/rootfs")

    async def offline(**_: object) -> Path:
        raise Unavailable("apt-get update failed with exit code 100: the mirror does not answer")

    monkeypatch.setattr(native, "update", fetched)
    done = cli("services", "update")
    assert (done.code, done.out) == (0, "")
    assert "/cache/rootfs: servers run it from their next start on: backbone services down, then up" in done.err
    monkeypatch.setattr(native, "update", offline)
    done = cli("services", "update", "-q")
    assert (done.code, done.out) == (4, "")
    assert done.err.count("\n") == 1
    assert "the mirror does not answer" in done.err


def test_docker_asked_for_and_not_there_is_exit_4(cli: Cli, no_docker: None) -> None:
    done = cli("services", "up", "--with", "docker", "--data", "here")
    assert done.code == 4
    assert "Cannot connect to the Docker daemon" in done.err
    assert done.err.count("\n") == 1


def test_a_folder_stays_with_the_way_it_was_made(cli: Cli, docker: Path) -> None:
    cli("services", "up", "redis", "--data", "here")
    done = cli("services", "up", "--with", "native", "--data", "here")
    assert done.code == 2
    assert "made by docker" in done.err


def test_nothing_was_ever_started(cli: Cli, no_docker: None) -> None:
    status = cli("services", "status", "--data", "here")
    assert (status.code, status.out) == (3, "no services here; start them: backbone services up\n")
    assert cli("services", "down", "--data", "here").code == 0
    assert not Path("here").exists()


def test_an_unknown_service_is_refused_with_those_that_are_known(cli: Cli) -> None:
    done = cli("services", "up", "mongo")
    assert done.code == 2
    for name in (*NAMES, "mongo"):
        assert name in done.err


def test_one_that_was_never_started_is_not_ready(cli: Cli, no_docker: None) -> None:
    assert cli("services", "status", "redis", "--data", "here").code == 3
