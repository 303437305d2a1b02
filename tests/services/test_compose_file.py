"""The stack for people with Docker: pinned, checked for health, private to the machine, without secrets in it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from backbone.services import kafka

FOLDER = Path(__file__).parents[2] / "compose"
FILE = FOLDER / "docker-compose.yml"
PASSWORDS = {"TIMESCALEDB_PASSWORD": "canary1", "REDIS_PASSWORD": "canary2"}


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


def test_it_runs_kafka_with_the_settings_of_the_launcher(stack: dict[str, Any]) -> None:
    environment = stack["services"]["kafka"]["environment"]
    own = dict(line.split("=", 1) for line in kafka._PROPERTIES.splitlines() if "=" in line and "{" not in line)
    shared = {key: value for key, value in own.items() if "KAFKA_" + key.upper().replace(".", "_") in environment}
    assert {"broker.session.timeout.ms", "auto.create.topics.enable"} <= set(shared)
    for key in shared.keys() - {"listener.security.protocol.map", "inter.broker.listener.name"}:
        assert environment["KAFKA_" + key.upper().replace(".", "_")] == shared[key]


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
    assert "set TIMESCALEDB_PASSWORD" in refused.stderr
    accepted = subprocess.run([*base, "--quiet"], capture_output=True, check=False, env=environment | PASSWORDS)
    assert accepted.returncode == 0
