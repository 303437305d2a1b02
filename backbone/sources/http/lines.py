"""The connections of a transport, which another thread may cut: by the clock, or where a run is to end.

A timeout of a socket is of one read: a host that sends a byte now and then is never silent for so long.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

__all__ = ["Lines"]


class Lines:
    """What is open; filled by the trace of requests, an extension of httpx2."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember a connection that was made, or that is encrypted from now on."""
        get = getattr(info.get("return_value"), "get_extra_info", None)
        opened = get("socket") if event.endswith((".connect_tcp.complete", ".start_tls.complete")) and get else None
        if isinstance(opened, socket.socket):
            with self._lock:
                self._sockets.add(opened)

    def cut(self) -> None:
        """End what is being waited for on any of them."""
        with self._lock:
            opened = list(self._sockets)
        for each in opened:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # that of TLS would change what its reader works on

    @contextmanager
    def within(self, seconds: float) -> Iterator[threading.Event]:
        """Cut them after some time, unless the block is left before; the event says whether that happened."""
        late = threading.Event()

        def cut() -> None:
            late.set()
            self.cut()

        watch = threading.Timer(seconds, cut)
        watch.daemon = True
        watch.start()
        try:
            yield late
        finally:
            watch.cancel()
