"""A provider on this machine: a real server on a port of its own, which answers what the test says, well or badly."""

from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from backbone.sources.http import opening
from backbone.sources.http.hosts import Hosts

JSON = {"Content-Type": "application/json;charset=utf-8"}


class Reply(NamedTuple):
    """One answer; `size` may say another length than it has, None: it ends where the connection does."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = JSON
    size: int | None = -1


class Seen(NamedTuple):
    """One request."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Provider:
    """What it answers, by path; the last answer of a path is given again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.came = threading.Event()
        self._replies: dict[str, list[Reply]] = defaultdict(list)
        self._lock = threading.Lock()

    def answer(self, path: str, *replies: Reply) -> None:
        self._replies[path] = list(replies)

    def reply(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            self.came.set()
            replies = self._replies.get(seen.path) or [as_json({"error": "no such path"}, status=404)]
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def asked(self, path: str) -> list[Seen]:
        return [each for each in self.seen if each.path == path]


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), status, {**JSON, **headers})


def packed(body: bytes, cut: int | None = None) -> Reply:
    return Reply(gzip.compress(body)[:cut], 200, {**JSON, "Content-Encoding": "gzip"})


def endless(piece: bytes = b" " * 65_536) -> Iterator[bytes]:
    while True:
        yield piece


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.provider.reply(Seen(parts.path, query, headers))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        whole = isinstance(reply.body, bytes)
        if reply.size is not None and (whole or reply.size >= 0):
            self.send_header("Content-Length", str(len(reply.body) if reply.size < 0 else reply.size))  # type: ignore[arg-type]
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):  # who asked went away, as it should
            for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                self.wfile.write(piece)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: Provider


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider that answers until the block is left."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider on this machine, of which this process knows nothing yet."""
    monkeypatch.setattr(opening, "HOSTS", Hosts())
    with serving() as given:
        yield given
