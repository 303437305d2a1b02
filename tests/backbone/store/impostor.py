"""A server that only says it is PostgreSQL, and keeps every byte that it is told: what an attacker on the way has."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

SSL_REQUEST = struct.pack("!ll", 8, 80877103)
ASKS_FOR_CLEAR_TEXT = b"R" + struct.pack("!ll", 8, 3)


class Impostor:
    """Listens on an address of this machine, one client after the other, each for some seconds at most.

    Args:
        host: 127.0.0.0/8, or an address of a network namespace of its own.
        answer: to a request for TLS; b"S": TLS follows, by `context`.
        context: with its certificate.

    Attributes:
        heard: what clients said, decrypted where TLS was spoken.
    """

    def __init__(self, host: str, answer: bytes = b"N", context: ssl.SSLContext | None = None) -> None:
        self._answer, self._context = answer, context
        self.heard = b""
        self.clients = 0
        self._socket = socket.create_server((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self._client, self.clients = client, self.clients + 1
                with suppress(OSError), client:
                    client.settimeout(5)
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        first = client.recv(4096)
        if first == SSL_REQUEST:
            client.sendall(self._answer)
            if self._answer == b"S" and self._context is not None:
                with self._context.wrap_socket(client, server_side=True) as client:
                    self._ask(client.recv(4096), client)
                return
            first = client.recv(4096)
        self._ask(first, client)

    def _ask(self, first: bytes, client: socket.socket) -> None:
        self.heard += first
        if first:
            client.sendall(ASKS_FOR_CLEAR_TEXT)
            self.heard += client.recv(4096)

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; what was heard is complete then."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._client is not None:
            with suppress(OSError):
                self._client.shutdown(socket.SHUT_RD)  # what has come is still read
        self._thread.join(5)


@contextmanager
def impostor(host: str, answer: bytes = b"N", context: ssl.SSLContext | None = None) -> Iterator[Impostor]:
    """One that listens meanwhile."""
    server = Impostor(host, answer, context)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Certificate(NamedTuple):
    """Files of a certificate and its key."""

    crt: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """A server's, by this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.crt, self.key)
        return context


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def authority(folder: Path, name: str) -> Certificate:
    """A certificate authority."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    extensions = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", *extensions, *_files(made))
    return made


def self_signed(folder: Path, name: str, host: str) -> Certificate:
    """A server's certificate that only itself vouches for."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    names = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={_name(host)}")
    _openssl("req", "-x509", *_KEY, "-days", "2", *names, *_files(made))
    return made


def issued(folder: Path, name: str, host: str, by: Certificate, days: int = 2) -> Certificate:
    """A server's certificate for a host, by an authority; of no days: it has expired."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(request))
    extensions.write_text(
        f"subjectAltName={_name(host)}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        "basicConstraints=critical,CA:FALSE\n"
    )
    signer = ("-CA", str(by.crt), "-CAkey", str(by.key), "-CAcreateserial", "-days", str(days))
    _openssl("x509", "-req", "-in", str(request), "-extfile", str(extensions), *signer, "-out", str(made.crt))
    return made


def _name(host: str) -> str:
    return f"{'IP' if host[:1].isdigit() else 'DNS'}:{host}"


def _files(made: Certificate) -> tuple[str, ...]:
    return ("-keyout", str(made.key), "-out", str(made.crt))


def _openssl(*words: str) -> None:
    subprocess.run(["/usr/bin/openssl", *words], check=True, capture_output=True)
