"""Files that are written: whole or not at all, for the right people from their first moment, never over a device.

Everything that backbone writes by itself goes through here; the databases write their own files, in folders made here.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

__all__ = [
    "PRIVATE",
    "REPORT",
    "begun",
    "continued",
    "deliver",
    "fresh_file",
    "is_there",
    "lock_file",
    "private_folder",
    "replace",
    "scratch",
]

PRIVATE = 0o600
"""What holds a secret or state: for its owner alone."""
REPORT = 0o640
"""What was written to be read: for its owner and his group."""

_DIRECT = os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # as the kernel follows


def is_there(path: str | None) -> bool:
    """Whether a switch that is a file is on; one that can't be looked at counts as on, None is none.

    A link is a switch itself, wherever it leads.
    """
    if path is None:
        return False
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def deliver(path: Path, data: bytes) -> None:
    """Write into the place that somebody named: a file is replaced; a pipe, terminal or device is written to.

    A name of one of this process's own descriptors, such as /dev/stdout, means what the descriptor leads to.

    Raises:
        OSError: it can't be written there.
    """
    descriptor = _descriptor(path)
    if descriptor is None and not _is_special(path):
        replace(path, data)
        return
    with os.fdopen(os.open(path, _DIRECT) if descriptor is None else os.dup(descriptor), "wb") as place:
        place.write(data)


def replace(path: Path, data: bytes, mode: int = REPORT) -> None:
    """Write a file at once or not at all: beside it first, then in its place, which may be a link to somewhere else.

    What is there and is no file, such as a device, is never replaced: the whole machine may need it.

    Args:
        path: its folder is made where it is missing.
        data: all of it.
        mode: who may read it; a stricter umask counts.

    Raises:
        OSError: it can't be written there.
    """
    if _is_special(path):
        raise FileExistsError(errno.EEXIST, "it is no regular file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with fresh_file(path, mode) as (file, partial):
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        partial.replace(path)


@contextmanager
def fresh_file(path: Path, mode: int = REPORT) -> Iterator[tuple[io.BufferedWriter, Path]]:
    """A new file beside `path`, under a name that nobody can guess; it is gone afterwards unless it was renamed.

    Raises:
        OSError: no file can be made there.
    """
    partial = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.partial")
    handle = os.open(partial, _FRESH, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, partial
    finally:
        partial.unlink(missing_ok=True)


def begun(path: Path, mode: int = REPORT) -> BinaryIO:
    """A new file, unbuffered, in the place of what had that name in a folder of ours; a link there is not followed.

    Raises:
        OSError: it can't be made.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, _FRESH, mode), "wb", 0)


def continued(path: Path, mode: int = REPORT) -> BinaryIO:
    """A file to the end of which is added, unbuffered; made where it is missing, and never behind a link.

    Raises:
        OSError: it can't be opened.
    """
    how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, how, mode), "wb", 0)


def lock_file(path: Path, mode: int = REPORT) -> int:
    """The descriptor of a file that is there to be locked; made where it is missing, and never behind a link.

    Raises:
        OSError: it can't be opened.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def scratch() -> IO[bytes]:
    """A file without a name in the folder for temporary files (`TMPDIR`): nobody else opens it, and closed it is gone.

    Raises:
        OSError: no file can be made there.
    """
    from tempfile import TemporaryFile

    return TemporaryFile()


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone; one that is there stays as it is.

    Raises:
        OSError: it can't be made.
    """
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(0o700, exist_ok=True)


def _is_special(path: Path) -> bool:
    """Whether something is there that is no regular file.

    Raises:
        OSError: it is a disk, which nobody means.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISBLK(mode):
        raise FileExistsError(errno.EEXIST, "it is a block device")
    return not stat.S_ISREG(mode)


def _descriptor(path: Path) -> int | None:
    """The descriptor of this process that a path is another name of; None: it is not."""
    own = {f"/proc/{os.getpid()}/fd", "/dev/fd"}
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in own and path.name.isdecimal():
            return int(path.name)
        try:
            path = Path(folder, path.readlink())
        except OSError:  # no link, or nothing there
            return None
    return None
