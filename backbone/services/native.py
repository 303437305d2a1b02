"""The real TimescaleDB, Redis and Apache Kafka without Docker: `up`, `down`, `status`.

    services = await up(data=Path("/tmp/services"), die_with_parent=True)
    services.environment["BACKBONE_STORE_URL"]      # also in /tmp/services/.env
    services.kill("redis"); await services.restart("redis")
    await services.down()

Programs are installed once into a cache folder; everything else is below the data folder. TimescaleDB and Redis need
Debian and root, Kafka needs Java; what is missing and can be had from the package registries is installed. On the
command line: `python -m backbone.services.native up|down|status --data DIR`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio

from backbone.services import installs, launch, owned, processes, rootfs, state, watchdog
from backbone.services.launch import SERVICES, StartError
from backbone.services.locks import exclusive
from backbone.services.machine import Say, Unavailable, require_linux
from backbone.services.reports import ServiceStatus, observe
from backbone.services.running import Services

__all__ = [
    "SERVICES",
    "ServiceStatus",
    "Services",
    "StartError",
    "Unavailable",
    "down",
    "main",
    "status",
    "up",
    "update",
]

ALL = ("timescale", "redis", "kafka")
"""What a backbone runs on; a cluster of Spark is started where it is asked for by name."""
_LOCK_SECONDS = 1200.0
_OLD_DAYS = 30


async def up(
    services: Sequence[str] = ALL,
    *,
    data: Path,
    cache: Path | None = None,
    env_file: Path | None = None,
    progress: Callable[[str], None] | None = None,
    die_with_parent: bool = False,
    ports: Mapping[str, int] | None = None,
    fsync: bool = True,
    timeout: float = 60.0,
) -> Services:
    """Start services and return when each has answered a client's round trip; those that run already stay as they are.

    Args:
        services: names among timescale, redis, kafka, spark.
        data: folder of their data, logs and state; made if it is missing, used again if it is not.
        cache: folder of their programs; `backbone/services` in the user's cache folder if None.
        env_file: where their addresses and passwords go, mode 0600, other lines kept; `.env` in `data` if None.
        progress: told in one line what happens.
        die_with_parent: stop them when this process ends, however it ends.
        ports: ports by name (timescale, redis, kafka, kafka_controller); free ones are chosen for the others.
        fsync: False for tests that need no crash safety: faster.
        timeout: seconds that each has from its start to its readiness; installing is not counted.

    Raises:
        Unavailable: this machine can't have them; the message says what to do.
        StartError: one did not become ready. What this call started is stopped again.
        ValueError: an unknown service or port name, or a port that is taken.
    """
    parent = processes.identify(os.getpid()) if die_with_parent else None
    return await bring_up(
        services,
        data=data,
        cache=cache,
        env_file=env_file,
        say=progress or _silent,
        parent=parent,
        ports=ports or {},
        fsync=fsync,
        timeout=timeout,
    )


async def bring_up(
    services: Sequence[str],
    *,
    data: Path,
    cache: Path | None,
    env_file: Path | None,
    say: Say,
    parent: processes.Process | None,
    ports: Mapping[str, int],
    fsync: bool,
    timeout: float,
) -> Services:
    """Do what `up` does, on behalf of any process `parent` (None: the services stay)."""
    require_linux()
    _check_names(services, ports)
    data, cache = _folder(data, 0o700), _folder(cache or default_cache(), 0o755)
    async with _locked(data, say):
        current = state.load(data) or state.State(str(env_file or data / ".env"))
        current.env_file = str((env_file or Path(current.env_file)).resolve())
        if parent is not None:
            await _guard(data, current, parent)
        work = _Bringing(data, cache, current, say, ports, fsync, timeout)
        await work.all(list(dict.fromkeys(services)))
    return Services(data)


def _folder(path: Path, mode: int) -> Path:
    """A folder that nobody else writes: root writes into the data, and runs what is in the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=mode, exist_ok=True)
    owned.require_trusted(path.resolve())
    return path.resolve()


