"""What can be observed of the services of a data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio

from backbone.services import installs, launch, processes, state
from backbone.services.service import NotReady


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service as it was found.

    Attributes:
        name: timescale, redis, kafka or spark.
        state: running, frozen (stopped by a signal), stopped (on purpose) or died.
        pid: of the server, None where there is none.
        port: on 127.0.0.1, for clients.
        version: as the server told it; empty if it was never ready.
        ready: whether a client's round trip was answered now.
        detail: memory and log; or what is wrong and what to do.
    """

    name: str
    state: str
    pid: int | None
    port: int | None
    version: str
    ready: bool
    detail: str


async def observe(data: Path, current: state.State, *, timeout: float) -> list[ServiceStatus]:
    """Return the status of each service, asking all at once."""
    found: dict[str, ServiceStatus] = {}

    async def ask(name: str) -> None:
        found[name] = await _one(data, name, current, timeout)

    async with anyio.create_task_group() as group:
        for name in current.services:
            group.start_soon(ask, name)
    return [found[name] for name in current.services]


async def _one(data: Path, name: str, current: state.State, timeout: float) -> ServiceStatus:
    entry, log = current.services[name], data / name / "service.log"
    port = entry.ports.get(name)
    process = entry.process
    if process is None:
        return ServiceStatus(name, "stopped", None, port, entry.version, False, "not running: start it with up")
    if not processes.alive(process):
        detail = f"its process {process.pid} is gone: read {log}, start it again with up"
        return ServiceStatus(name, "died", None, port, entry.version, False, detail)
    if processes.frozen(process):
        detail = f"stopped by a signal: kill -CONT {process.pid}"
        return ServiceStatus(name, "frozen", process.pid, port, entry.version, False, detail)
    try:
        version = await launch.SERVICES[name].probe(launch.site(data, name, current), timeout=timeout)
    except NotReady as error:
        detail = f"{error}; read {log}"
        return ServiceStatus(name, "running", process.pid, port, entry.version, False, detail)
    used = processes.memory([process, *(each for each in processes.residents(data / name) if each != process)])
    detail = f"{used / 1e6:.0f} MB; log {log}{_programs(Path(entry.install))}"
    return ServiceStatus(name, "running", process.pid, port, version, True, detail)


def _programs(install: Path) -> str:
    moment = installs.made(install)
    if moment is None:
        return ""
    newer = "; newer ones are installed: services down, then up" if installs.superseded(install) else ""
    return f"; programs of {moment:%Y-%m-%d}{newer}"
