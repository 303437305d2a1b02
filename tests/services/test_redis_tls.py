"""Redis by TLS: only a server that proves its name by the authority that was given is spoken to."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.streams.tls import TLSListener

from backbone.cache.errors import CacheUnavailable
from backbone.cache.redis import RedisCache
from backbone.cache.redis.address import Address
from backbone.cache.redis.connections import Bounds, Connections
from backbone.services import native
from backbone.settings.secrets import Secret
from backbone.settings.sections.cache import CacheSettings
from tests.backbone.store.impostor import Certificate, authority, issued
from tests.services.caches import fresh_database, load, position_of, url_of


@asynccontextmanager
async def encrypted(services: native.Services, certificate: Certificate) -> AsyncIterator[int]:
    """The port of a server that speaks TLS and is Redis behind it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.crt, certificate.key)
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = plain.extra_attributes[anyio.abc.SocketAttribute.local_port]()
    listener = TLSListener(plain, context, standard_compatible=False)

    async def handle(client: anyio.abc.ByteStream) -> None:
        server = await anyio.connect_tcp("127.0.0.1", services.port("redis"))
        async with client, server, anyio.create_task_group() as group:
            group.start_soon(pass_on, client, server)
            await pass_on(server, client)
            group.cancel_scope.cancel()

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        yield port
        group.cancel_scope.cancel()


async def pass_on(giver: anyio.abc.ByteStream, taker: anyio.abc.ByteStream) -> None:
    try:
        async for data in giver:
            await taker.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
        return


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Certificate, Certificate]:
    folder = tmp_path_factory.mktemp("certificates")
    return folder, authority(folder, "ours"), authority(folder, "others")


def cache_by(services: native.Services, port: int, ca: Certificate) -> RedisCache:
    parts = urlsplit(url_of(services))
    url = Secret(f"redis://{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}/0")
    settings = CacheSettings(backend="redis", url=url, ssl=True, ssl_root_cert=str(ca.crt))
    return RedisCache(Connections(Address.of(settings), Bounds.of(settings)), fresh_database())


async def test_a_server_of_the_authority_that_was_given_is_used(
    services: native.Services, authorities: tuple[Path, Certificate, Certificate]
) -> None:
    folder, ours, _ = authorities
    async with encrypted(services, issued(folder, "right", "127.0.0.1", ours)) as port:
        cache = cache_by(services, port, ours)
        await cache.open()
        assert (await cache.probe()).details["tls"] == "yes"
        await load(cache, 5)
        assert await position_of(cache) == 5
        await cache.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3"])
async def test_a_server_that_does_not_prove_its_name_is_not_spoken_to(
    services: native.Services, authorities: tuple[Path, Certificate, Certificate], host: str
) -> None:
    folder, ours, others = authorities
    by = others if host == "127.0.0.1" else ours
    async with encrypted(services, issued(folder, f"wrong-{host}", host, by)) as port:
        cache = cache_by(services, port, ours)
        with pytest.raises(CacheUnavailable, match="certificate verify failed"):
            await cache.open()
        await cache.close()
