"""A network between a client and a server that can be made to fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import anyio
from anyio.abc import ByteStream, SocketStream


class Proxy:
    """Passes bytes on, until told otherwise.

    Attributes:
        port: where clients connect.
        silent: nothing is passed on any more, in either direction; connections stay open: a network that is gone.
        drop_reply_to: once a client has sent these bytes, the server gets them, and its answer is thrown away and the
            connection closed; then this is forgotten.
        silent_after_drop: turn silent with the first answer that is thrown away.
        dropped: how many answers were thrown away.
        turns: how many times a client spoke after the server had spoken: round trips, of one connection at a time.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.silent = False
        self.drop_reply_to: bytes | None = None
        self.silent_after_drop = False
        self.dropped = 0
        self.turns = 0
        self._heard = True
        self._target = target

    def dsn(self, direct: str) -> str:
        parts = urlsplit(direct)
        return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}"))

    async def handle(self, client: SocketStream) -> None:
        async with client:
            try:
                server = await anyio.connect_tcp("127.0.0.1", self._target)
            except OSError:
                return
            lost = anyio.Event()
            async with server, anyio.create_task_group() as group:
                group.start_soon(self._pass_on, client, server, group.cancel_scope, self._asked(lost))
                group.start_soon(self._pass_on, server, client, group.cancel_scope, self._answered(lost))

    async def _pass_on(
        self, giver: ByteStream, taker: ByteStream, scope: anyio.CancelScope, look: Callable[[bytes], bool]
    ) -> None:
        """Until one side is closed, or a look at the bytes says that it is to be."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
            async for data in giver:
                if not look(data):
                    break
                if not self.silent:
                    await taker.send(data)
        scope.cancel()

    def _asked(self, lost: anyio.Event) -> Callable[[bytes], bool]:
        def look(data: bytes) -> bool:
            self.turns += self._heard
            self._heard = False
            if self.drop_reply_to is not None and self.drop_reply_to in data:
                self.drop_reply_to = None
                lost.set()
            return True

        return look

    def _answered(self, lost: anyio.Event) -> Callable[[bytes], bool]:
        def look(_: bytes) -> bool:
            self._heard = True
            self.dropped += lost.is_set()
            self.silent |= lost.is_set() and self.silent_after_drop
            return not lost.is_set()

        return look


@asynccontextmanager
async def proxy(target: int, *, port: int = 0) -> AsyncIterator[Proxy]:
    """A proxy before a port of this machine, on a given port or any."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    made = Proxy(target)
    made.port = listener.extra_attributes[anyio.abc.SocketAttribute.local_port]()
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, made.handle)
        yield made
        group.cancel_scope.cancel()
