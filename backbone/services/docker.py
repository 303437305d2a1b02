"""The same services by docker compose, for machines with a Docker engine: `up`, `down`, `status` as in `native`.

A data folder is a compose project of its own; its passwords and ports are in `docker.env` in that folder, private.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backbone.services import envfile
from backbone.services.accounts import account_of
from backbone.services.launch import SERVICES, StartError
from backbone.services.locks import exclusive
from backbone.services.machine import Unavailable, run
from backbone.services.ports import is_free
from backbone.services.reports import ServiceStatus
from backbone.services.service import Site
from backbone.settings.resources import resource

ALL = ("timescale", "redis", "kafka")
PRIVATE = "docker.env"

_FILE = resource("compose/docker-compose.yml")
_ASK_SECONDS = 10.0
_UP_SECONDS = 900.0  # the first time, images are fetched
_DOWN_SECONDS = 120.0
_LOCK_SECONDS = 1200.0
_PORTS = {"timescale": ("TIMESCALEDB_PORT", 5432), "redis": ("REDIS_PORT", 6379), "kafka": ("KAFKA_PORT", 9092)}
_PASSWORDS = (
    "TIMESCALEDB_PASSWORD",
    "TIMESCALEDB_ADMIN_PASSWORD",
    "REDIS_PASSWORD",
    "KAFKA_PASSWORD",
    "KAFKA_ADMIN_PASSWORD",
)


async def answers() -> str | None:
    """Return why docker compose can't be used here, or None where an engine answers and knows compose."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    for question in (["version", "--format", "{{.Server.Version}}"], ["compose", "version", "--short"]):
        try:
            await run(["docker", *question], what=f"docker {question[0]}", timeout=_ASK_SECONDS)
        except Unavailable as error:
            return str(error)
    return None


def used(data: Path) -> bool:
    """Tell whether the services of this data folder were started by docker compose."""
    return (data / PRIVATE).is_file()


async def up(
    services: Sequence[str] = ALL,
    *,
    data: Path,
    env_file: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[ServiceStatus]:
    """Start services and return when their health checks pass; those that run already stay as they are.

    Args:
        services: names among timescale, redis, kafka.
        data: folder of the project's private settings; the data itself is in volumes of the engine.
        env_file: where addresses and passwords go, mode 0600, other lines kept; `.env` in `data` if None.
        progress: told in one line what happens.

    Raises:
        Unavailable: the engine does not answer.
        StartError: a service did not become healthy; the message has the engine's last words.
        ValueError: an unknown service.
    """
    _check(services)
    say = progress or _silent
    data = _folder(data)
    async with exclusive(data / ".lock", what=f"the services in {data}", say=say, timeout=_LOCK_SECONDS):
        values = _private(data)
        say(f"docker compose: starting {', '.join(services)}; the first time, images are fetched")
        try:
            await _compose(data, ["up", "--detach", "--wait", *services], timeout=_UP_SECONDS)
        except Unavailable as error:
            raise StartError(str(error)) from None
        envfile.update(env_file or data / ".env", {k: v for name in services for k, v in _address(name, values)})
    return [each for each in await status(data) if each.name in services]


async def down(
    data: Path, services: Sequence[str] | None = None, *, progress: Callable[[str], None] | None = None
) -> list[ServiceStatus]:
    """Stop services (all of them if None); their volumes stay.

    Raises:
        Unavailable: the engine does not answer.
        ValueError: an unknown service.
    """
    _check(services or ())
    if not used(data):
        return []
    say = progress or _silent
    async with exclusive(data / ".lock", what=f"the services in {data}", say=say, timeout=_LOCK_SECONDS):
        say("docker compose: stopping")
        await _compose(data, ["stop", *(services or ())], timeout=_DOWN_SECONDS)
    return await status(data)


async def status(data: Path) -> list[ServiceStatus]:
    """Tell how the engine finds each service that was ever started from a data folder.

    Raises:
        Unavailable: the engine does not answer.
    """
    if not used(data):
        return []
    text = await _compose(data, ["ps", "--all", "--format", "json"], timeout=_ASK_SECONDS)
    values = envfile.read(data / PRIVATE)
    found = {row["Service"]: row for row in _rows(text)}
    return [_status(name, found[name], values) for name in ALL if name in found]


def _check(services: Sequence[str]) -> None:
    if unknown := set(services) - set(ALL):
        raise ValueError(f"unknown service {', '.join(sorted(unknown))}; known are {', '.join(ALL)}")


def _folder(data: Path) -> Path:
    data.mkdir(parents=True, exist_ok=True)
    return data.resolve()


def _project(data: Path) -> str:
    return f"backbone-{hashlib.blake2b(str(data.resolve()).encode(), digest_size=4).hexdigest()}"


def _silent(_line: str) -> None:
    pass


async def _compose(data: Path, words: Sequence[str], *, timeout: float) -> str:
    command = [
        "docker",
        "compose",
        "--project-name",
        _project(data),
        "--file",
        str(_FILE),
        "--env-file",
        str(data / PRIVATE),
    ]
    return await run([*command, *words], what=f"docker compose {words[0]}", timeout=timeout)


def _private(data: Path) -> dict[str, str]:
    """The project's passwords and ports: as they were, else made now."""
    values = envfile.read(data / PRIVATE)
    fresh = {name: secrets.token_hex(24) for name in _PASSWORDS if name not in values}
    for name, usual in _PORTS.values():
        if name not in values:
            fresh[name] = str(_near(usual))
    envfile.update(data / PRIVATE, fresh)
    return values | fresh


def _near(usual: int) -> int:
    """The usual port, or the next one that is free, so that people find it."""
    return next(port for port in range(usual, 65_536, 10) if is_free(port))


def _address(name: str, values: dict[str, str]) -> list[tuple[str, str]]:
    """The settings of a service, as `up` without Docker writes them."""
    password = values[f"{_PORTS[name][0].removesuffix('_PORT')}_PASSWORD"]
    here = Site(Path(), Path(), {name: int(values[_PORTS[name][0]])}, account_of(name), {"backbone": password})
    return list(SERVICES[name].settings(here, "backbone").items())


def _rows(text: str) -> list[dict[str, Any]]:
    """One object a line, or, as some versions write them, one array."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith(("{", "["))]
    return [row for each in lines for row in (each if isinstance(each, list) else [each])]


def _status(name: str, row: dict[str, Any], values: dict[str, str]) -> ServiceStatus:
    state, health = str(row.get("State", "")), str(row.get("Health", ""))
    ready = state == "running" and health == "healthy"
    known = {"paused": "frozen", "exited": "stopped", "created": "stopped", "dead": "died"}.get(state, state)
    todo = "" if ready else "; not running: start it with up" if known != "running" else "; docker logs tells more"
    detail = f"container {row.get('Name', '?')}: {row.get('Status', state)}{todo}"
    return ServiceStatus(name, known, None, int(values[_PORTS[name][0]]), str(row.get("Image", "")), ready, detail)
