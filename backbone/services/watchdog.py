"""Stops the services of a data folder when the process they belong to is gone: its own program, given the folder."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import anyio

from backbone.services import processes, state


def spawn(data: Path) -> processes.Process:
    """Start the watchdog of a data folder, whose state names the parent; return at once."""
    root = (
        Path(__file__).resolve().parents[2]
    )  # of the package, wherever it lies: nobody's working folder is on the path
    environment = {"PATH": os.defpath, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "backbone.services.watchdog", str(data)]
    return processes.spawn(command, log=data / "watchdog.log", env=environment)


def wait_for_end(process: processes.Process) -> None:
    """Return when a process has ended, however it did."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if processes.alive(process):
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll()
    finally:
        os.close(handle)


def main(data: Path) -> None:
    """Wait for the end of the parent, then stop its services."""
    current = state.load(data)
    if current is None or current.parent is None:
        return
    wait_for_end(current.parent)
    # Here and not at the top: the launcher, which starts watchdogs, imports this module.
    from backbone.services.native import abandon

    anyio.run(abandon, data, current.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