def default_cache() -> Path:
    """Return the folder for programs: `backbone/services` in the user's cache folder (XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "backbone" / "services"


def _silent(_line: str) -> None:
    pass


def _check_names(services: Sequence[str], ports: Mapping[str, int]) -> None:
    port_names = {name for service in SERVICES.values() for name in service.port_names}
    for what, given, allowed in (("service", set(services), set(SERVICES)), ("port", set(ports), port_names)):
        if unknown := given - allowed:
            raise ValueError(f"unknown {what} {', '.join(sorted(unknown))}; known are {', '.join(sorted(allowed))}")


@asynccontextmanager
async def _locked(data: Path, say: Say) -> AsyncIterator[None]:
    async with exclusive(data / ".lock", what=f"the services in {data}", say=say, timeout=_LOCK_SECONDS):
        yield


async def _guard(data: Path, current: state.State, parent: processes.Process) -> None:
    await _end_watchdog(current)
    current.parent = parent
    state.save(data, current)
    current.watchdog = watchdog.spawn(data)
    state.save(data, current)


async def _end_watchdog(current: state.State) -> None:
    dog = current.watchdog
    if dog is not None and dog.pid != os.getpid() and processes.send(dog, signal.SIGKILL):
        await processes.gone([dog], 5.0)
    current.watchdog = current.parent = None


class _Bringing:
    """One call of `up`: several services at once, all of them or none."""

    def __init__(
        self,
        data: Path,
        cache: Path,
        current: state.State,
        say: Say,
        ports: Mapping[str, int],
        fsync: bool,
        timeout: float,
    ) -> None:
        self._data, self._cache, self._current, self._say = data, cache, current, say
        self._ports, self._fsync, self._timeout = ports, fsync, timeout
        self._started: list[str] = []
        self._told: set[Path] = set()
        self._errors: list[Exception] = []

    async def all(self, names: Sequence[str]) -> None:
        """Start the services; on failure or cancellation stop those that were started here."""
        complete = False
        try:
            async with anyio.create_task_group() as group:
                for name in names:
                    group.start_soon(self._one, name, group.cancel_scope)
            self._raise_first()
            complete = True
        finally:
            if not complete:
                with anyio.CancelScope(shield=True):
                    for name in self._started:
                        await launch.stop(self._data, name, self._current, self._say)
                    await _end_if_unused(self._data, self._current)

    def _raise_first(self) -> None:
        if self._errors:
            raise self._errors[0]

    async def _one(self, name: str, scope: anyio.CancelScope) -> None:
        try:
            await self._bring(name)
        except (Unavailable, StartError, ValueError, OSError) as error:
            self._errors.append(error)
            scope.cancel()

    async def _bring(self, name: str) -> None:
        known = self._current.services.get(name)
        if known is not None and known.process is not None and processes.alive(known.process):
            self._say(f"{name}: runs already, pid {known.process.pid}, port {known.ports[name]}")
            return
        install = await SERVICES[name].install(self._cache, self._say)
        self._tell_age(install)
        former = known.ports if known is not None else {}
        self._current.services[name] = state.Entry(str(install), dict(former), fsync=self._fsync)
        self._say(f"{name}: starting")
        began = time.monotonic()
        self._started.append(name)
        site = await launch.start(self._data, name, self._current, fixed=self._ports, timeout=self._timeout)
        version = self._current.services[name].version
        self._say(f"{name}: ready on 127.0.0.1:{site.port} after {time.monotonic() - began:.1f} s ({version})")

    def _tell_age(self, install: Path) -> None:
        moment = installs.made(install)
        if moment is None or install in self._told:
            return
        self._told.add(install)
        days = (datetime.now(UTC) - moment).days
        if days >= _OLD_DAYS:
            self._say(f"{install} is {days} days old: backbone services update fetches today's security updates")


async def update(*, cache: Path | None = None, progress: Callable[[str], None] | None = None) -> Path:
    """Fetch today's versions of PostgreSQL, TimescaleDB and Redis; servers run them from their next start on.

    Kafka is one version, which comes with backbone, on the machine's own Java.

    Args:
        cache: folder of the programs, as for `up`.
        progress: told in one line what happens.

    Returns:
        The folder of the programs.

    Raises:
        Unavailable: no Debian, no root, or the mirror does not answer; what was there stays and works.
    """
    return await rootfs.update(_folder(cache or default_cache(), 0o755), progress or _silent)


async def down(
    data: Path, services: Sequence[str] | None = None, *, progress: Callable[[str], None] | None = None
) -> list[ServiceStatus]:
    """Stop services cleanly (all of them if None), by force after 20 s; their data stays.

    Returns:
        The status of each after that.

    Raises:
        Unavailable: a process could not be ended.
        ValueError: an unknown service name.
    """
    _check_names(services or (), {})
    data = _absolute(data)
    if state.load(data) is None:
        return []
    async with _locked(data, progress or _silent):
        current = state.load(data)
        if current is not None:
            await _stop_all(data, current, services, progress or _silent)
    return await status(data)


async def abandon(data: Path, parent: processes.Process) -> None:
    """Stop everything on behalf of a parent that is gone, unless the services belong to somebody else by now."""
    async with _locked(data, _silent):
        current = state.load(data)
        if current is not None and current.parent == parent:
            await _stop_all(data, current, None, _silent)


async def _stop_all(data: Path, current: state.State, services: Sequence[str] | None, say: Say) -> None:
    names = [name for name in current.services if services is None or name in services]
    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(launch.stop, data, name, current, say)
    await _end_if_unused(data, current)


async def _end_if_unused(data: Path, current: state.State) -> None:
    if all(entry.process is None for entry in current.services.values()):
        await _end_watchdog(current)
    state.save(data, current)


async def status(data: Path, *, timeout: float = 3.0) -> list[ServiceStatus]:
    """Ask each service that was ever started in a data folder, all at once.

    Args:
        data: the data folder.
        timeout: seconds that each has to answer.
    """
    data = _absolute(data)
    current = state.load(data)
    return [] if current is None else await observe(data, current, timeout=timeout)


def _absolute(path: Path) -> Path:
    return path.resolve()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    from backbone.services.command import run

    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
