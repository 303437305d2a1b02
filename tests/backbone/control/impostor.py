"""Somebody who listens where a backbone should, and has an answer of his own."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.backbone.control.users import being


@contextmanager
def listening(path: Path, serve: Callable[[socket.socket], None], user: int | None = None) -> Iterator[None]:
    """Somebody who serves one connection in his own way."""

    def work() -> None:
        with suppress(OSError):  # nobody came, or who came has gone
            client, _ = server.accept()
            with client:
                serve(client)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(os.fspath(path))
        with being(user):
            server.listen()
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(answer)

    return serve
