"""Who is at the other end of a unix socket, as the kernel tells it: nothing that the other end says of itself."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import NamedTuple

__all__ = ["Peer", "is_trusted", "peer_of"]

_ROOT = 0
_UCRED = struct.Struct("3i")  # unix(7): pid, uid, gid
_XUCRED = struct.Struct("2I")  # the beginning of struct xucred of BSD and macOS: version, uid
_XUCRED_SIZE = 76


class Peer(NamedTuple):
    """A process; None where this system does not tell."""

    pid: int | None
    uid: int | None

    def __str__(self) -> str:
        return f"uid {self.uid}" if self.pid is None else f"uid {self.uid}, process {self.pid}"


def peer_of(connection: socket.socket) -> Peer:
    """The process that connected, or that listens: as whom, and where the system tells it, which one.

    Linux has SO_PEERCRED, BSD and macOS have LOCAL_PEERCRED, which knows no process. Elsewhere nobody tells, and the
    rights of the socket's file are what is left.

    Raises:
        OSError: the connection is gone.
    """
    if sys.platform == "linux":
        pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return Peer(pid or None, uid)  # 0: one of a container, whom this process has no number for
    elif sys.platform == "darwin" or sys.platform.startswith("freebsd"):
        _, uid = _XUCRED.unpack_from(connection.getsockopt(0, 1, _XUCRED_SIZE))  # SOL_LOCAL, LOCAL_PEERCRED
        return Peer(None, uid)
    else:
        return Peer(None, None)


def is_trusted(peer: Peer) -> bool:
    """Whether it is of our own user, or of root, who could be us anyway."""
    return peer.uid is None or peer.uid in {os.geteuid(), _ROOT}
