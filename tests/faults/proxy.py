"""A TCP proxy that makes trouble, with the names and meanings of Toxiproxy (github.com/Shopify/toxiproxy).

    async with Proxy.to(port) as proxy:
        proxy.add(Latency(0.2))                           # replies come 200 ms later
        proxy.add(LostReply(after=b"COMMIT"))             # the request is carried out, its reply is lost
        ...                                               # connect to proxy.port
        proxy.clear()

What is added holds for the data that passes from then on, in connections old and new. `proxy.fired` counts how often
each kind of trouble was made, so that a test can show that it got there.
"""

from __future__ import annotations

import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
from anyio.abc import SocketAttribute, SocketStream

Direction = Literal["upstream", "downstream"]
"""From the client to the server, or from the server to the client."""

_CHUNK = 65_536
_CONNECT_SECONDS = 5.0
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@dataclass(frozen=True)
class Latency:
    """Data arrives so many seconds later, plus or minus the jitter."""

    latency: float
    jitter: float = 0.0
    stream: Direction = "downstream"


@dataclass(frozen=True)
class Timeout:
    """Nothing arrives any more; after so many seconds the connection is closed; 0: it stays, a black hole."""

    timeout: float = 0.0
    stream: Direction = "downstream"


@dataclass(frozen=True)
class ResetPeer:
    """Instead of data the client gets an RST, after so many seconds."""

    timeout: float = 0.0
    stream: Direction = "downstream"


@dataclass(frozen=True)
class Slicer:
    """Data arrives in small pieces, with a pause of so many seconds after each."""

    average_size: int
    size_variation: int = 0
    delay: float = 0.0
    stream: Direction = "downstream"


@dataclass(frozen=True)
class LimitData:
    """The connection is closed once so many bytes have passed since it was opened."""

    bytes: int
    stream: Direction = "downstream"


@dataclass(frozen=True)
class LostReply:
    """Once a request holds these bytes, the replies to it are lost: by an RST, or in silence.

    The RST comes when the reply arrives, so the server has carried the request out by then. The first `skip` such
    requests on any connection are spared, and after `times` of them the trouble is over.
    """

    after: bytes
    silent: bool = False
    skip: int = 0
    times: int = 1
    stream: Direction = "upstream"


Toxic = Latency | Timeout | ResetPeer | Slicer | LimitData | LostReply


class _Cut(Exception):
    """The connection ends here; with an RST, or politely."""

    def __init__(self, reset: bool) -> None:
        super().__init__("RST" if reset else "FIN")
        self.reset = reset


@dataclass(eq=False)
class _Link:
    client: SocketStream
    server: SocketStream
    passed: Counter[str] = field(default_factory=Counter)
    tail: bytes = b""
    lost: LostReply | None = None


