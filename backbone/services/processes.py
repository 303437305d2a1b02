"""Processes of services: started detached, recognised for certain, signalled as a whole.

A process is its number and the moment it was born: numbers are used again, so a number alone is never signalled.
Every process of a service works in the service's folder, which finds the children of a server that was killed.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from backbone.services import owned

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Process:
    """One process for certain.

    Attributes:
        pid: its number.
        born: boot of the machine and start in clock ticks since then.
    """

    pid: int
    born: str


def identify(pid: int) -> Process | None:
    """Return the process that has this number now, or None."""
    fields = _stat(pid)
    if fields is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    return Process(pid, f"{boot}-{fields[19]}")


@contextmanager
def _held(process: Process) -> Iterator[int | None]:
    """A handle of it, if it is still the one meant: while that is open, its number can't change hands."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        yield None
        return
    try:
        yield handle if identify(process.pid) == process else None
    finally:
        os.close(handle)


def alive(process: Process) -> bool:
    """Tell whether any thread of it is left; a dead child of ours is buried on the way.

    A killed process counts as a zombie as soon as its first thread is gone, while the others may still hold its
    ports: the handle tells when all have ended.
    """
    with _held(process) as handle:
        if handle is None:
            return False
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(0):
            return True
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        return False


def frozen(process: Process) -> bool:
    """Tell whether it is stopped by a signal."""
    return identify(process.pid) == process and _letter(process.pid) in "Tt"


def residents(home: Path) -> list[Process]:
    """Return the living processes whose working folder is `home` or inside it, however deep.

    Folders are compared by device and inode, not by path, since a server in a chroot sees other paths. The way leads
    from a process upwards, so that no link is followed: whoever could put one there would have other processes ended.
    """
    if not home.is_dir():
        return []
    wanted, found = _key(home), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                process = identify(int(entry.name))
                if process is not None and _is_inside(entry / "cwd", wanted) and alive(process):
                    found.append(process)
    return found


def _is_inside(folder: Path, wanted: tuple[int, int]) -> bool:
    key = _key(folder)
    while key != wanted:
        folder, below = folder / "..", key
        key = _key(folder)
        if key == below:  # the root has itself above it
            return False
    return True


def send(process: Process, number: signal.Signals) -> bool:
    """Signal a process if it is still the one meant; tell whether it was."""
    with _held(process) as handle:
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
    return True


async def gone(processes: Sequence[Process], timeout: float) -> bool:
    """Wait up to `timeout` seconds until none of them is alive; tell whether that came true."""
    with anyio.move_on_after(timeout):
        while any(alive(process) for process in processes):  # noqa: ASYNC110 - the kernel tells nobody else's parent
            await anyio.sleep(_POLL_SECONDS)
        return True
    return False


def spawn(command: Sequence[str], *, log: Path, env: Mapping[str, str]) -> Process:
    """Start a program in a session of its own, its output appended to `log`.

    Returns at once. The file system, the environment and the arguments are the caller's matter; of this process's
    environment nothing is passed on.
    """
    with owned.log(log) as output:
        pid = os.posix_spawn(
            command[0],
            list(command),
            dict(env),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        )
    process = identify(pid)
    if process is None:
        raise RuntimeError(f"{command[0]} (pid {pid}) was taken away by another waiter of this process's children")
    return process


def memory(processes: Sequence[Process]) -> int:
    """Return their memory in bytes, shared pages counted once (proportional set size)."""
    total = 0
    for process in processes:
        with suppress(OSError):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _letter(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else "X"


def _key(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino
