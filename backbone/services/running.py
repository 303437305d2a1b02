"""A handle on the services of a data folder: addresses, and the faults that drills need."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from backbone.services import envfile, launch, processes, roles, state
from backbone.services.locks import exclusive
from backbone.services.reports import ServiceStatus
from backbone.services.service import NotReady
from backbone.services.timescale import Timescale

_LOCK_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a data folder; any process may hold one, also of services that another process started.

    Attributes:
        data: the data folder.
    """

    data: Path

    @property
    def env_file(self) -> Path:
        """The .env with the addresses."""
        return Path(self._state().env_file)

    @property
    def environment(self) -> dict[str, str]:
        """The settings by environment name, with passwords: not for logs."""
        return self.environment_of(roles.OWNER)

    def environment_of(self, role: str) -> dict[str, str]:
        """The settings of another role (writer, reader, admin), with passwords: not for logs."""
        known = {name for service in launch.SERVICES.values() for name in service.names}
        file = roles.file_of(role, self.data, self.env_file)
        return {name: value for name, value in envfile.read(file).items() if name in known}

    def port(self, service: str) -> int:
        """Return the port of a service on 127.0.0.1."""
        return self._entry(service).ports[service]

    def pid(self, service: str) -> int:
        """Return the process number of a server that was started.

        Raises:
            ProcessLookupError: it is stopped.
        """
        return self._process(service).pid

    def kill(self, service: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the server's first process: SIGKILL is the fault "the server is gone"; `restart` brings it back.

        Raises:
            ProcessLookupError: it is not running.
        """
        if not processes.send(self._process(service), number):
            raise ProcessLookupError(f"{service} is not running: start it with restart")

    def freeze(self, service: str) -> None:
        """Stop all processes of a service where they are (SIGSTOP): it accepts connections and answers nothing."""
        done: set[processes.Process] = set()
        # Its first process comes first, so that no further ones are born; those born meanwhile are found again.
        while fresh := [each for each in self._everyone(service) if each not in done]:
            for each in fresh:
                processes.send(each, signal.SIGSTOP)
            done.update(fresh)

    def thaw(self, service: str) -> None:
        """Let all processes of a service go on (SIGCONT)."""
        for each in self._everyone(service):
            processes.send(each, signal.SIGCONT)

    async def restart(self, service: str, *, timeout: float = 60.0) -> None:
        """Start a service anew on the same port, whether it runs, is frozen, stopped or was killed; wait for readiness.

        Raises:
            StartError: it did not become ready.
            ValueError: its port was taken meanwhile, or the service is unknown here.
        """
        async with exclusive(self.data / ".lock", what="the services", say=_silent, timeout=_LOCK_SECONDS):
            current = self._state()
            ports = self._entry(service).ports
            await launch.stop(self.data, service, current, _silent)
            await launch.start(self.data, service, current, fixed=ports, timeout=timeout)

    async def sql(self, statements: str, *, database: str = "backbone") -> str:
        """Run SQL as the superuser, whom clients can't be; return the rows, columns separated by `|`.

        Raises:
            NotReady: the server does not answer, or refused a statement.
        """
        timescale = launch.SERVICES[Timescale.name]
        if not isinstance(timescale, Timescale):
            raise NotReady("no TimescaleDB here")
        return await timescale.sql(launch.site(self.data, Timescale.name, self._state()), statements, database=database)

    async def status(self, *, timeout: float = 3.0) -> list[ServiceStatus]:
        """Ask each service, as `native.status` does."""
        from backbone.services.native import status

        return await status(self.data, timeout=timeout)

    async def down(self) -> list[ServiceStatus]:
        """Stop all of them, as `native.down` does."""
        from backbone.services.native import down

        return await down(self.data)

    def _state(self) -> state.State:
        current = state.load(self.data)
        if current is None:
            raise ValueError(f"no services were ever started in {self.data}: use up")
        return current

    def _entry(self, service: str) -> state.Entry:
        known = self._state().services
        if service not in known:
            raise ValueError(f"{service} was never started in {self.data}; known are {', '.join(known) or 'none'}")
        return known[service]

    def _process(self, service: str) -> processes.Process:
        process = self._entry(service).process
        if process is None:
            raise ProcessLookupError(f"{service} is stopped: start it with restart")
        return process

    def _everyone(self, service: str) -> list[processes.Process]:
        first = self._process(service)
        return [first, *(each for each in processes.residents(self.data / service) if each != first)]


def _silent(_line: str) -> None:
    pass