class Proxy:
    """Listens on a port of 127.0.0.1 and passes on to another.

    Attributes:
        port: to connect to.
        fired: how often each kind of toxic has done something.
        connections: how many were accepted.
    """

    def __init__(self, port: int, target: int, seed: int) -> None:
        self.port = port
        self.fired: Counter[str] = Counter()
        self.connections = 0
        self._target = target
        self._toxics: list[Toxic] = []
        self._chance = random.Random(seed)
        self._links: set[_Link] = set()
        self._requests: Counter[Toxic] = Counter()

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int, *, seed: int = 0) -> AsyncIterator[Proxy]:
        """A proxy to a port of 127.0.0.1, until the block is left."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        async with listener, anyio.create_task_group() as group:
            proxy = cls(_raw(listener).getsockname()[1], target, seed)
            group.start_soon(listener.serve, proxy._serve)
            try:
                yield proxy
            finally:
                group.cancel_scope.cancel()

    def add(self, toxic: Toxic) -> None:
        """Make this trouble from now on."""
        self._toxics.append(toxic)

    def clear(self) -> None:
        """Make no more trouble; what was lost stays lost."""
        self._toxics.clear()

    def reset_all(self) -> None:
        """Cut all connections at once, with an RST to both ends."""
        for link in list(self._links):
            for end in (link.client, link.server):
                _reset(end)
                with suppress(OSError):
                    _raw(end).shutdown(socket.SHUT_RDWR)

    async def _serve(self, client: SocketStream) -> None:
        self.connections += 1
        async with client:
            try:
                with anyio.fail_after(_CONNECT_SECONDS):
                    server = await anyio.connect_tcp("127.0.0.1", self._target)
            except (OSError, TimeoutError):
                _reset(client)
                return
            async with server:
                await self._link(_Link(client, server))

    async def _link(self, link: _Link) -> None:
        self._links.add(link)
        try:
            async with anyio.create_task_group() as group:
                for direction in ("upstream", "downstream"):
                    group.start_soon(self._pump, link, direction, group.cancel_scope)
        finally:
            self._links.discard(link)

    async def _pump(self, link: _Link, direction: Direction, scope: anyio.CancelScope) -> None:
        """Pass data on in one direction until either end is gone, which ends the other direction too."""
        source, target = (link.client, link.server) if direction == "upstream" else (link.server, link.client)
        try:
            while True:
                for piece in await self._through(link, direction, await source.receive(_CHUNK)):
                    await target.send(piece)
                    await self._pause(direction)
        except _Cut as cut:
            if cut.reset:
                _reset(link.client)
        except _GONE:
            pass
        scope.cancel()

    async def _through(self, link: _Link, direction: Direction, data: bytes) -> list[bytes]:
        """What of the data gets through, in pieces.

        Raises:
            _Cut: the connection ends here.
        """
        if direction == "downstream" and link.lost is not None:
            self.fired["LostReply"] += 1
            if not link.lost.silent:
                raise _Cut(reset=True)
            return []
        pieces = [data]
        for toxic in [each for each in self._toxics if each.stream == direction]:
            pieces = await self._apply(toxic, link, data, pieces)
        return pieces

    async def _apply(self, toxic: Toxic, link: _Link, data: bytes, pieces: list[bytes]) -> list[bytes]:
        kind = type(toxic).__name__
        if isinstance(toxic, LostReply):
            self._watch_for(toxic, link, data)
            return pieces
        self.fired[kind] += 1
        if isinstance(toxic, Latency):
            await anyio.sleep(max(0.0, toxic.latency + self._chance.uniform(-toxic.jitter, toxic.jitter)))
        elif isinstance(toxic, Timeout):
            await anyio.sleep(toxic.timeout or float("inf"))
            raise _Cut(reset=False)
        elif isinstance(toxic, ResetPeer):
            await anyio.sleep(toxic.timeout)
            raise _Cut(reset=True)
        elif isinstance(toxic, LimitData):
            return await self._limited(toxic, link, data, pieces)
        elif isinstance(toxic, Slicer):
            return self._sliced(toxic, data)
        return pieces

    def _watch_for(self, toxic: LostReply, link: _Link, data: bytes) -> None:
        text = link.tail + data
        link.tail = text[-len(toxic.after) + 1 :] if len(toxic.after) > 1 else b""
        if toxic.after in text:
            self._requests[toxic] += 1
            if toxic.skip < self._requests[toxic] <= toxic.skip + toxic.times:
                link.lost = toxic

    async def _limited(self, toxic: LimitData, link: _Link, data: bytes, pieces: list[bytes]) -> list[bytes]:
        left = toxic.bytes - link.passed[toxic.stream]
        link.passed[toxic.stream] += len(data)
        if len(data) < left:
            return pieces
        target = link.client if toxic.stream == "downstream" else link.server
        await target.send(data[:left])
        raise _Cut(reset=False)

    def _sliced(self, toxic: Slicer, data: bytes) -> list[bytes]:
        pieces = []
        while data:
            size = toxic.average_size + self._chance.randint(-toxic.size_variation, toxic.size_variation)
            pieces.append(data[: max(1, size)])
            data = data[max(1, size) :]
        return pieces

    async def _pause(self, direction: Direction) -> None:
        for toxic in self._toxics:
            if isinstance(toxic, Slicer) and toxic.stream == direction:
                await anyio.sleep(toxic.delay)


def _reset(end: SocketStream) -> None:
    """Closing it sends an RST from now on."""
    with suppress(OSError):
        _raw(end).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _raw(end: Any) -> socket.socket:
    raw: socket.socket = end.extra_attributes[SocketAttribute.raw_socket]()
    return raw
