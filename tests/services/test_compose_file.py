"""The stack for people with Docker: pinned, checked for health, private to the machine, without secrets in it."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from backbone.services import kafka, kafka_wire, native, redis

FOLDER = Path(__file__).parents[2] / "compose"
FILE = FOLDER / "docker-compose.yml"
PASSWORDS = {
    name: f"canary{number}"
    for number, name in enumerate(
        (
            "TIMESCALEDB_PASSWORD",
            "TIMESCALEDB_ADMIN_PASSWORD",
            "REDIS_PASSWORD",
            "KAFKA_PASSWORD",
            "KAFKA_ADMIN_PASSWORD",
        )
    )
}
OPERATIONS = {
    "Create": kafka_wire.CREATE,
    "Describe": kafka_wire.DESCRIBE,
    "DescribeConfigs": kafka_wire.DESCRIBE_CONFIGS,
    "Read": kafka_wire.READ,
    "Write": kafka_wire.WRITE,
}
RESOURCES = {"topic": kafka_wire.TOPIC, "group": kafka_wire.GROUP, "transactional-id": kafka_wire.TRANSACTION}


@pytest.fixture
def stack() -> dict[str, Any]:
    loaded = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_it_has_the_three_services_of_the_launcher(stack: dict[str, Any]) -> None:
    assert list(stack["services"]) == ["timescale", "redis", "kafka"]


def test_every_image_is_pinned_to_a_full_version(stack: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in stack["services"].items()}
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images.values())
    assert images["timescale"].endswith("-pg17")
    assert images["redis"].startswith("redis:8.")
    assert images["kafka"] == f"apache/kafka:{kafka.VERSION}"


def test_every_service_has_health_check_volume_and_a_loopback_port(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        assert service["healthcheck"]["test"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(stack["volumes"])


def test_two_stacks_can_run_beside_each_other(stack: dict[str, Any]) -> None:
    assert not any("container_name" in service for service in stack["services"].values())


def kafka_script(stack: dict[str, Any]) -> str:
    return str(stack["services"]["kafka"]["command"][2])


def settings_in(text: str) -> dict[str, str]:
    lines = (line.strip().partition("=") for line in text.splitlines() if re.match(r"\s*[a-z.0-9-]+=", line))
    return {name: value for name, _, value in lines}


def test_it_runs_kafka_with_the_settings_of_the_launcher(stack: dict[str, Any]) -> None:
    given = settings_in(kafka_script(stack).partition("<<END\n")[2].partition("END\n")[0])
    own = {name: value for name, value in settings_in(kafka._PROPERTIES).items() if "{" not in value}
    assert {name: own[name] for name in given.keys() & own.keys()} == {
        name: given[name] for name in given.keys() & own.keys()
    }
    for name in ("listener.security.protocol.map", "authorizer.class.name", "super.users", "broker.session.timeout.ms"):
        assert name in given.keys() & own.keys()


def test_accounts_have_the_rights_that_the_launcher_gives(stack: dict[str, Any]) -> None:
    script = kafka_script(stack).replace("\\\n", " ")
    given = {
        ("backbone", RESOURCES[kind], OPERATIONS[operation])
        for kind, rest in re.findall(r"may --([a-z-]+) backbone (.*)", script)
        for operation in re.findall(r"--operation (\w+)", rest)
    }
    assert given == {right for right in kafka.RIGHTS if right[0] == "backbone"}
    words = stack["services"]["redis"]["environment"]["REDIS_RIGHTS"].split()
    assert words == ["resetchannels", "-@all", *redis.RIGHTS["backbone"].split()]


def test_no_password_stands_in_a_command(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        assert not re.search(r"(?<!\$)\$\{\w*PASSWORD", " ".join(service.get("command", ())))
    for line in kafka_script(stack).splitlines():
        assert "PASSWORD" not in line or line.strip().startswith(("until account", "account"))
    assert "password=%s" in kafka_script(stack), "printf is the shell's own: it has no arguments that others see"


async def test_the_database_of_the_compose_file_is_owned_by_a_role_without_further_rights(
    stack: dict[str, Any], services: native.Services
) -> None:
    name = f"compose_{secrets.token_hex(4)}"
    content = stack["configs"]["accounts"]["content"].replace("$$", "$")
    assert content.startswith("\\getenv password BACKBONE_PASSWORD\n")
    statements = re.sub(r"\bbackbone\b", name, content.partition("\n")[2])
    await services.sql(f"\\set password canary\n{statements}", database="postgres")
    try:
        place = f"127.0.0.1:{services.port('timescale')}/{name}"
        owner = await asyncpg.connect(f"postgresql://{name}:canary@{place}", timeout=5)
        await owner.execute("CREATE SCHEMA market_data")
        row = await owner.fetchrow("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = $1", name)
        assert row is not None
        assert not any(row.values())
        await owner.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(services.environment["BACKBONE_STORE_URL"].rpartition("/")[0] + f"/{name}", timeout=5)
    finally:
        await services.sql(f"DROP DATABASE {name} WITH (FORCE)")
        await services.sql(f"DROP ROLE {name}")
    assert "canary" not in (services.data / "timescale" / "service.log").read_text()


def test_the_template_names_every_variable(stack: dict[str, Any]) -> None:
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text(encoding="utf-8")))
    template = (FOLDER / "docker.env.example").read_text(encoding="utf-8")
    assert wanted == set(re.findall(r"^(\w+)=", template, re.MULTILINE))
    assert all(f"{name}=\n" in template for name in PASSWORDS)


def test_docker_compose_accepts_it_and_demands_passwords(tmp_path: Path) -> None:
    base = ["docker", "compose", "--env-file", os.devnull, "-f", str(FILE), "config"]
    environment = {name: value for name, value in os.environ.items() if name not in PASSWORDS}
    try:
        version = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no docker client here: docker-compose.yml was parsed, not checked by docker compose config")
    if version.returncode:
        pytest.skip("no docker compose here: docker-compose.yml was parsed, not checked by docker compose config")
    refused = subprocess.run(base, capture_output=True, text=True, check=False, env=environment)
    assert refused.returncode
    assert "set TIMESCALEDB" in refused.stderr
    accepted = subprocess.run([*base, "--quiet"], capture_output=True, check=False, env=environment | PASSWORDS)
    assert accepted.returncode == 0
