"""The proxy makes the trouble that it says it makes, and none beside."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from tests.faults.proxy import Latency, LimitData, LostReply, Proxy, ResetPeer, Slicer, Timeout, Toxic


class Echo:
    """A server that answers each line with itself, and remembers what it was sent."""

    def __init__(self) -> None:
        self.received = b""

    async def serve(self, client: SocketStream) -> None:
        async with client:
            try:
                async for data in client:
                    self.received += data
                    await client.send(data)
            except anyio.BrokenResourceError:
                return


@asynccontextmanager
async def through(*toxics: Toxic) -> AsyncIterator[tuple[Proxy, SocketStream, Echo]]:
    """A connection by way of a proxy to an echo."""
    echo = Echo()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, echo.serve)
        port: int = listener.extra_attributes[SocketAttribute.local_port]()
        async with Proxy.to(port) as proxy:
            for toxic in toxics:
                proxy.add(toxic)
            with anyio.fail_after(10):
                async with await anyio.connect_tcp("127.0.0.1", proxy.port) as client:
                    yield proxy, client, echo
        group.cancel_scope.cancel()


async def exactly(client: SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await client.receive()
    return data


async def test_without_a_toxic_all_data_passes_unchanged() -> None:
    payload = bytes(range(256)) * 4096
    async with through() as (proxy, client, _), anyio.create_task_group() as group:
        group.start_soon(client.send, payload)
        assert await exactly(client, len(payload)) == payload
        assert not proxy.fired


async def test_latency_delays_the_reply() -> None:
    async with through(Latency(0.05)) as (proxy, client, _):
        began = time.perf_counter()
        await client.send(b"hello")
        assert await exactly(client, 5) == b"hello"
        assert time.perf_counter() - began >= 0.05
        assert proxy.fired == {"Latency": 1}


async def test_timeout_0_is_a_black_hole_for_the_reply_alone() -> None:
    async with through(Timeout()) as (_, client, echo):
        await client.send(b"hello")
        with anyio.move_on_after(0.05) as waiting:
            await client.receive()
        assert waiting.cancelled_caught
        assert echo.received == b"hello"


async def test_timeout_closes_after_its_time() -> None:
    async with through(Timeout(0.01)) as (_, client, _):
        await client.send(b"hello")
        with pytest.raises(anyio.EndOfStream):
            await client.receive()


async def test_reset_peer_is_an_rst() -> None:
    async with through(ResetPeer()) as (_, client, _):
        await client.send(b"hello")
        with pytest.raises(anyio.BrokenResourceError) as raised:
            await client.receive()
        assert isinstance(raised.value.__cause__, ConnectionResetError)


async def test_slicer_cuts_into_pieces_and_loses_nothing() -> None:
    async with through(Slicer(3, 2)) as (_, client, _):
        await client.send(b"abcdefghijklmnopqrstuvwxyz")
        assert await exactly(client, 26) == b"abcdefghijklmnopqrstuvwxyz"


async def test_limit_data_passes_so_many_bytes_and_closes() -> None:
    async with through(LimitData(7)) as (_, client, _):
        await client.send(b"hello world")
        assert await exactly(client, 7) == b"hello w"
        with pytest.raises(anyio.EndOfStream):
            await client.receive()


async def test_a_lost_reply_is_lost_after_the_server_has_had_the_request() -> None:
    async with through(LostReply(after=b"COMMIT")) as (proxy, client, echo):
        await client.send(b"BEGIN;")
        assert await exactly(client, 6) == b"BEGIN;"
        await client.send(b"COM")
        assert await exactly(client, 3) == b"COM"
        await client.send(b"MIT;")
        with pytest.raises(anyio.BrokenResourceError):
            await client.receive()
        assert echo.received == b"BEGIN;COMMIT;"
        assert proxy.fired == {"LostReply": 1}


async def test_the_first_requests_can_be_spared() -> None:
    async with through(LostReply(after=b"COMMIT", skip=1)) as (proxy, client, _):
        await client.send(b"COMMIT;")
        assert await exactly(client, 7) == b"COMMIT;"
        assert not proxy.fired
        await client.send(b"COMMIT;")
        with pytest.raises(anyio.BrokenResourceError):
            await client.receive()


async def test_a_reply_can_be_lost_in_silence() -> None:
    async with through(LostReply(after=b"COMMIT", silent=True)) as (_, client, echo):
        await client.send(b"COMMIT;")
        with anyio.move_on_after(0.05) as waiting:
            await client.receive()
        assert waiting.cancelled_caught
        assert echo.received == b"COMMIT;"


async def test_toxics_hold_from_when_they_are_added_until_they_are_cleared() -> None:
    async with through() as (proxy, client, _):
        for round_trip in range(3):
            proxy.clear()
            if round_trip == 1:
                proxy.add(Latency(0.01))
            await client.send(b"x")
            assert await exactly(client, 1) == b"x"
        assert proxy.fired == {"Latency": 1}


async def test_all_connections_can_be_cut_at_once() -> None:
    async with through() as (proxy, client, _):
        await client.send(b"x")
        await exactly(client, 1)
        proxy.reset_all()
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await client.receive()
