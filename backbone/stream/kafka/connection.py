"""How every client of Kafka connects: one place, so that publisher, subscriber and operator ask the brokers alike."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final

import anyio
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError

from backbone.settings import redact
from backbone.settings.servers import Server, kafka_servers
from backbone.stream.errors import StreamUnavailable

if TYPE_CHECKING:
    from backbone.settings.sections.stream import StreamSettings

__all__ = ["REQUEST_TIMEOUT", "RETRY_PAUSE", "Connection"]

REQUEST_TIMEOUT: Final = 5.0
"""Seconds for a connection and for each answer of a broker; the clients' own 40 hide a dead one for as long."""

RETRY_PAUSE: Final = 0.1
"""Seconds until a request that may be repeated is."""

_METADATA_AGE: Final = 30.0  # a broker that was replaced is found after so long, also where nothing is sent

_OF_CLIENTS: Final = ("bootstrap_servers", "retry_backoff_ms", "metadata_max_age_ms")  # and not of a connection


class Connection:
    """Where the brokers are and how one is let in. It connects to nothing, and no text of it holds a secret.

    Args:
        settings: the stream's section.

    Attributes:
        settings: that section; it shows no secret either.
        servers: where the brokers are.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self.servers: tuple[Server, ...] = kafka_servers(settings.bootstrap or "localhost:9092")

    @classmethod
    def of(cls, settings: StreamSettings) -> Connection:
        """That of the settings."""
        return cls(settings)

    def __repr__(self) -> str:
        return f"<Connection to {self}>"

    def __str__(self) -> str:
        return ", ".join(str(each) for each in self.servers)

    def client(self) -> dict[str, Any]:
        """The keyword arguments that all clients of aiokafka share; hand them on in the call, and keep them nowhere.

        Raises:
            StreamUnavailable: a file of the settings of TLS can't be used.
        """
        return {
            "bootstrap_servers": [_address(each) for each in self.servers],
            "client_id": self.settings.client_id,
            "request_timeout_ms": int(REQUEST_TIMEOUT * 1000),
            "retry_backoff_ms": int(RETRY_PAUSE * 1000),
            "metadata_max_age_ms": int(_METADATA_AGE * 1000),
            **_security(self.settings),
        }

    async def connect(self, server: Server) -> AIOKafkaConnection:
        """A connection to one of the servers, which has let us in; close it.

        Raises:
            aiokafka.errors.KafkaError, OSError: it does not.
        """
        given = self.client()
        for name in _OF_CLIENTS:
            del given[name]
        return await create_conn(server.host, server.port, **given)

    async def refusal(self) -> str | None:
        """Why the first broker does not let us in, which the clients only write to their log; None: it does."""
        server = self.servers[0]
        try:
            with anyio.fail_after(REQUEST_TIMEOUT):
                connection = await self.connect(server)
        except TimeoutError:
            return f"no answer from {server} within {REQUEST_TIMEOUT:g} s"
        except (KafkaError, OSError) as error:
            return redact(str(error)) or type(error).__name__
        connection.close()
        return None


def _security(stream: StreamSettings) -> dict[str, Any]:
    protocol = stream.effective_security_protocol
    given: dict[str, Any] = {"security_protocol": protocol}
    if protocol in {"SSL", "SASL_SSL"}:
        given["ssl_context"] = _trust(stream)
    if protocol.startswith("SASL"):
        given["sasl_mechanism"] = stream.sasl_mechanism
        given["sasl_plain_username"] = stream.user
        given["sasl_plain_password"] = None if stream.password is None else stream.password.reveal()
    return given


def _trust(stream: StreamSettings) -> ssl.SSLContext:
    """Whom to believe that it is a broker, and how to prove who we are."""
    name, password = "ssl_root_cert", stream.ssl_key_password
    try:
        context = ssl.create_default_context(cafile=stream.ssl_root_cert)
        if stream.ssl_cert is not None:
            name = "ssl_cert"
            secret = (lambda: "") if password is None else password.reveal  # else it asks at the terminal
            context.load_cert_chain(stream.ssl_cert, stream.ssl_key, secret)
    except OSError as error:
        path = getattr(stream, name)
        text = f"stream.{name} is {path}, which can't be used: {error}; give a readable file in PEM format"
        raise StreamUnavailable(text) from error
    return context


def _address(server: Server) -> str:
    return f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}"
