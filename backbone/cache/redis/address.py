"""Where Redis is, and as whom and how it is spoken to."""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import Connection, parse_url

from backbone.settings.errors import SettingsError
from backbone.settings.sections.cache import CacheSettings
from backbone.settings.servers import redis_servers

__all__ = ["Address"]


class Address:
    """Makes connections to one Redis.

    User and password go to the client by themselves, never as part of a URL, and stand in nothing that is printed.

    Args:
        shown: host, port and database, for people.
        kind: the client's class of a connection, with TLS or without.
        arguments: of it.
    """

    def __init__(self, shown: str, kind: type[Connection], arguments: dict[str, Any]) -> None:
        self._shown = shown
        self._kind = kind
        self._arguments = arguments

    @classmethod
    def of(cls, settings: CacheSettings) -> Address:
        """The address that the settings give.

        Raises:
            SettingsError: they give none.
        """
        url = settings.dsn()
        if url is None:
            raise SettingsError("cache.backend is redis, but its address is missing; set BACKBONE_CACHE_URL")
        given: dict[str, Any] = dict(parse_url(url.reveal()))
        kind = given.pop("connection_class", Connection)
        arguments = {
            **given,
            "protocol": 3,
            "client_name": settings.client_name,
            "socket_timeout": None,  # who calls bounds the whole exchange, of which the client would bound each half
            "socket_connect_timeout": settings.connect_timeout,
            "health_check_interval": settings.health_check_interval,
            "socket_read_size": 256 * 1024,  # an answer has the rows of a window: taken in one piece, not in many
            "retry": None,  # who calls tries again, on another connection
        }
        server = redis_servers(url.reveal())[0]
        return cls(f"{server}/{given.get('db', 0)}", kind, arguments)

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Address({self._shown!r})"

    @property
    def is_encrypted(self) -> bool:
        """Whether it is spoken to by TLS."""
        return self._kind is not Connection

    def connection(self) -> Connection:
        """A connection that is not connected yet."""
        return self._kind(**self._arguments)
