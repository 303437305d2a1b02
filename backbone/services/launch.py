"""Starts one service and waits until it serves; stops one service."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio

from backbone.services import owned, processes, roles, state
from backbone.services.accounts import account_of
from backbone.services.kafka import Kafka
from backbone.services.machine import Say, Unavailable, last_lines
from backbone.services.ports import choose
from backbone.services.redis import Redis
from backbone.services.rootfs import ENVIRONMENT
from backbone.services.service import NotReady, Service, Site
from backbone.services.spark import Spark
from backbone.services.timescale import Timescale

SERVICES: Mapping[str, Service] = {service.name: service for service in (Timescale(), Redis(), Kafka(), Spark())}

_ATTEMPTS = 3
_PROBE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_STOP_SECONDS = 20.0
_KILL_SECONDS = 10.0


class StartError(RuntimeError):
    """A service was started and did not become ready; the message has its last words and the path of its log."""


class _Died(Exception):
    pass


def site(data: Path, name: str, current: state.State) -> Site:
    """Return where a service of this data folder lives."""
    entry = current.services[name]
    passwords = {"backbone": "", **roles.passwords(SERVICES[name], data, Path(current.env_file))}
    return Site(data / name, Path(entry.install), entry.ports, account_of(name), passwords, entry.fsync)


async def start(data: Path, name: str, current: state.State, *, fixed: Mapping[str, int], timeout: float) -> Site:
    """Start a service that has an entry and does not run; return when it serves.

    Args:
        data: the data folder.
        name: the service.
        current: the state, which is kept up to date and saved.
        fixed: ports that must be used; others are chosen anew if the former ones are taken.
        timeout: seconds from its process to its readiness.

    Raises:
        StartError: it ended each time it was started, or was not ready in time.
    """
    service, entry = SERVICES[name], current.services[name]
    for attempt in range(1, _ATTEMPTS + 1):
        former = entry.ports if attempt == 1 else {}
        entry.ports = choose(service.port_names, fixed=fixed, former=former)
        here = site(data, name, current)
        here = replace(here, passwords=roles.with_new(service, here.passwords))
        owned.take(here.home, here.account)
        # What a killed server left behind: its children hold its memory and its ports.
        await _end(here.home, [])
        await service.prepare(here)
        roles.write_down(service, here, data, Path(current.env_file))
        entry.process = processes.spawn(
            service.command(here, die_with_parent=_is_parent(current)), log=here.log, env=ENVIRONMENT
        )
        state.save(data, current)
        try:
            entry.version = await _serving(service, here, entry.process, timeout)
        except _Died:
            continue
        state.save(data, current)
        return here
    raise StartError(f"{name} ended {_ATTEMPTS} times while starting: {_last_words(here.log)} (all of it: {here.log})")


def _is_parent(current: state.State) -> bool:
    # The kernel's signal on a parent's death comes when the *thread* ends that started the process. In another
    # thread than the main one that may be long before; there the watchdog alone sees to it.
    mine = current.parent is not None and current.parent == processes.identify(os.getpid())
    return mine and threading.current_thread() is threading.main_thread()


async def _serving(service: Service, here: Site, process: processes.Process, timeout: float) -> str:
    reason = "nothing was asked yet"
    with anyio.move_on_after(timeout):
        while processes.alive(process):
            try:
                await service.admit(here)
                return await service.probe(here, timeout=_PROBE_SECONDS)
            except NotReady as error:
                reason = str(error)
            await anyio.sleep(_POLL_SECONDS)
        raise _Died
    raise StartError(
        f"{service.name} was not ready within {timeout:g} s: {reason}; log: {here.log}: {_last_words(here.log)}"
    )


def _last_words(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        return last_lines(file.read().decode(errors="replace"))


async def stop(data: Path, name: str, current: state.State, say: Say) -> None:
    """Stop a service cleanly, with force after 20 s; nothing of it is left then.

    Raises:
        Unavailable: a process of it withstood SIGKILL (it waits for a disk or belongs to somebody else).
    """
    home, process = data / name, current.services[name].process
    everyone = processes.residents(home)
    if process is not None and processes.send(process, SERVICES[name].stop_signal):
        for each in (process, *everyone):
            processes.send(each, signal.SIGCONT)
        if not await processes.gone([process, *everyone], _STOP_SECONDS):
            say(f"{name} did not stop within {_STOP_SECONDS:g} s and is killed")
    await _end(home, [process] if process is not None else [])
    current.services[name].process = None
    state.save(data, current)


async def _end(home: Path, first: list[processes.Process]) -> None:
    left = [*first, *processes.residents(home)]
    for each in left:
        processes.send(each, signal.SIGKILL)
    if not await processes.gone(left, _KILL_SECONDS):
        numbers = ", ".join(str(each.pid) for each in left if processes.alive(each))
        raise Unavailable(f"processes {numbers} in {home} can't be ended: end them, then try again")
