"""Which disk a folder lies on: of this machine, or of another one, which may be gone while its files are read."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_remote"]

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = "9p afs beegfs ceph cifs coda fuse gpfs lustre ncpfs nfs nfs4 smb3 smbfs virtiofs"
_REMOTE = frozenset(_NETWORK.split())


def is_remote(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether its files come over a network, or out of a program; where the system does not say, they do not.

    Raises:
        OSError: there is no such folder.
    """
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(_is_of_another(line) for line in lines if wanted in line.split()[2:3])


def _is_of_another(line: str) -> bool:
    """Whether the file system of a line is one; proc(5): its type stands behind a hyphen."""
    kind = (line.partition(" - ")[2].split() or [""])[0]
    return kind in _REMOTE or kind.startswith("fuse.")
