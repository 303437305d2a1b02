"""A server that speaks as much of PostgreSQL as it takes to be sent a password, and then lets the client down."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["FAULTS", "Impostor", "impostor"]

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_CLEAR_TEXT = b"R" + struct.pack("!ii", 8, 3)


class Impostor:
    """Where it listens, and which passwords it was sent."""

    def __init__(self, fault: str) -> None:
        self.passwords: list[str] = []
        self._fault = FAULTS.get(fault, _silent)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more clients; the one that is served is let down."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client, suppress(OSError, struct.error):
                client.settimeout(10)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        code = 0
        while code in {0, _SSL_REQUEST, _GSS_REQUEST}:
            length, code = struct.unpack("!ii", client.recv(8, socket.MSG_WAITALL))
            client.recv(length - 8, socket.MSG_WAITALL)
            if code in {_SSL_REQUEST, _GSS_REQUEST}:
                client.sendall(b"N")
        client.sendall(_CLEAR_TEXT)
        _, length = struct.unpack("!ci", client.recv(5, socket.MSG_WAITALL))
        password = client.recv(length - 4, socket.MSG_WAITALL).rstrip(b"\0").decode()
        self.passwords.append(password)
        client.sendall(self._fault(password))
        if self._fault is _silent:
            client.recv(1)


def _refusal(sqlstate: str, message: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": message}
    body = b"".join(f"{name}{value}\0".encode() for name, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def _silent(_: str) -> bytes:
    return b""


FAULTS: dict[str, Callable[[str], bytes]] = {
    "the password is wrong": lambda _: _refusal("28P01", 'password authentication failed for user "u"'),
    "there is no such database": lambda _: _refusal("3D000", 'database "d" does not exist'),
    "it hangs up": lambda _: b"",
    "it talks nonsense": lambda _: b"\xff" * 64,
    "it starts up": lambda _: _refusal("57P03", "the database system is starting up"),
    "it tells the password": lambda password: _refusal("XX000", f"who says {password!r}, {password}?"),
}


@contextmanager
def impostor(fault: str) -> Iterator[Impostor]:
    """A server with this fault."""
    server = Impostor(fault)
    try:
        yield server
    finally:
        server.close()
