"""An export that somebody reads is not removed: a lock on a file in its folder, shared by those who read.

The lock is the system's, on an open file: it falls with the process that holds it, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backbone.files import lock_file

__all__ = ["HELD", "Gone", "make_holdable", "reading", "unread"]

HELD = ".held"
"""Its name. Tools that read a folder of Parquet pass it by."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNKNOWN = {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}  # a file system without locks


class Gone(Exception):
    """An export is being removed, or was."""


def make_holdable(folder: Path) -> None:
    """Make the file, so that he who may only read the export can hold it, too.

    Raises:
        OSError: it can't be made.
    """
    os.close(lock_file(folder / HELD))


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Keep an export from being removed. Where nothing can be locked, for whatever reason, it is read without.

    Raises:
        Gone: it is too late.
    """
    handle = _opened(folder)
    try:
        if handle is not None and not (_shared(handle) and _is_still(handle, folder)):
            raise Gone(f"{folder.name} is being removed")
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def unread(folder: Path) -> Iterator[bool]:
    """Whether nobody reads it, and nobody begins to within.

    Raises:
        OSError: it can't be found out.
    """
    try:
        handle = lock_file(folder / HELD)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        yield True  # the file is missing, so that nobody holds it: to remove it is what makes room
        return
    try:
        yield _locked(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def _opened(folder: Path) -> int | None:
    with suppress(OSError):
        return os.open(folder / HELD, _READ)
    try:
        handle = lock_file(folder / HELD)
    except FileNotFoundError as error:
        raise Gone(f"{folder.name} was removed") from error
    except OSError:
        return None
    _give_to_owner(handle, folder)
    return handle


def _give_to_owner(handle: int, folder: Path) -> None:
    """What root made while he read must not keep the owner of the export from removing it one day."""
    with suppress(OSError):  # we are not root, nor need to be
        owner = folder.stat()
        if os.fstat(handle).st_nlink == 1:  # else it is another name of somebody's file
            os.fchown(handle, owner.st_uid, owner.st_gid)


def _shared(handle: int) -> bool:
    try:
        return _locked(handle, fcntl.LOCK_SH)
    except OSError:
        return True


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
    return True


def _is_still(handle: int, folder: Path) -> bool:
    """Whether what was locked is that of the folder of this name; who removes one takes its name first."""
    try:
        return os.path.samestat(os.fstat(handle), (folder / HELD).lstat())
    except OSError:
        return False
