"""Whom the files of a database are for: their owner, from their first moment, whatever the umask of the process.

DuckDB makes its files with the rights that the umask leaves, and makes its log anew after each folding. So the file is
made in a folder that nobody else can enter, and the threads that work with it have an umask of their own.
"""

from __future__ import annotations

import ctypes
import logging
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from backbone.files import PRIVATE, private_folder

__all__ = ["keep_to_oneself", "make_ready"]

_CLONE_FS = 0x200  # <linux/sched.h>: umask, current folder and root
_OTHERS = 0o077
_USUAL = Path("data/backbone.duckdb")  # as settings name it where nobody does
_OURS = {"backbone.sock", "backbone.kill", "system_validation_report.json"}
_SIDES = ("", ".wal", ".tmp")

_log = logging.getLogger("backbone")


def keep_to_oneself() -> bool:
    """Let all that the calling thread and those it starts will make be for their owner alone, and nobody else's.

    Threads share their umask; on Linux one can leave the others, with its current folder. False: this one could not.
    """
    if not sys.platform.startswith("linux"):
        return False
    with suppress(AttributeError, OSError):
        if ctypes.CDLL(None).unshare(_CLONE_FS) == 0:
            os.umask(_OTHERS)
            return True
    return False


def make_ready(path: Path, config: Mapping[str, str]) -> None:
    """Have a database there with its folder, and take from others what rights they have to its files.

    Args:
        path: of the database.
        config: DuckDB settings.

    Raises:
        OSError, duckdb.Error: it can't be made.
    """
    folder = path.parent
    private_folder(folder)
    if not path.exists():
        _make(path.resolve(), config)
    wide = [each for each in (*_files(path), *_usual_folder(path)) if _is_wide(each)]
    taken = [each for each in wide if _take_back(each)]
    if taken:
        _log.warning("other users could look into %s; they are for their owner alone now", _listed(taken))
    if left := [each for each in wide if each not in taken]:
        _log.warning(
            "other users may look into %s: the file system does not let that be changed; keep the store on another "
            "one, or mount this one for its owner alone",
            _listed(left),
        )
    _warn_of(folder)


def _make(path: Path, config: Mapping[str, str]) -> None:
    with TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        duckdb.connect(str(fresh), config={**config}).close()
        with suppress(OSError):  # a file system without rights is told of when the database is there
            fresh.chmod(PRIVATE)
        try:
            path.hardlink_to(fresh)  # never in the place of another one: where somebody was faster, his is the database
        except OSError:  # or the file system knows no links
            if not path.exists():
                fresh.rename(path)


def _files(path: Path) -> list[Path]:
    return [path.resolve(), *(Path(f"{path}{side}") for side in _SIDES[1:])]


def _usual_folder(path: Path) -> list[Path]:
    """The folder, where it is the usual one and holds nothing but ours: earlier releases made it by the umask."""
    if path.absolute() != _USUAL.absolute():
        return []
    ours = _OURS | {f"{_USUAL.name}{side}" for side in _SIDES}
    return [path.parent] if ours.issuperset(each.name for each in path.parent.iterdir()) else []


def _is_wide(path: Path) -> bool:
    """Whether others have rights to what is this user's own."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    whole = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return whole and found.st_uid == os.geteuid() and bool(found.st_mode & _OTHERS)


def _take_back(path: Path) -> bool:
    """Take the rights of others; False: some file systems, such as shares of other systems, refuse that."""
    with suppress(OSError):
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~_OTHERS)
    return not _is_wide(path)


def _listed(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))


def _warn_of(folder: Path) -> None:
    """A folder that somebody made wider is his: it is not changed, but told of where others may lay files in it."""
    found = folder.stat()
    group = found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid()
    if found.st_mode & stat.S_IWOTH or group:
        _log.warning(
            "the folder of the store, %s, lets other users lay and replace files in it (mode %04o); "
            "chmod 700 it, or give store.path a folder of its own",
            folder.absolute(),
            stat.S_IMODE(found.st_mode),
        )
