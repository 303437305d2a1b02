"""Files of root that a server reads, and folders that are the server's: made without following a link.

A service's folder is the launcher's, and its group, which is the server's alone, may read it. So nobody but the
launcher can put a link, or anything else, where the launcher writes. Below it lie the folders that the server owns:
the launcher opens them by their name in its own folder, and never a name inside them. A folder of an earlier version,
which belonged to the server as a whole, is taken back first; what stands in the way by then is replaced, not followed.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backbone.services.accounts import Account

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOG = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SEEN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def take(home: Path, account: Account) -> None:
    """Make the folder of a service, or take it back: the launcher's to write, the server's to read.

    Raises:
        ValueError: something else than a folder has its name.
    """
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opened(home.parent) as parent, _made(parent, home) as handle:
        os.fchown(handle, os.geteuid(), account.gid)
        os.fchmod(handle, 0o700 if account.uid == os.geteuid() else 0o750)


def is_there(path: Path) -> bool:
    """Tell whether anything has the name, be it a link to nothing."""
    return os.path.lexists(path)


def require_trusted(data: Path) -> None:
    """Raise ValueError where another user than the launcher (and who called sudo) could put links into a folder."""
    if os.geteuid() != 0:
        return
    facts = data.stat()
    if facts.st_uid not in (0, int(os.environ.get("SUDO_UID", "0"))):
        raise ValueError(f"{data}: belongs to uid {facts.st_uid}, not to root: chown it, or give another folder")
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"{data}: others than its owner may write there: chmod go-w {data}")


def give(home: Path, name: str, account: Account) -> Path:
    """Make a folder that belongs to the server, below its service's; one of somebody else is handed over.

    Raises:
        ValueError: something else than a folder has its name.
    """
    with _opened(home) as parent, _made(parent, home / name) as handle:
        former = os.fstat(handle).st_uid
        if former != account.uid:
            _hand_over(handle, former, account)
        os.fchmod(handle, 0o700)
    return home / name


def write(path: Path, text: str, account: Account) -> None:
    """Write a file in a service's folder at once, for its server to read and for the launcher alone to change."""
    fresh = f".{path.name}.{secrets.token_hex(8)}.new"
    with _opened(path.parent) as parent:
        handle = os.open(fresh, _FRESH, 0o600, dir_fd=parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                if account.uid != os.geteuid():
                    os.fchown(handle, os.geteuid(), account.gid)
                    os.fchmod(handle, 0o640)
                file.write(text)
            os.replace(fresh, path.name, src_dir_fd=parent, dst_dir_fd=parent)
        finally:
            with suppress(FileNotFoundError):  # it has its name by now, unless something failed
                os.unlink(fresh, dir_fd=parent)


@contextmanager
def log(path: Path) -> Iterator[int]:
    """Open a log for appending, ours alone: a link, or a file that is also somebody else's, is replaced."""
    with _opened(path.parent) as parent:
        handle = _ours(path.name, parent)
        if handle is None:
            with suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=parent)
            handle = os.open(path.name, _FRESH | os.O_APPEND, 0o600, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


def _ours(name: str, parent: int) -> int | None:
    try:
        handle = os.open(name, _LOG, dir_fd=parent)
    except OSError:
        return None
    facts = os.fstat(handle)
    if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and facts.st_nlink == 1:
        return handle
    os.close(handle)
    return None


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _made(parent: int, path: Path) -> Iterator[int]:
    with suppress(FileExistsError):
        os.mkdir(path.name, 0o700, dir_fd=parent)
    try:
        handle = os.open(path.name, _FOLDER, dir_fd=parent)
    except OSError:
        raise ValueError(f"{path}: is no folder of its own (a link?); remove it, or give another data folder") from None
    try:
        yield handle
    finally:
        os.close(handle)


def _hand_over(folder: int, former: int, account: Account) -> None:
    """Give a tree to the server: only what its former owner had, so that a hard link gives nothing of others away."""
    for _root, folders, files, inside in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        for name in (*folders, *files):
            seen = os.open(name, _SEEN, dir_fd=inside)
            try:
                facts = os.fstat(seen)
                if facts.st_uid == former and not stat.S_ISLNK(facts.st_mode):
                    os.chown(f"/proc/self/fd/{seen}", account.uid, account.gid)
            finally:
                os.close(seen)
    os.fchown(folder, account.uid, account.gid)
