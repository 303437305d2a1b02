"""Whoever opens a client of Kafka may be cut short at any moment; a broker that lets in and then says nothing."""

from __future__ import annotations

import asyncio
import gc
import struct
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from aiokafka.errors import KafkaConnectionError

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.kafka.client import Client
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.fetching import Fetcher
from backbone.stream.kafka.inquiry import Inquirer
from backbone.stream.kafka.provisioning import provision
from backbone.stream.kafka.sending import Sending
from backbone.stream.topics import Topics

API_VERSIONS, METADATA = 18, 3


class Broker:
    """Lets everybody in and says which requests it knows; to all else it says nothing, or hangs up.

    Attributes:
        asked: somebody wants to know who the brokers are.
        left: somebody hung up.
    """

    def __init__(self, *, hangs_up: bool = False) -> None:
        self.asked, self.left = anyio.Event(), anyio.Event()
        self._hangs_up = hangs_up

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                kind, _, number = struct.unpack_from(">hhi", await reader.readexactly(size))
                if kind == API_VERSIONS:
                    known = struct.pack(">hi", 0, 2) + struct.pack(">hhh", API_VERSIONS, 0, 0)
                    answer = struct.pack(">i", number) + known + struct.pack(">hhh", METADATA, 0, 5)
                    writer.write(struct.pack(">i", len(answer)) + answer)
                    continue
                self.asked.set()
                if self._hangs_up:
                    return
        except asyncio.IncompleteReadError:
            self.left.set()
        finally:
            writer.close()


def settings(server: asyncio.Server) -> StreamSettings:
    return StreamSettings(backend="kafka", bootstrap=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def asking(settings: StreamSettings) -> None:
    inquirer = Inquirer(Connection.of(settings))
    try:
        await inquirer.topics(["t"])
    finally:
        await inquirer.close()


async def sending(settings: StreamSettings) -> None:
    sending = Sending(Connection.of(settings), settings)
    try:
        await sending.start()
    finally:
        await sending.close()


async def fetching(settings: StreamSettings) -> None:
    await Fetcher(Connection.of(settings), 1_000_000).open()


async def provisioning(settings: StreamSettings) -> None:
    await provision(Connection.of(settings), Topics.of(settings))


@pytest.mark.parametrize("work", [asking, sending, fetching, provisioning])
def test_who_is_cut_short_while_it_connects_leaves_no_connection_open(
    work: Callable[[StreamSettings], Coroutine[Any, Any, None]],
) -> None:
    async def main() -> None:
        broker = Broker()
        async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
            async with anyio.create_task_group() as group:
                group.start_soon(work, settings(server))
                await broker.asked.wait()
                group.cancel_scope.cancel()
            gc.collect()
            with anyio.fail_after(10):
                await broker.left.wait()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anyio.run(main)
    assert [str(each.message) for each in caught] == []


def test_the_next_broker_is_asked_where_one_hangs_up_and_who_none_answers_is_told_so() -> None:
    async def main() -> None:
        brokers = [Broker(hangs_up=True), Broker(hangs_up=True)]
        async with (
            await asyncio.start_server(brokers[0].serve, "127.0.0.1", 0) as first,
            await asyncio.start_server(brokers[1].serve, "127.0.0.1", 0) as second,
        ):
            both = ",".join(f"{settings(each).bootstrap}" for each in (first, second))
            client = Client(Connection.of(StreamSettings(backend="kafka", bootstrap=both)))
            with pytest.raises(KafkaConnectionError, match="no answer from 127"):
                await client.bootstrap()
            await client.close()
        assert all(each.asked.is_set() for each in brokers)

    anyio.run(main)
