"""A broker that speaks TLS has to prove who it is before it is told anything."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener

from backbone.settings import Secret
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from tests.backbone.store.impostor import Certificate, authority, issued
from tests.services.brokers import publisher_of

HOST = "127.0.0.1"


class Heard:
    """What clients have said once TLS was spoken."""

    def __init__(self) -> None:
        self.port = 0
        self.text = b""

    async def handle(self, client: ByteStream) -> None:
        async with client:
            self.text += await client.receive()


@asynccontextmanager
async def speaking_tls(certificate: Certificate) -> AsyncIterator[Heard]:
    """Somebody who shows a certificate, listens, and says nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.crt, certificate.key)
    heard = Heard()
    listener = await anyio.create_tcp_listener(local_host=HOST)
    heard.port = listener.extra_attributes[SocketAttribute.local_port]()
    tls = TLSListener(listener, context, standard_compatible=False)
    async with tls, anyio.create_task_group() as group:
        group.start_soon(tls.serve, heard.handle)
        yield heard
        group.cancel_scope.cancel()


async def refusal(port: int, trusted: Certificate) -> str:
    settings = StreamSettings(
        backend="kafka",
        bootstrap=f"{HOST}:{port}",
        user="backbone",
        password=Secret("canary-of-a-password"),
        ssl_root_cert=str(trusted.crt),
    )
    publisher = publisher_of(settings)
    with anyio.fail_after(20), pytest.raises(StreamUnavailable) as refused:
        await publisher.open()
    await publisher.close()
    return str(refused.value)


async def test_a_broker_of_another_authority_is_told_nothing(tmp_path: Path) -> None:
    ours, theirs = authority(tmp_path, "ours"), authority(tmp_path, "theirs")
    async with speaking_tls(issued(tmp_path, "broker", HOST, theirs)) as heard:
        assert "certificate verify failed" in await refusal(heard.port, ours)
    assert heard.text == b""


async def test_a_broker_with_the_certificate_of_another_host_is_told_nothing(tmp_path: Path) -> None:
    ours = authority(tmp_path, "ours")
    async with speaking_tls(issued(tmp_path, "broker", "kafka.example", ours)) as heard:
        assert "certificate verify failed" in await refusal(heard.port, ours)
    assert heard.text == b""


async def test_one_that_proves_itself_is_spoken_to(tmp_path: Path) -> None:
    ours = authority(tmp_path, "ours")
    async with speaking_tls(issued(tmp_path, "broker", HOST, ours)) as heard:
        assert "certificate" not in await refusal(heard.port, ours)
    assert b"backbone" in heard.text  # the client's name, in its first request
    assert b"canary" not in heard.text
