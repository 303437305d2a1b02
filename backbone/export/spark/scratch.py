"""The folder of a child: its settings with the secret of its cluster, and what Spark puts aside.

It is for its user alone and gone afterwards. One whose job was killed together with all that could remove it goes with
the next job: who works in a folder holds a lock on it, which falls with the process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from backbone.domain.threads import in_thread

__all__ = ["scratch"]

_PREFIX = "backbone-spark-"


@asynccontextmanager
async def scratch() -> AsyncIterator[Path]:
    """A new folder; it goes off the event loop, for gigabytes may lie in it."""
    await in_thread(_sweep)
    folder, handle = _made()
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.close(handle)


def _made() -> tuple[Path, int]:
    """A folder and the lock on it; one that somebody swept away before it was locked is made anew."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            handle = _locked(folder)
            if handle is not None and folder.is_dir():
                return folder, handle
            if handle is not None:
                os.close(handle)


def _sweep() -> None:
    """Remove the folders of ours that nobody works in."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and (handle := _locked(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(handle)


def _locked(folder: Path) -> int | None:
    """A handle of a folder that is locked by it; None: somebody else's is.

    Raises:
        OSError: it is gone, or no folder.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
