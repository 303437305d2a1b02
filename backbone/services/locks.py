"""Locks between processes: on a file, released by the kernel when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

_POLL_SECONDS = 0.1


@asynccontextmanager
async def exclusive(path: Path, *, what: str, say: Callable[[str], None], timeout: float) -> AsyncIterator[None]:
    """Hold a lock file for the length of the block.

    Args:
        path: the lock file, created if it is missing and left in place.
        what: what it guards, for messages.
        say: told once if somebody else holds it.
        timeout: seconds to wait.

    Raises:
        TimeoutError: another process held it all the time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        await _acquire(handle, path, what, say, timeout)
        yield
    finally:
        os.close(handle)


async def _acquire(handle: int, path: Path, what: str, say: Callable[[str], None], timeout: float) -> None:
    told = False
    with anyio.move_on_after(timeout):
        while not _try(handle):
            if not told:
                say(f"waiting for {what}: somebody else is at it")
                told = True
            await anyio.sleep(_POLL_SECONDS)
        return
    raise TimeoutError(f"{what}: another process held {path} for {timeout:g} s; end it, or wait and try again")


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
